ALTER TABLE "listeners" ADD COLUMN "tls_ciphers" text;--> statement-breakpoint
ALTER TABLE "listeners" ADD COLUMN "tls_versions" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "listeners" ADD COLUMN "alpn_protocols" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "listeners" ADD COLUMN "default_tls_container_ref" text;--> statement-breakpoint
ALTER TABLE "listeners" ADD COLUMN "sni_container_refs" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "listeners" ADD COLUMN "client_authentication" text DEFAULT 'NONE' NOT NULL;--> statement-breakpoint
ALTER TABLE "listeners" ADD COLUMN "client_ca_tls_container_ref" text;--> statement-breakpoint
ALTER TABLE "listeners" ADD COLUMN "client_crl_container_ref" text;--> statement-breakpoint
ALTER TABLE "listeners" ADD COLUMN "hsts_max_age" integer;--> statement-breakpoint
ALTER TABLE "listeners" ADD COLUMN "hsts_include_subdomains" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "listeners" ADD COLUMN "hsts_preload" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "pools" ADD COLUMN "tls_ciphers" text;--> statement-breakpoint
ALTER TABLE "pools" ADD COLUMN "tls_versions" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "pools" ADD COLUMN "alpn_protocols" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "pools" ADD COLUMN "tls_enabled" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "pools" ADD COLUMN "tls_container_ref" text;--> statement-breakpoint
ALTER TABLE "pools" ADD COLUMN "ca_tls_container_ref" text;--> statement-breakpoint
ALTER TABLE "pools" ADD COLUMN "crl_container_ref" text;