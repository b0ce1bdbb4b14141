// Views of amphorae and of nodes.
import type { Pool } from 'pg';
import type { AmphoraView } from '../../domain/views.ts';
import type { NodeView } from '../../domain/operator-views.ts';
import type { Queryable } from '../one-moment.ts';
import { isoTime, type JsonRow, viewOf } from './view.ts';

/** Whether the failover of the amphora `t` is held: it is silent, and may not be replaced now. */
const isHeld = `exists (select 1 from held_failovers h where h.amphora_id = t.id) and t.status in ('READY', 'ALLOCATED')`;

/** The status of the amphora `t` as Octavia has it. */
export const shownStatus = `case when ${isHeld} then 'FAILOVER_STOPPED' else t.status end`;

/** Whether the amphora `t` is that load balancer's, alone or with others. */
export function isOf(loadBalancerId: string, t = 't'): string {
  return `(${t}.load_balancer_id = ${loadBalancerId} or ${t}.other_load_balancer_ids @> array[${loadBalancerId}])`;
}

/** The row of the amphora `t` and what is known of it besides, as JSON. */
export const amphoraJson = `to_jsonb(t) || jsonb_build_object('status', ${shownStatus}, 'may_be_joined', t.sharing is not null, 'failover_held',
  case when ${isHeld} then (select why from held_failovers h where h.amphora_id = t.id) end)`;

const select = `select ${amphoraJson} as row from amphorae t`;

/** An amphora; undefined when it is not there, or deleted. */
export async function findAmphora(pool: Pool, id: string): Promise<AmphoraView | undefined> {
  const { rows } = await pool.query<{ row: JsonRow }>(`${select} where id = $1`, [id]);
  return rows[0] && viewOf(rows[0].row);
}

export interface AmphoraQuery {
  /** Null for all. */
  readonly loadBalancerId: string | null;
  readonly limit: number;
  readonly marker: string | null;
}

/** A page, oldest first. */
export async function listAmphorae(
  pool: Queryable,
  { loadBalancerId, limit, marker }: AmphoraQuery,
): Promise<readonly AmphoraView[]> {
  const text = `${select}
    where ($2::uuid is null or ${isOf('$2::uuid')})
      and ($3::uuid is null or (created_at, id) > (select m.created_at, m.id from amphorae m where m.id = $3))
    order by created_at, id limit $1`;
  const { rows } = await pool.query<{ row: JsonRow }>(text, [limit, loadBalancerId, marker]);
  return rows.map(({ row }) => viewOf(row));
}

/** Nodes that run, and those that stopped within the last day. */
export async function listNodes(pool: Pool): Promise<readonly NodeView[]> {
  const { rows } = await pool.query<NodeRow>(
    `select n.id, n.roles, n.address, n.heartbeat_address, n.version, n.started_at, n.lease_until, n.stopped_at,
            n.is_draining, owned.*
     from nodes n cross join lateral (
       select count(*) filter (where s.family = 'entities')::int as shards,
              count(*) filter (where s.family = 'health')::int as health_shards,
              coalesce(array_agg(s.family order by s.family) filter (where s.family not in ('entities', 'health')), '{}')
                as singletons
       from shards s where s.owner = n.id) owned
     where n.stopped_at is null or n.stopped_at > now() - interval '1 day'
     order by n.started_at`,
  );
  return rows.map((row) => ({
    id: row.id,
    roles: row.roles,
    version: row.version,
    address: row.address,
    heartbeatAddress: row.heartbeat_address,
    startedAt: isoTime(row.started_at),
    leaseUntil: isoTime(row.lease_until),
    stoppedAt: row.stopped_at === null ? null : isoTime(row.stopped_at),
    isDraining: row.is_draining,
    shards: row.shards,
    healthShards: row.health_shards,
    singletons: row.singletons,
  }));
}

interface NodeRow extends Pick<NodeView, 'id' | 'roles' | 'address' | 'version' | 'shards' | 'singletons'> {
  readonly heartbeat_address: string | null;
  readonly is_draining: boolean;
  readonly health_shards: number;
  readonly started_at: Date;
  readonly lease_until: Date;
  readonly stopped_at: Date | null;
}
