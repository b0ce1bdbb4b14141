// Amphorae whose failover waits, and why, as the nodes that judge them have written it.
import type { Pool } from 'pg';
import type { HeldAmphora } from '../../domain/health/watchdog.ts';
import type { AmphoraId } from '../../domain/ids.ts';
import type { HeldFailoverView } from '../../domain/operator-views.ts';

export async function readHeld(pool: Pool): Promise<readonly HeldAmphora[]> {
  const { rows } = await pool.query<HeldAmphora>(`select amphora_id as "amphoraId", kind, why from held_failovers`);
  return rows;
}

/** Idempotent. What is held already keeps its time. */
export async function writeHeld(pool: Pool, put: readonly HeldAmphora[], drop: readonly AmphoraId[]): Promise<void> {
  await pool.query(
    `with dropped as (delete from held_failovers where amphora_id = any($4::uuid[]))
     insert into held_failovers (amphora_id, kind, why) select * from unnest($1::uuid[], $2::text[], $3::text[])
     on conflict (amphora_id) do update set kind = excluded.kind, why = excluded.why`,
    [put.map(({ amphoraId }) => amphoraId), put.map(({ kind }) => kind), put.map(({ why }) => why), drop],
  );
}

/** At most so many, those held longest first, and how many there are by kind of reason. */
export async function listHeld(
  pool: Pool,
  limit: number,
): Promise<{ readonly held: readonly HeldFailoverView[]; readonly counts: Readonly<Record<string, number>> }> {
  const from = `from held_failovers h join amphorae a on a.id = h.amphora_id where a.status in ('READY', 'ALLOCATED')`;
  const [{ rows }, counted] = await Promise.all([
    pool.query<Omit<HeldFailoverView, 'since'> & { readonly since: Date }>(
      `select a.id as "amphoraId", a.load_balancer_id as "loadBalancerId",
              a.other_load_balancer_ids as "otherLoadBalancerIds", a.host,
              coalesce(a.cached_zone, a.kind ->> 'computeZone') as zone, h.kind, h.why, h.since
       ${from} order by h.since, a.id limit $1`,
      [limit],
    ),
    pool.query<{ kind: string; count: number }>(`select h.kind, count(*)::int as count ${from} group by h.kind`),
  ]);
  return {
    held: rows.map((row) => ({ ...row, since: row.since.toISOString() })),
    counts: Object.fromEntries(counted.rows.map(({ kind, count }) => [kind, count])),
  };
}
