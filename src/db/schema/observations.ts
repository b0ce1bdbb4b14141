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
