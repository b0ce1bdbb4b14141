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
