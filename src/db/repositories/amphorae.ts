// Views of amphorae and of nodes.
import type { Pool } from 'pg';
import type { AmphoraView, NodeView } from '../../domain/views.ts';
import { isoTime, type JsonRow, viewOf } from './view.ts';

const select = 'select to_jsonb(t) as row from amphorae t';

/** An amphora; undefined when it is not there, or deleted. */
export async function findAmphora(pool: Pool, id: string): Promise<AmphoraView | undefined> {
  const { rows } = await pool.query<{ row: JsonRow }>(`${select} where id = $1`, [id]);
  return rows[0] && (viewOf(rows[0].row) as unknown as AmphoraView);
}

export interface AmphoraQuery {
  /** Null for all. */
  readonly loadBalancerId: string | null;
  readonly limit: number;
  readonly marker: string | null;
}

/** A page, oldest first. */
export async function listAmphorae(
  pool: Pool,
  { loadBalancerId, limit, marker }: AmphoraQuery,
): Promise<readonly AmphoraView[]> {
  const text = `${select}
    where ($2::uuid is null or load_balancer_id = $2)
      and ($3::uuid is null or (created_at, id) > (select m.created_at, m.id from amphorae m where m.id = $3))
    order by created_at, id limit $1`;
  const { rows } = await pool.query<{ row: JsonRow }>(text, [limit, loadBalancerId, marker]);
  return rows.map(({ row }) => viewOf(row) as unknown as AmphoraView);
}

/** Nodes that run, and those that stopped within the last day. */
export async function listNodes(pool: Pool): Promise<readonly NodeView[]> {
  const { rows } = await pool.query<NodeRow>(
    `select n.id, n.roles, n.address, n.version, n.started_at, n.lease_until, n.stopped_at,
            (select count(*)::int from shards s where s.owner = n.id and s.family = 'entities') as shards
     from nodes n where n.stopped_at is null or n.stopped_at > now() - interval '1 day'
     order by n.started_at`,
  );
  return rows.map(({ started_at: startedAt, lease_until: leaseUntil, stopped_at: stoppedAt, ...row }) => ({
    ...row,
    startedAt: isoTime(startedAt),
    leaseUntil: isoTime(leaseUntil),
    stoppedAt: stoppedAt === null ? null : isoTime(stoppedAt),
  }));
}

interface NodeRow extends Pick<NodeView, 'id' | 'roles' | 'address' | 'version' | 'shards'> {
  readonly started_at: Date;
  readonly lease_until: Date;
  readonly stopped_at: Date | null;
}
