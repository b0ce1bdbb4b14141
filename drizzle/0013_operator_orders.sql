CREATE TABLE "operator_orders" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "operator_orders_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"kind" text NOT NULL,
	"scope" text NOT NULL,
	"name" text,
	"reason" text NOT NULL,
	"given_by" text NOT NULL,
	"given_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"ends_at" timestamp (3) with time zone,
	"ended_by" text
);
--> statement-breakpoint
CREATE INDEX "operator_orders_end" ON "operator_orders" USING btree ("ends_at" DESC NULLS FIRST);