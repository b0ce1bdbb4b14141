CREATE TABLE "quotas" (
	"project_id" text PRIMARY KEY NOT NULL,
	"load_balancer" integer,
	"listener" integer,
	"pool" integer,
	"member" integer,
	"health_monitor" integer,
	"l7_policy" integer,
	"l7_rule" integer
);
--> statement-breakpoint
CREATE INDEX "load_balancers_project" ON "load_balancers" USING btree ("project_id");