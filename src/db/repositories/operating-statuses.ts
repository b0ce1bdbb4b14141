// Operating statuses, written in batches. Rows keep since when a status holds.
import type { Pool } from 'pg';

export interface ObservedStatus {
  readonly objectId: string;
  readonly loadBalancerId: string;
  readonly status: string;
}

/** What an amphora had said when the statuses were derived. */
export interface HeardAmphora {
  readonly amphoraId: string;
  readonly digest: string;
}

/** Of these amphorae, what each had said when statuses were derived from it last. */
export async function heardBefore(pool: Pool, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { rows } = await pool.query<{ amphora_id: string; digest: string }>(
    'select amphora_id, digest from heard_amphorae where amphora_id = any($1::uuid[])',
    [ids],
  );
  return new Map(rows.map((row) => [row.amphora_id, row.digest]));
}

/** Idempotent; a status that is the same already keeps its time. Statuses of load balancers that are gone are dropped. */
export async function writeOperatingStatuses(
  pool: Pool,
  statuses: readonly ObservedStatus[],
  heard: readonly HeardAmphora[],
): Promise<void> {
  const text = `
    with noted as (
      insert into heard_amphorae (amphora_id, digest) select * from unnest($4::uuid[], $5::text[])
      on conflict (amphora_id) do update set digest = excluded.digest)
    insert into operating_statuses (object_id, load_balancer_id, status)
    select o, l, s from unnest($1::uuid[], $2::uuid[], $3::text[]) as observed (o, l, s)
    where exists (select 1 from load_balancers where id = l)
    on conflict (object_id) do update set status = excluded.status, since = now()
      where operating_statuses.status <> excluded.status`;
  const column = (key: keyof ObservedStatus) => statuses.map((status) => status[key]);
  await pool.query({
    name: 'write_operating_statuses',
    text,
    values: [
      column('objectId'),
      column('loadBalancerId'),
      column('status'),
      heard.map(({ amphoraId }) => amphoraId),
      heard.map(({ digest }) => digest),
    ],
  });
}
