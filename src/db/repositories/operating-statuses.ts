// Operating statuses, written in batches. Rows keep since when a status holds. Alerts that follow are opened in the same statement,
// so that none is lost or opened twice, whichever node writes.
import type { Pool } from 'pg';
import type { Alarm } from '../../domain/load-balancer/alarms.ts';
import type { AlertChange } from '../../domain/alert-views.ts';
import { type AlertRow, alertView } from './alerts.ts';

export interface ObservedStatus {
  readonly objectId: string;
  readonly loadBalancerId: string;
  readonly status: string;
  /** How an operator is to take it; undefined for what alerts are not about. */
  readonly alarm: Alarm | undefined;
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

/** Removes those of objects that are gone from load balancers that are there, a batch at most. Gives how many. */
export async function purgeOperatingStatuses(pool: Pool): Promise<number> {
  const { rowCount } = await pool.query(
    `delete from operating_statuses where object_id = any(array(
       select s.object_id from operating_statuses s where not exists (
         select from load_balancers o where o.id = s.object_id union all select from listeners o where o.id = s.object_id
         union all select from pools o where o.id = s.object_id union all select from members o where o.id = s.object_id
         union all select from health_monitors o where o.id = s.object_id
         union all select from l7_policies o where o.id = s.object_id
         union all select from l7_rules o where o.id = s.object_id)
       limit 10000))`,
  );
  return rowCount ?? 0;
}

const writeText = `
  with noted as (
    insert into heard_amphorae (amphora_id, digest) select * from unnest($4::uuid[], $5::text[])
    on conflict (amphora_id) do update set digest = excluded.digest
  ), observed as (
    select o.*, lb.project_id, lb.name as load_balancer_name
    from unnest($1::uuid[], $2::uuid[], $3::text[], $6::text[], $7::text[], $8::text[])
      as o (object_id, load_balancer_id, status, kind, verdict, reason)
    join load_balancers lb on lb.id = o.load_balancer_id
  ), written as (
    insert into operating_statuses (object_id, load_balancer_id, status)
    select object_id, load_balancer_id, status from observed
    on conflict (object_id) do update set status = excluded.status, since = now()
      where operating_statuses.status <> excluded.status
  ), bad as (
    select o.*, s.status as status_before, coalesce(
      case o.kind
        when 'loadBalancer' then o.load_balancer_name
        when 'listener' then (select l.name from listeners l where l.id = o.object_id)
        when 'pool' then (select p.name from pools p where p.id = o.object_id)
        when 'member' then (select coalesce(nullif(m.name, ''), m.address || ':' || m.protocol_port)
                            from members m where m.id = o.object_id)
      end, '') as name
    from observed o left join operating_statuses s on s.object_id = o.object_id
    where o.verdict = 'bad'
  ), before as (
    select a.object_id, a.status from alerts a join bad b on b.object_id = a.object_id where a.cleared_at is null
  ), raised as (
    insert into alerts as a
      (object_id, kind, load_balancer_id, project_id, name, load_balancer_name, old_status, status, reason)
    select object_id, kind, load_balancer_id, project_id, name, load_balancer_name,
      coalesce(status_before, 'OFFLINE'), status, reason
    from bad
    on conflict (object_id) where cleared_at is null do update set
      status = case when a.status = 'DEGRADED' then excluded.status else a.status end,
      reason = excluded.reason, times = a.times + (a.well_since is not null)::int, well_since = null
      where a.well_since is not null or a.status is distinct from excluded.status or a.reason <> excluded.reason
    returning a.*
  ), settling as (
    -- Time in which nobody speaks of it proves nothing: it settles from when it is heard to be well again.
    update alerts a set well_since = case o.verdict when 'well' then now() end from observed o
    where o.verdict in ('well', 'unknown') and a.object_id = o.object_id and a.cleared_at is null
      and (a.well_since is null) = (o.verdict = 'well')
  )
  select r.*, b.status as status_before from raised r left join before b on b.object_id = r.object_id
  where b.status is distinct from r.status`;

/**
 * Idempotent; a status that is the same already keeps its time. Statuses of load balancers that are gone are dropped. Gives the
 * alerts that were opened or have become worse; one that goes bad again before it was cleared is counted and not told anew.
 */
export async function writeOperatingStatuses(
  pool: Pool,
  statuses: readonly ObservedStatus[],
  heard: readonly HeardAmphora[],
): Promise<readonly AlertChange[]> {
  const { rows } = await pool.query<AlertRow & { readonly status_before: AlertRow['status'] | null }>({
    name: 'write_operating_statuses',
    text: writeText,
    values: [
      statuses.map(({ objectId }) => objectId),
      statuses.map(({ loadBalancerId }) => loadBalancerId),
      statuses.map(({ status }) => status),
      heard.map(({ amphoraId }) => amphoraId),
      heard.map(({ digest }) => digest),
      statuses.map(({ alarm }) => alarm?.kind ?? null),
      statuses.map(({ alarm }) => alarm?.verdict ?? null),
      statuses.map(({ alarm }) => alarm?.reason ?? null),
    ],
  });
  const at = new Date().toISOString();
  return rows.map((row) => {
    const { status, oldStatus, ...view } = alertView(row);
    const what = row.status_before === null ? 'opened' : 'worsened';
    return { what, ...view, oldStatus: row.status_before ?? oldStatus, newStatus: status, at };
  });
}
