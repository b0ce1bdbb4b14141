// Operating statuses, written in batches. Rows keep since when a status holds.
import type { Pool } from 'pg';

export interface ObservedStatus {
  readonly objectId: string;
  readonly loadBalancerId: string;
  readonly status: string;
}

/** Idempotent; a status that is the same already keeps its time. Statuses of load balancers that are gone are dropped. */
export async function writeOperatingStatuses(pool: Pool, statuses: readonly ObservedStatus[]): Promise<void> {
  const text = `
    insert into operating_statuses (object_id, load_balancer_id, status)
    select o, l, s from unnest($1::uuid[], $2::uuid[], $3::text[]) as observed (o, l, s)
    where exists (select 1 from load_balancers where id = l)
    on conflict (object_id) do update set status = excluded.status, since = now()
      where operating_statuses.status <> excluded.status`;
  const column = (key: keyof ObservedStatus) => statuses.map((status) => status[key]);
  await pool.query({
    name: 'write_operating_statuses',
    text,
    values: [column('objectId'), column('loadBalancerId'), column('status')],
  });
}
