CREATE TABLE "availability_zone_profiles" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"provider_name" text NOT NULL,
	"availability_zone_data" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "availability_zones" (
	"name" text PRIMARY KEY NOT NULL,
	"description" text NOT NULL,
	"enabled" boolean NOT NULL,
	"availability_zone_profile_id" uuid NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "flavor_profiles" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"provider_name" text NOT NULL,
	"flavor_data" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "flavors" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"description" text NOT NULL,
	"enabled" boolean NOT NULL,
	"flavor_profile_id" uuid NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "flavors_name_unique" UNIQUE("name")
);
--> statement-breakpoint
ALTER TABLE "load_balancers" ADD COLUMN "flavor_id" uuid;--> statement-breakpoint
ALTER TABLE "load_balancers" ADD COLUMN "availability_zone" text;--> statement-breakpoint
ALTER TABLE "availability_zones" ADD CONSTRAINT "availability_zones_availability_zone_profile_id_availability_zone_profiles_id_fk" FOREIGN KEY ("availability_zone_profile_id") REFERENCES "public"."availability_zone_profiles"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "flavors" ADD CONSTRAINT "flavors_flavor_profile_id_flavor_profiles_id_fk" FOREIGN KEY ("flavor_profile_id") REFERENCES "public"."flavor_profiles"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "load_balancers" ADD CONSTRAINT "load_balancers_flavor_id_flavors_id_fk" FOREIGN KEY ("flavor_id") REFERENCES "public"."flavors"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "load_balancers" ADD CONSTRAINT "load_balancers_availability_zone_availability_zones_name_fk" FOREIGN KEY ("availability_zone") REFERENCES "public"."availability_zones"("name") ON DELETE restrict ON UPDATE no action;