// Statistics of listeners, and what projects used: written in batches, read as sums.
import type { Pool } from 'pg';
import { isOf } from './amphorae.ts';
import type { Counted } from '../../domain/statistics/accumulator.ts';
import type { Usage } from '../../domain/statistics/usage.ts';
import type { AmphoraStatisticsView, StatisticsView } from '../../domain/views.ts';

const writeText = `
  with counted as (
    select * from unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[], $7::int[], $8::bigint[], $9::bigint[])
      as c (listener_id, amphora_id, bytes_in, bytes_out, active_connections, total_connections, request_errors)
    where exists (select from listeners l where l.id = c.listener_id)
  ), first as (
    insert into statistics_batches as b (node_id, batch) values ($1, $2)
    on conflict (node_id) do update set batch = excluded.batch where b.batch < excluded.batch
    returning batch
  ), written as (
    insert into listener_statistics as s
      (listener_id, amphora_id, bytes_in, bytes_out, active_connections, total_connections, request_errors)
    select c.* from counted c, first
    order by c.listener_id, c.amphora_id
    on conflict (listener_id, amphora_id) do update set
      bytes_in = s.bytes_in + excluded.bytes_in, bytes_out = s.bytes_out + excluded.bytes_out,
      active_connections = excluded.active_connections,
      total_connections = s.total_connections + excluded.total_connections,
      request_errors = s.request_errors + excluded.request_errors, updated_at = now()
  )
  select lb.project_id as "projectId", sum(c.bytes_in)::float8 as "bytesIn", sum(c.bytes_out)::float8 as "bytesOut",
    sum(c.total_connections)::float8 as "totalConnections", sum(c.request_errors)::float8 as "requestErrors"
  from first, counted c join listeners l on l.id = c.listener_id join load_balancers lb on lb.id = l.load_balancer_id
  group by lb.project_id`;

/**
 * Adds a batch of a node to the sums, once: a number that is not above the node's last changes nothing and gives nothing. Gives what
 * projects used in it. Listeners that are gone are passed over.
 */
export async function writeStatistics(
  pool: Pool,
  nodeId: string,
  batch: number,
  rows: readonly Counted[],
): Promise<readonly Usage[]> {
  const column = <K extends keyof Counted>(key: K) => rows.map((row) => row[key]);
  const { rows: usages } = await pool.query<Usage>({
    name: 'write_statistics',
    text: writeText,
    values: [
      nodeId,
      batch,
      column('listenerId'),
      column('amphoraId'),
      column('bytesIn'),
      column('bytesOut'),
      column('activeConnections'),
      column('totalConnections'),
      column('requestErrors'),
    ],
  });
  return usages;
}

/** Adds to the hour that `at` is in. */
export async function addUsage(pool: Pool, usages: readonly Usage[], at: Date): Promise<void> {
  const column = <K extends keyof Usage>(key: K) => usages.map((usage) => usage[key]);
  await pool.query({
    name: 'add_usage',
    text: `
      insert into usage_hours as u (project_id, hour, bytes_in, bytes_out, total_connections, request_errors)
      select p, date_trunc('hour', $6::timestamptz, 'UTC'), i, o, c, e
      from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) as used (p, i, o, c, e)
      order by p
      on conflict (project_id, hour) do update set
        bytes_in = u.bytes_in + excluded.bytes_in, bytes_out = u.bytes_out + excluded.bytes_out,
        total_connections = u.total_connections + excluded.total_connections,
        request_errors = u.request_errors + excluded.request_errors`,
    values: [
      column('projectId'),
      column('bytesIn'),
      column('bytesOut'),
      column('totalConnections'),
      column('requestErrors'),
      at,
    ],
  });
}

/** Connections of amphorae that do not serve it any more are open no more. */
const sums = `
  coalesce(sum(s.bytes_in), 0)::float8 as "bytesIn", coalesce(sum(s.bytes_out), 0)::float8 as "bytesOut",
  coalesce(sum(s.active_connections) filter (where ${isOf('l.load_balancer_id', 'a')}), 0)::float8 as "activeConnections",
  coalesce(sum(s.total_connections), 0)::float8 as "totalConnections",
  coalesce(sum(s.request_errors), 0)::float8 as "requestErrors"`;

/** Of a listener, or of all listeners of a load balancer; zeros for one that is not there. */
export async function statisticsOf(pool: Pool, kind: 'loadBalancer' | 'listener', id: string): Promise<StatisticsView> {
  const { rows } = await pool.query<StatisticsView>(
    `select ${sums} from listeners l
     join listener_statistics s on s.listener_id = l.id left join amphorae a on a.id = s.amphora_id
     where ${kind === 'listener' ? 'l.id' : 'l.load_balancer_id'} = $1`,
    [id],
  );
  return rows[0] as StatisticsView;
}

/** An entry for each listener that the amphora has told of. */
export async function amphoraStatistics(pool: Pool, id: string): Promise<readonly AmphoraStatisticsView[]> {
  const { rows } = await pool.query<AmphoraStatisticsView>(
    `select s.listener_id as "listenerId", l.load_balancer_id as "loadBalancerId", ${sums} from listener_statistics s
     join listeners l on l.id = s.listener_id left join amphorae a on a.id = s.amphora_id
     where s.amphora_id = $1 group by s.listener_id, l.load_balancer_id order by s.listener_id`,
    [id],
  );
  return rows;
}

/** Removes sums of listeners that are gone, marks of nodes that are gone, and usage that is older than `usageDays`. */
export async function purgeStatistics(pool: Pool, usageDays: number): Promise<void> {
  await pool.query(
    'delete from listener_statistics s where not exists (select from listeners l where l.id = s.listener_id)',
  );
  await pool.query('delete from statistics_batches b where not exists (select from nodes n where n.id = b.node_id)');
  await pool.query(`delete from usage_hours where hour < now() - $1 * interval '1 day'`, [usageDays]);
}
