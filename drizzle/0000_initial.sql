CREATE TABLE "claims" (
	"kind" text NOT NULL,
	"value" text NOT NULL,
	"entity_id" uuid NOT NULL,
	CONSTRAINT "claims_kind_value_pk" PRIMARY KEY("kind","value")
);
--> statement-breakpoint
CREATE TABLE "commands" (
	"id" text PRIMARY KEY NOT NULL,
	"entity_id" uuid NOT NULL,
	"digest" text NOT NULL,
	"answer" jsonb NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "deployment" (
	"id" uuid PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "entities" (
	"kind" text NOT NULL,
	"id" uuid NOT NULL,
	"shard" smallint NOT NULL,
	"seq" bigint NOT NULL,
	"is_over" boolean NOT NULL,
	"has_work" boolean NOT NULL,
	"wake_at" timestamp (3) with time zone,
	"work" jsonb,
	"fault" text,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "entities_kind_id_pk" PRIMARY KEY("kind","id")
);
--> statement-breakpoint
CREATE TABLE "journal" (
	"kind" text NOT NULL,
	"entity_id" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"schema_version" smallint NOT NULL,
	"events" jsonb NOT NULL,
	"node" uuid NOT NULL,
	"epoch" bigint NOT NULL,
	"command_id" text,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "journal_kind_entity_id_seq_pk" PRIMARY KEY("kind","entity_id","seq")
);
--> statement-breakpoint
CREATE TABLE "nodes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"number" integer GENERATED ALWAYS AS IDENTITY (sequence name "nodes_number_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"roles" text[] NOT NULL,
	"address" text,
	"version" text NOT NULL,
	"started_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"lease_until" timestamp (3) with time zone NOT NULL,
	"stopped_at" timestamp (3) with time zone,
	CONSTRAINT "nodes_number_unique" UNIQUE("number")
);
--> statement-breakpoint
CREATE TABLE "shards" (
	"family" text NOT NULL,
	"shard" smallint NOT NULL,
	"owner" uuid,
	"epoch" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "shards_family_shard_pk" PRIMARY KEY("family","shard")
);
--> statement-breakpoint
CREATE TABLE "snapshots" (
	"kind" text NOT NULL,
	"entity_id" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"schema_version" smallint NOT NULL,
	"state" jsonb NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "snapshots_kind_entity_id_pk" PRIMARY KEY("kind","entity_id")
);
--> statement-breakpoint
CREATE TABLE "amphorae" (
	"id" uuid PRIMARY KEY NOT NULL,
	"load_balancer_id" uuid,
	"status" text NOT NULL,
	"role" text,
	"compute_id" text,
	"agent_host" text,
	"agent_port" integer,
	"haproxy_version" text,
	"certificate_fingerprint" text,
	"certificate_expires_at" timestamp (3) with time zone,
	"error_reason" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "health_monitors" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"admin_state_up" boolean NOT NULL,
	"tags" jsonb NOT NULL,
	"provisioning_status" text NOT NULL,
	"error_reason" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"load_balancer_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"pool_id" uuid NOT NULL,
	"type" text NOT NULL,
	"delay" integer NOT NULL,
	"timeout" integer NOT NULL,
	"max_retries" integer NOT NULL,
	"max_retries_down" integer NOT NULL,
	"http_method" text NOT NULL,
	"url_path" text NOT NULL,
	"expected_codes" text NOT NULL,
	"http_version" double precision NOT NULL,
	"domain_name" text
);
--> statement-breakpoint
CREATE TABLE "listeners" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"admin_state_up" boolean NOT NULL,
	"tags" jsonb NOT NULL,
	"provisioning_status" text NOT NULL,
	"error_reason" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"load_balancer_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"description" text NOT NULL,
	"protocol" text NOT NULL,
	"protocol_port" integer NOT NULL,
	"default_pool_id" uuid,
	"connection_limit" integer NOT NULL,
	"timeout_client_data" integer NOT NULL,
	"timeout_member_connect" integer NOT NULL,
	"timeout_member_data" integer NOT NULL,
	"timeout_tcp_inspect" integer NOT NULL,
	"insert_headers" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "load_balancers" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"admin_state_up" boolean NOT NULL,
	"tags" jsonb NOT NULL,
	"provisioning_status" text NOT NULL,
	"error_reason" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"project_id" text NOT NULL,
	"description" text NOT NULL,
	"vip_address" text,
	"vip_port_id" text,
	"vip_subnet_id" text NOT NULL,
	"vip_network_id" text NOT NULL,
	"generation" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "members" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"admin_state_up" boolean NOT NULL,
	"tags" jsonb NOT NULL,
	"provisioning_status" text NOT NULL,
	"error_reason" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"load_balancer_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"pool_id" uuid NOT NULL,
	"address" text NOT NULL,
	"protocol_port" integer NOT NULL,
	"subnet_id" text,
	"weight" integer NOT NULL,
	"backup" boolean NOT NULL,
	"monitor_address" text,
	"monitor_port" integer
);
--> statement-breakpoint
CREATE TABLE "pools" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"admin_state_up" boolean NOT NULL,
	"tags" jsonb NOT NULL,
	"provisioning_status" text NOT NULL,
	"error_reason" text,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"load_balancer_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"description" text NOT NULL,
	"protocol" text NOT NULL,
	"lb_algorithm" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "operating_statuses" (
	"object_id" uuid PRIMARY KEY NOT NULL,
	"load_balancer_id" uuid NOT NULL,
	"status" text NOT NULL,
	"since" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "claims_entity" ON "claims" USING btree ("entity_id");--> statement-breakpoint
CREATE INDEX "commands_at" ON "commands" USING brin ("at");--> statement-breakpoint
CREATE INDEX "entities_due" ON "entities" USING btree ("shard") WHERE has_work or wake_at is not null;--> statement-breakpoint
CREATE INDEX "journal_at" ON "journal" USING brin ("at");--> statement-breakpoint
CREATE INDEX "amphorae_load_balancer" ON "amphorae" USING btree ("load_balancer_id");--> statement-breakpoint
CREATE INDEX "health_monitors_load_balancer" ON "health_monitors" USING btree ("load_balancer_id");--> statement-breakpoint
CREATE INDEX "listeners_load_balancer" ON "listeners" USING btree ("load_balancer_id");--> statement-breakpoint
CREATE INDEX "members_load_balancer" ON "members" USING btree ("load_balancer_id");--> statement-breakpoint
CREATE INDEX "members_pool" ON "members" USING btree ("pool_id");--> statement-breakpoint
CREATE INDEX "pools_load_balancer" ON "pools" USING btree ("load_balancer_id");--> statement-breakpoint
CREATE INDEX "operating_statuses_load_balancer" ON "operating_statuses" USING btree ("load_balancer_id");