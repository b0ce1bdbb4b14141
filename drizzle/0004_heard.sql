CREATE TABLE "heard_amphorae" (
	"amphora_id" uuid PRIMARY KEY NOT NULL,
	"digest" text NOT NULL
);
