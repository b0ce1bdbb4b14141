// What the journal takes to be the case, for a comparison with the world after a restore.
import type { Pool } from 'pg';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import type { JournalAmphora, JournalLoadBalancer, RestoreInput } from '../../domain/restore/compare.ts';
import type { AmphoraStatus } from '../../domain/statuses.ts';

/** `instances`: ids of amphorae that have one. */
export async function journalledWorld(
  pool: Pool,
  instances: readonly AmphoraId[],
): Promise<Omit<RestoreInput, 'instances'>> {
  const amphorae = await pool.query<{
    id: AmphoraId;
    status: AmphoraStatus;
    load_balancer_ids: readonly LoadBalancerId[];
    compute_id: string | null;
  }>(`select id, status, array_remove(load_balancer_id || other_load_balancer_ids, null) as load_balancer_ids, compute_id
    from amphorae order by created_at, id`);
  const deleted = await pool.query<{ id: AmphoraId }>(
    `select id from entities where kind = 'amphora' and is_over and id = any($1::uuid[])`,
    [instances],
  );
  const loadBalancers = await pool.query<JournalLoadBalancer & { id: LoadBalancerId }>(
    'select id, name from load_balancers order by created_at, id',
  );
  return {
    amphorae: amphorae.rows.map(
      (row): JournalAmphora => ({
        id: row.id,
        status: row.status,
        loadBalancerIds: row.load_balancer_ids,
        computeId: row.compute_id,
      }),
    ),
    deleted: new Set(deleted.rows.map(({ id }) => id)),
    loadBalancers: loadBalancers.rows,
  };
}
