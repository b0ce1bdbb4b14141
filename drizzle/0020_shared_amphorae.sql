ALTER TABLE "amphorae" ADD COLUMN "other_load_balancer_ids" uuid[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "amphorae" ADD COLUMN "sharing" jsonb;--> statement-breakpoint
CREATE INDEX "amphorae_other_load_balancers" ON "amphorae" USING gin ("other_load_balancer_ids");