CREATE TABLE "alerts" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"object_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"load_balancer_id" uuid NOT NULL,
	"project_id" text NOT NULL,
	"name" text NOT NULL,
	"load_balancer_name" text NOT NULL,
	"old_status" text NOT NULL,
	"status" text NOT NULL,
	"reason" text NOT NULL,
	"since" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"times" integer DEFAULT 1 NOT NULL,
	"well_since" timestamp (3) with time zone,
	"cleared_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE UNIQUE INDEX "alerts_open" ON "alerts" USING btree ("object_id") WHERE cleared_at is null;--> statement-breakpoint
CREATE INDEX "alerts_since" ON "alerts" USING btree ("since");--> statement-breakpoint
CREATE INDEX "alerts_load_balancer" ON "alerts" USING btree ("load_balancer_id","since");--> statement-breakpoint
CREATE INDEX "alerts_cleared" ON "alerts" USING btree ("cleared_at") WHERE cleared_at is not null;