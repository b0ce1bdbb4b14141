CREATE TABLE "held_failovers" (
	"amphora_id" uuid PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"why" text NOT NULL,
	"since" timestamp (3) with time zone DEFAULT now() NOT NULL
);
