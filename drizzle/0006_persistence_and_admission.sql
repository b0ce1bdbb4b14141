ALTER TABLE "listeners" ADD COLUMN "allowed_cidrs" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "pools" ADD COLUMN "session_persistence" jsonb;