// Amphorae that are there, for whoever starts to watch them.
import type { Pool } from 'pg';
import type { AmphoraKind } from '../../domain/amphora/kind.ts';
import type { AmphoraFacts } from '../../domain/amphora/facts.ts';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import type { AmphoraStatus } from '../../domain/statuses.ts';

/** What the table for reading shows of every amphora that is not deleted. */
export async function allAmphorae(pool: Pool): Promise<ReadonlyMap<AmphoraId, AmphoraFacts>> {
  const { rows } = await pool.query<{
    id: AmphoraId;
    status: AmphoraStatus;
    load_balancer_id: LoadBalancerId | null;
    controllers: readonly string[];
    kind: AmphoraKind | null;
    host: string | null;
  }>('select id, status, load_balancer_id, controllers, kind, host from amphorae');
  return new Map(
    rows.map(({ id, status, load_balancer_id: loadBalancerId, controllers, kind, host }) => [
      id,
      {
        status,
        loadBalancerId,
        bootFailure: null,
        controllers,
        ...(kind !== null && { kind }),
        ...(host !== null && { host }),
      },
    ]),
  );
}

/** Of the ids given, those of amphorae that the journal knows and that are not deleted. */
export async function knownAmphorae(pool: Pool, ids: readonly AmphoraId[]): Promise<ReadonlySet<AmphoraId>> {
  const { rows } = await pool.query<{ id: AmphoraId }>(
    `select id from entities where kind = 'amphora' and id = any($1::uuid[]) and not is_over`,
    [ids],
  );
  return new Set(rows.map((row) => row.id));
}
