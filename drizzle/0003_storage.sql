ALTER TABLE "deployment" ADD COLUMN "mark" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
-- What is there already may have entries of any time; what nodes of either version make from now on begins when it is made.
ALTER TABLE "entities" ADD COLUMN "since" timestamp (3) with time zone DEFAULT '-infinity' NOT NULL;--> statement-breakpoint
ALTER TABLE "entities" ALTER COLUMN "since" SET DEFAULT now();--> statement-breakpoint
-- The journal becomes partitioned by weeks (UTC). No row is copied: the table of before becomes the oldest partition, or
-- goes when it is empty. Nodes of the version before go on appending and loading by the same name.
ALTER TABLE "journal" RENAME TO "journal_before";--> statement-breakpoint
ALTER TABLE "journal_before" RENAME CONSTRAINT "journal_kind_entity_id_seq_pk" TO "journal_before_pkey";--> statement-breakpoint
ALTER INDEX "journal_at" RENAME TO "journal_before_at";--> statement-breakpoint
CREATE TABLE "journal" (LIKE "journal_before" INCLUDING DEFAULTS) PARTITION BY RANGE ("at");--> statement-breakpoint
CREATE TABLE "journal_default" (LIKE "journal_before" INCLUDING DEFAULTS, PRIMARY KEY ("kind", "entity_id", "seq"));--> statement-breakpoint
ALTER TABLE "journal" ATTACH PARTITION "journal_default" DEFAULT;--> statement-breakpoint
DO $$
DECLARE
  newest timestamptz := (SELECT max("at") FROM "journal_before");
BEGIN
  IF newest IS NULL THEN
    DROP TABLE "journal_before";
  ELSE
    EXECUTE format('ALTER TABLE "journal" ATTACH PARTITION "journal_before" FOR VALUES FROM (MINVALUE) TO (%L)',
      (date_trunc('week', greatest(newest, now()) AT TIME ZONE 'UTC') + interval '7 days') AT TIME ZONE 'UTC');
  END IF;
END $$;--> statement-breakpoint
-- The version before deletes entries by ctid, which is ambiguous among partitions: its purge has to fail instead. Nobody
-- else deletes entries one by one.
CREATE FUNCTION "refuse_to_delete_entries"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the journal is purged by dropping partitions: no entry is deleted by itself';
END $$;--> statement-breakpoint
CREATE TRIGGER "journal_keeps_entries" BEFORE DELETE ON "journal" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_to_delete_entries"();--> statement-breakpoint
-- Rows that are updated all the time: room on their pages, so that an update stays there and touches no index (HOT), and
-- a vacuum before dead versions pile up.
ALTER TABLE "nodes" SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);--> statement-breakpoint
ALTER TABLE "shards" SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);--> statement-breakpoint
ALTER TABLE "entities" SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
