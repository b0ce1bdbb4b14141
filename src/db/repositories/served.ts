// What amphorae have accepted, as the table for reading shows it, in pages: for whoever looks whether they still hold it.
import type { Pool } from 'pg';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';

export interface ServedAmphora {
  readonly loadBalancerId: LoadBalancerId;
  readonly amphoraId: AmphoraId;
  readonly agentHost: string;
  readonly agentPort: number;
  /** Null where compute does not tell. */
  readonly zone: string | null;
  /** Of what it has accepted last; null when that was nothing. */
  readonly digest: string | null;
  readonly hasLvs: boolean;
}

const fromServed = `
  from load_balancers lb join entities e on e.kind = 'loadBalancer' and e.id = lb.id
  cross join lateral jsonb_each(lb.served) as s (amphora_id, held)
  join amphorae a on a.id = s.amphora_id::uuid and a.status = 'ALLOCATED' and a.agent_host is not null
  where lb.provisioning_status = 'ACTIVE'
    and e.shard in (select shard from shards where family = 'entities' and owner = $1::uuid)`;

/** Amphorae of load balancers of a node. */
export async function countServed(pool: Pool, node: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(`select count(*)::int as count ${fromServed}`, [node]);
  return rows[0]?.count ?? 0;
}

/** The next after that one, in order of their ids; from the first when null. */
export async function listServed(
  pool: Pool,
  node: string,
  after: ServedAmphora | null,
  limit: number,
): Promise<readonly ServedAmphora[]> {
  const { rows } = await pool.query<ServedAmphora>(
    `select lb.id as "loadBalancerId", a.id as "amphoraId", a.agent_host as "agentHost", a.agent_port as "agentPort",
            coalesce(a.cached_zone, a.kind ->> 'computeZone') as zone,
            held ->> 'digest' as digest, coalesce((held ->> 'hasLvs')::boolean, false) as "hasLvs"
     ${fromServed} and ($2::uuid is null or (lb.id, a.id) > ($2, $3::uuid))
     order by lb.id, a.id limit $4`,
    [node, after?.loadBalancerId ?? null, after?.amphoraId ?? null, limit],
  );
  return rows;
}
