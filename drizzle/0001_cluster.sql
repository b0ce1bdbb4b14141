ALTER TABLE "deployment" ADD COLUMN "observing" text;--> statement-breakpoint
ALTER TABLE "nodes" ADD COLUMN "families" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "nodes" ADD COLUMN "heartbeat_address" text;--> statement-breakpoint
ALTER TABLE "nodes" ADD COLUMN "settings" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "nodes" ADD COLUMN "is_draining" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "nodes" ADD COLUMN "session_since" timestamp (3) with time zone DEFAULT now() NOT NULL;