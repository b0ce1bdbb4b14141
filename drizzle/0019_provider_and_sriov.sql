ALTER TABLE "load_balancers" ADD COLUMN "vip_vnic_type" text DEFAULT 'normal' NOT NULL;--> statement-breakpoint
ALTER TABLE "load_balancers" ADD COLUMN "provider" text DEFAULT 'amphora' NOT NULL;--> statement-breakpoint
ALTER TABLE "members" ADD COLUMN "vnic_type" text DEFAULT 'normal' NOT NULL;