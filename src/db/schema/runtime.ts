// Tables of the runtime: who owns what, the journal, and what stands beside it.
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';

const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

/** One row: the id that everything made outside the database carries. */
export const deployment = pgTable('deployment', {
  id: uuid().primaryKey(),
  createdAt: moment('created_at').notNull().defaultNow(),
  /** Why nodes only look and change nothing; null while they work. */
  observing: text(),
  /** Rises as long as nodes run: one that has seen a higher one knows that the database went back in time. */
  mark: bigint({ mode: 'number' }).notNull().default(0),
});

/** Processes. `number` is the key of the advisory lock that a node's session holds while it lives. */
export const nodes = pgTable('nodes', {
  id: uuid().primaryKey(),
  number: integer().generatedAlwaysAsIdentity().unique(),
  roles: text().array().notNull(),
  /** Families of shards that it takes; none while it observes. */
  families: text().array().notNull().default([]),
  /** host:port of `/peer`. */
  address: text(),
  /** host:port that amphorae send heartbeats to; null when it listens to none. */
  heartbeatAddress: text('heartbeat_address'),
  /** `alike`: settings that all nodes must have alike, by name, a fingerprint each. `dataVersion`: of what it reads and writes. */
  settings: jsonb().notNull().default({}),
  version: text().notNull(),
  /** It gives its shards away and takes none. */
  isDraining: boolean('is_draining').notNull().default(false),
  /** When its present session began: what an absent lock proves depends on it. */
  sessionSince: moment('session_since').notNull().defaultNow(),
  startedAt: moment('started_at').notNull().defaultNow(),
  leaseUntil: moment('lease_until').notNull(),
  stoppedAt: moment('stopped_at'),
});

/** What operators have told the cluster: maintenance, and releases of failovers that were held. Never deleted. */
export const operatorOrders = pgTable(
  'operator_orders',
  {
    id: bigint({ mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
    kind: text().notNull(),
    scope: text().notNull(),
    /** Of the zone or host; null for the fleet. */
    name: text(),
    reason: text().notNull(),
    givenBy: text('given_by').notNull(),
    givenAt: moment('given_at').notNull().defaultNow(),
    /** In force until then; null until it is taken back. */
    endsAt: moment('ends_at'),
    endedBy: text('ended_by'),
  },
  (table) => [index('operator_orders_end').on(table.endsAt.desc().nullsFirst())],
);

/** Who owns a shard. `epoch` rises with every change of owner and fences the owners before. */
export const shards = pgTable(
  'shards',
  {
    family: text().notNull(),
    shard: smallint().notNull(),
    owner: uuid(),
    epoch: bigint({ mode: 'number' }).notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.family, table.shard] })],
);

/** One row per entity: how far its journal is, and whether it has work left. */
export const entities = pgTable(
  'entities',
  {
    kind: text().notNull(),
    id: uuid().notNull(),
    shard: smallint().notNull(),
    seq: bigint({ mode: 'number' }).notNull(),
    /** Deleted: no message is for it any more. */
    isOver: boolean('is_over').notNull(),
    /** Steps are under way: whoever takes the shard over must go on with it. */
    hasWork: boolean('has_work').notNull(),
    wakeAt: moment('wake_at'),
    /** Steps running and waiting, for operators. */
    work: jsonb(),
    /** Why the actor itself was given up; null while it is sound. */
    fault: text(),
    /** The entries it is recovered from lie between these two times. */
    since: moment('since').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.id] }),
    index('entities_due').on(table.shard).where(sql`has_work or wake_at is not null`),
  ],
);

/**
 * What happened, for as long as `journal.retentionDays` says; never changed. Partitioned by weeks of `at`, which is more
 * than drizzle can say: see `journal-partitions.ts`. Each partition has a primary key of its own (kind, entity_id, seq).
 */
export const journal = pgTable('journal', {
  kind: text().notNull(),
  entityId: uuid('entity_id').notNull(),
  seq: bigint({ mode: 'number' }).notNull(),
  schemaVersion: smallint('schema_version').notNull(),
  events: jsonb().notNull(),
  node: uuid().notNull(),
  epoch: bigint({ mode: 'number' }).notNull(),
  commandId: text('command_id'),
  at: moment('at').notNull().defaultNow(),
});

export const snapshots = pgTable(
  'snapshots',
  {
    kind: text().notNull(),
    entityId: uuid('entity_id').notNull(),
    seq: bigint({ mode: 'number' }).notNull(),
    schemaVersion: smallint('schema_version').notNull(),
    state: jsonb().notNull(),
    at: moment('at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.entityId] })],
);

/** What only one entity may hold. */
export const claims = pgTable(
  'claims',
  {
    kind: text().notNull(),
    value: text().notNull(),
    entityId: uuid('entity_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.kind, table.value] }), index('claims_entity').on(table.entityId)],
);

/** Limits of projects that have some of their own; null where the default holds, -1 for none. */
export const quotas = pgTable('quotas', {
  projectId: text('project_id').primaryKey(),
  loadBalancer: integer('load_balancer'),
  listener: integer(),
  pool: integer(),
  member: integer(),
  healthMonitor: integer('health_monitor'),
  l7Policy: integer('l7_policy'),
  l7Rule: integer('l7_rule'),
});

/** Answers to commands, refusals too, for as long as `commands.retentionHours` says. */
export const commands = pgTable(
  'commands',
  {
    id: text().primaryKey(),
    entityId: uuid('entity_id').notNull(),
    /** SHA-256 of the parameters. */
    digest: text().notNull(),
    answer: jsonb().notNull(),
    at: moment('at').notNull().defaultNow(),
  },
  (table) => [index('commands_at').using('brin', table.at)],
);
