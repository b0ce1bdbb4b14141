ALTER TABLE "load_balancers" ADD COLUMN "additional_vips" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "load_balancers" ADD COLUMN "vip_qos_policy_id" uuid;--> statement-breakpoint
ALTER TABLE "load_balancers" ADD COLUMN "vip_sg_ids" jsonb DEFAULT '[]'::jsonb NOT NULL;