// Amphorae that are there, for whoever starts to watch them.
import type { Pool } from 'pg';
import type { AmphoraKind } from '../../domain/amphora/kind.ts';
import type { AmphoraFacts } from '../../domain/amphora/facts.ts';
import type { Sharing } from '../../domain/amphora/sharing.ts';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import type { AmphoraStatus } from '../../domain/statuses.ts';

/** Rows that are read at once: the event loop turns between two pages. */
const pageSize = 2_000;

/** What the table for reading shows of every amphora that is not deleted, in pages. Each sees the table as it is by then. */
export async function* allAmphorae(pool: Pool): AsyncGenerator<readonly (readonly [AmphoraId, AmphoraFacts])[]> {
  for (let after: string | null = null; ; ) {
    const { rows }: { rows: readonly Row[] } = await pool.query<Row>({
      name: 'all_amphorae',
      text: `select id, status, load_balancer_id, other_load_balancer_ids, sharing, controllers, kind, host, cached_zone from amphorae
        where $1::uuid is null or id > $1 order by id limit $2`,
      values: [after, pageSize],
    });
    yield rows.map((row) => [row.id, factsIn(row)]);
    if (rows.length < pageSize) return;
    after = rows.at(-1)?.id ?? null;
  }
}

const nobody: readonly LoadBalancerId[] = [];

interface Row {
  readonly id: AmphoraId;
  readonly status: AmphoraStatus;
  readonly load_balancer_id: LoadBalancerId | null;
  readonly other_load_balancer_ids: readonly LoadBalancerId[];
  readonly sharing: Sharing | null;
  readonly controllers: readonly string[];
  readonly kind: AmphoraKind | null;
  readonly host: string | null;
  readonly cached_zone: string | null;
}

function factsIn(row: Row): AmphoraFacts {
  const { status, load_balancer_id: first, other_load_balancer_ids: others, sharing, controllers, kind, host } = row;
  const zone = row.cached_zone ?? kind?.computeZone ?? null;
  return {
    status,
    loadBalancerIds: first === null ? nobody : others.length === 0 ? [first] : [first, ...others],
    bootFailure: null,
    controllers,
    ...(sharing !== null && { sharing }),
    ...(kind !== null && { kind }),
    ...(host !== null && { host }),
    ...(zone !== null && { zone }),
  };
}

/** Of the ids given, those of amphorae that the journal knows and that are not deleted. */
export async function knownAmphorae(pool: Pool, ids: readonly AmphoraId[]): Promise<ReadonlySet<AmphoraId>> {
  const { rows } = await pool.query<{ id: AmphoraId }>(
    `select id from entities where kind = 'amphora' and id = any($1::uuid[]) and not is_over`,
    [ids],
  );
  return new Set(rows.map((row) => row.id));
}
