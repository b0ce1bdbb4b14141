CREATE TABLE "listener_statistics" (
	"listener_id" uuid NOT NULL,
	"amphora_id" uuid NOT NULL,
	"bytes_in" bigint NOT NULL,
	"bytes_out" bigint NOT NULL,
	"active_connections" integer NOT NULL,
	"total_connections" bigint NOT NULL,
	"request_errors" bigint NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "listener_statistics_listener_id_amphora_id_pk" PRIMARY KEY("listener_id","amphora_id")
);
--> statement-breakpoint
CREATE TABLE "statistics_batches" (
	"node_id" uuid PRIMARY KEY NOT NULL,
	"batch" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "usage_hours" (
	"project_id" text NOT NULL,
	"hour" timestamp (3) with time zone NOT NULL,
	"bytes_in" bigint NOT NULL,
	"bytes_out" bigint NOT NULL,
	"total_connections" bigint NOT NULL,
	"request_errors" bigint NOT NULL,
	CONSTRAINT "usage_hours_project_id_hour_pk" PRIMARY KEY("project_id","hour")
);
--> statement-breakpoint
CREATE INDEX "listener_statistics_amphora" ON "listener_statistics" USING btree ("amphora_id");