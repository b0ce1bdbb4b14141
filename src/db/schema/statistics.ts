// What amphorae have counted. Sums: they only grow, and are gone with their listener.
import { bigint, index, integer, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';

const sum = (name: string) => bigint(name, { mode: 'number' }).notNull();
const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

export const listenerStatistics = pgTable(
  'listener_statistics',
  {
    listenerId: uuid('listener_id').notNull(),
    amphoraId: uuid('amphora_id').notNull(),
    /** From clients. */
    bytesIn: sum('bytes_in'),
    /** To clients. */
    bytesOut: sum('bytes_out'),
    /** As it was told last. */
    activeConnections: integer('active_connections').notNull(),
    totalConnections: sum('total_connections'),
    requestErrors: sum('request_errors'),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.listenerId, table.amphoraId] }),
    index('listener_statistics_amphora').on(table.amphoraId),
  ],
);

/** The last batch of statistics that each node has written: a batch whose answer was lost is not written twice. */
export const statisticsBatches = pgTable('statistics_batches', {
  nodeId: uuid('node_id').primaryKey(),
  batch: bigint({ mode: 'number' }).notNull(),
});

/** What projects used, by the hour. */
export const usageHours = pgTable(
  'usage_hours',
  {
    projectId: text('project_id').notNull(),
    /** When it began. */
    hour: moment('hour').notNull(),
    bytesIn: sum('bytes_in'),
    bytesOut: sum('bytes_out'),
    totalConnections: sum('total_connections'),
    requestErrors: sum('request_errors'),
  },
  (table) => [primaryKey({ columns: [table.projectId, table.hour] })],
);
