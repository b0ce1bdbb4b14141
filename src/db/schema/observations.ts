// What heartbeats tell. Not history: it can be lost and is learnt again within a heartbeat interval.
import { index, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';

const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

export const operatingStatuses = pgTable(
  'operating_statuses',
  {
    objectId: uuid('object_id').primaryKey(),
    loadBalancerId: uuid('load_balancer_id').notNull(),
    status: text().notNull(),
    since: moment('since').notNull().defaultNow(),
  },
  (table) => [index('operating_statuses_load_balancer').on(table.loadBalancerId)],
);

/** Amphorae that are silent and not failed over, and why. */
export const heldFailovers = pgTable('held_failovers', {
  amphoraId: uuid('amphora_id').primaryKey(),
  kind: text().notNull(),
  why: text().notNull(),
  since: moment('since').notNull().defaultNow(),
});

/** What an amphora said last of its load balancer, as far as the statuses show it: whoever comes next need not ask again. */
export const heardAmphorae = pgTable('heard_amphorae', {
  amphoraId: uuid('amphora_id').primaryKey(),
  /** Of the statuses in its heartbeat. */
  digest: text().notNull(),
});
