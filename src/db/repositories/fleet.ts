// Amphorae that are there, for whoever starts to watch them.
import type { Pool } from 'pg';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import type { AmphoraStatus } from '../../domain/statuses.ts';

export interface FleetRow {
  readonly id: AmphoraId;
  readonly status: AmphoraStatus;
  readonly loadBalancerId: LoadBalancerId | null;
}

export async function allAmphorae(pool: Pool): Promise<readonly FleetRow[]> {
  const { rows } = await pool.query<{ id: AmphoraId; status: AmphoraStatus; load_balancer_id: LoadBalancerId | null }>(
    'select id, status, load_balancer_id from amphorae',
  );
  return rows.map((row) => ({ id: row.id, status: row.status, loadBalancerId: row.load_balancer_id }));
}

/** Of the ids given, those of amphorae that the journal knows and that are not deleted. */
export async function knownAmphorae(pool: Pool, ids: readonly AmphoraId[]): Promise<ReadonlySet<AmphoraId>> {
  const { rows } = await pool.query<{ id: AmphoraId }>(
    `select id from entities where kind = 'amphora' and id = any($1::uuid[]) and not is_over`,
    [ids],
  );
  return new Set(rows.map((row) => row.id));
}
