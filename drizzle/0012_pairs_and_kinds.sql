ALTER TABLE "amphorae" ADD COLUMN "kind" jsonb;--> statement-breakpoint
ALTER TABLE "amphorae" ADD COLUMN "compute_flavor" text;--> statement-breakpoint
ALTER TABLE "amphorae" ADD COLUMN "image_id" text;--> statement-breakpoint
ALTER TABLE "amphorae" ADD COLUMN "cached_zone" text;--> statement-breakpoint
ALTER TABLE "amphorae" ADD COLUMN "host" text;--> statement-breakpoint
ALTER TABLE "load_balancers" ADD COLUMN "topology" text DEFAULT 'SINGLE' NOT NULL;--> statement-breakpoint
ALTER TABLE "load_balancers" ADD COLUMN "vrrp_ports" jsonb DEFAULT '{}'::jsonb NOT NULL;