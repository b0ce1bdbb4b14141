// What heartbeats tell. Not history: it can be lost and is learnt again within a heartbeat interval.
import { sql } from 'drizzle-orm';
import { index, integer, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';

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

/** Alarming statuses, open and past: one open row for an object, kept from the first alarm until it has been well for a while. */
export const alerts = pgTable(
  'alerts',
  {
    id: uuid().primaryKey().defaultRandom(),
    objectId: uuid('object_id').notNull(),
    kind: text().notNull(),
    loadBalancerId: uuid('load_balancer_id').notNull(),
    /** What it was called when it was alarming last; objects and their rows may be gone. */
    projectId: text('project_id').notNull(),
    name: text().notNull(),
    loadBalancerName: text('load_balancer_name').notNull(),
    /** Before it began. */
    oldStatus: text('old_status').notNull(),
    /** The worst since. */
    status: text().notNull(),
    reason: text().notNull(),
    since: moment('since').notNull().defaultNow(),
    /** How often it has become alarming. */
    times: integer().notNull().default(1),
    /** Since when all is well again; null while it is not. */
    wellSince: moment('well_since'),
    clearedAt: moment('cleared_at'),
  },
  (table) => [
    uniqueIndex('alerts_open').on(table.objectId).where(sql`cleared_at is null`),
    index('alerts_since').on(table.since),
    index('alerts_load_balancer').on(table.loadBalancerId, table.since),
    index('alerts_cleared').on(table.clearedAt).where(sql`cleared_at is not null`),
  ],
);
