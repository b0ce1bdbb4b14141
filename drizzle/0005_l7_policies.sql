CREATE TABLE "l7_policies" (
	"id" uuid PRIMARY KEY NOT NULL,
	"admin_state_up" boolean NOT NULL,
	"tags" jsonb NOT NULL,
	"provisioning_status" text NOT NULL,
	"error_reason" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"name" text NOT NULL,
	"load_balancer_id" uuid NOT NULL,
	"listener_id" uuid NOT NULL,
	"description" text NOT NULL,
	"action" text NOT NULL,
	"redirect_pool_id" uuid,
	"redirect_url" text,
	"redirect_prefix" text,
	"redirect_http_code" integer,
	"position" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "l7_rules" (
	"id" uuid PRIMARY KEY NOT NULL,
	"admin_state_up" boolean NOT NULL,
	"tags" jsonb NOT NULL,
	"provisioning_status" text NOT NULL,
	"error_reason" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"load_balancer_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"l7_policy_id" uuid NOT NULL,
	"type" text NOT NULL,
	"compare_type" text NOT NULL,
	"key" text,
	"value" text NOT NULL,
	"invert" boolean NOT NULL
);
--> statement-breakpoint
CREATE INDEX "l7_policies_load_balancer" ON "l7_policies" USING btree ("load_balancer_id");--> statement-breakpoint
CREATE INDEX "l7_policies_listener" ON "l7_policies" USING btree ("listener_id");--> statement-breakpoint
CREATE INDEX "l7_rules_load_balancer" ON "l7_rules" USING btree ("load_balancer_id");--> statement-breakpoint
CREATE INDEX "l7_rules_policy" ON "l7_rules" USING btree ("l7_policy_id");