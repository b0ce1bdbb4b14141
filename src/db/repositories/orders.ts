// Orders of operators to the whole cluster, in force and past. Nodes see those in force when they look at the cluster, and are
// told to look at once.
import type { Pool } from 'pg';
import type { NewOrder, Order, PastOrder } from '../../domain/cluster/orders.ts';
import { clusterChannel } from '../ownership.ts';

const sameScope = 'kind = $1 and scope = $2 and name is not distinct from $3';
const notify = `select pg_notify('${clusterChannel}', '')`;

/** Puts an order in force, in place of one that is in force for the same. */
export async function giveOrder(pool: Pool, { kind, scope, name, reason, by, seconds }: NewOrder): Promise<void> {
  await pool.query(
    `with before as (
       update operator_orders set ends_at = now(), ended_by = $5 where ${sameScope} and (ends_at is null or ends_at > now())),
     given as (
       insert into operator_orders (kind, scope, name, reason, given_by, ends_at)
       values ($1, $2, $3, $4, $5, now() + $6 * interval '1 second') returning id)
     ${notify} from given`,
    [kind, scope, name, reason, by, seconds],
  );
}

/** Takes an order back. False when none of the kind is in force there. */
export async function endOrder(
  pool: Pool,
  { kind, scope, name, by }: Pick<Order, 'kind' | 'scope' | 'name' | 'by'>,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `with ended as (
       update operator_orders set ends_at = now(), ended_by = $4
       where ${sameScope} and (ends_at is null or ends_at > now()) returning id)
     ${notify} from ended`,
    [kind, scope, name, by],
  );
  return rowCount !== 0;
}

/** Newest first, at most so many; those in force, or all that were ever given. */
export async function listOrders(pool: Pool, isHistory: boolean, limit = 1_000): Promise<readonly PastOrder[]> {
  const { rows } = await pool.query<Row>(
    `select kind, scope, name, reason, given_by, given_at, ends_at, ended_by from operator_orders
     where $1 or ends_at is null or ends_at > now() order by id desc limit $2`,
    [isHistory, limit],
  );
  return rows.map((row) => ({
    kind: row.kind,
    scope: row.scope,
    name: row.name,
    reason: row.reason,
    by: row.given_by,
    since: row.given_at.toISOString(),
    until: row.ends_at?.toISOString() ?? null,
    endedBy: row.ended_by,
  }));
}

interface Row extends Pick<Order, 'kind' | 'scope' | 'name' | 'reason'> {
  readonly given_by: string;
  readonly given_at: Date;
  readonly ends_at: Date | null;
  readonly ended_by: string | null;
}
