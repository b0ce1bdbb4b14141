// Alerts after they were opened (`operating-statuses.ts` does that): clearing, reading, forgetting.
import type { Pool } from 'pg';
import type { AlarmedKind } from '../../domain/load-balancer/alarms.ts';
import type { AlertChange, AlertView } from '../../domain/alert-views.ts';
import { isoTime } from './view.ts';

export interface AlertRow {
  readonly id: string;
  readonly kind: AlarmedKind;
  readonly object_id: string;
  readonly name: string;
  readonly load_balancer_id: string;
  readonly load_balancer_name: string;
  readonly project_id: string;
  readonly old_status: AlertView['oldStatus'];
  readonly status: AlertView['status'];
  readonly reason: string;
  readonly since: Date;
  readonly times: number;
  readonly well_since: Date | null;
  readonly cleared_at: Date | null;
}

export interface AlertQuery {
  /** Null for all, as is `loadBalancerId`. */
  readonly projectId: string | null;
  readonly loadBalancerId: string | null;
  readonly isOpen: boolean;
  readonly limit: number;
  readonly marker: string | null;
}

export function alertView(row: AlertRow): AlertView {
  const { id, kind, name, reason, status, times } = row;
  return {
    id,
    kind,
    objectId: row.object_id,
    name,
    loadBalancerId: row.load_balancer_id,
    loadBalancerName: row.load_balancer_name,
    projectId: row.project_id,
    oldStatus: row.old_status,
    status,
    reason,
    since: isoTime(row.since),
    times,
    wellSince: row.well_since && isoTime(row.well_since),
    clearedAt: row.cleared_at && isoTime(row.cleared_at),
  };
}

/** A page, newest first. */
export async function listAlerts(pool: Pool, query: AlertQuery): Promise<readonly AlertView[]> {
  const { projectId, loadBalancerId, isOpen, limit, marker } = query;
  const { rows } = await pool.query<AlertRow>(
    `select * from alerts
     where ($2::text is null or project_id = $2) and ($3::uuid is null or load_balancer_id = $3)
       and (not $4 or cleared_at is null)
       and ($5::uuid is null or (since, id) < (select m.since, m.id from alerts m where m.id = $5))
     order by since desc, id desc limit $1`,
    [limit, projectId, loadBalancerId, isOpen, marker],
  );
  return rows.map(alertView);
}

export async function findAlert(pool: Pool, id: string): Promise<AlertView | undefined> {
  const { rows } = await pool.query<AlertRow>('select * from alerts where id = $1', [id]);
  return rows[0] && alertView(rows[0]);
}

/** Clears alerts of what has been well for that long, and of what is gone. Gives them. */
export async function clearAlerts(pool: Pool, settleSeconds: number): Promise<readonly AlertChange[]> {
  const { rows } = await pool.query<AlertRow & { readonly new_status: AlertChange['newStatus'] }>(
    `with due as (
       select a.id, s.status as new_status from alerts a
       left join operating_statuses s on s.object_id = a.object_id and exists (
         select from load_balancers o where o.id = a.object_id union all select from listeners o where o.id = a.object_id
         union all select from pools o where o.id = a.object_id union all select from members o where o.id = a.object_id)
       where a.cleared_at is null and (a.well_since < now() - $1 * interval '1 second' or s.status is null))
     update alerts a set cleared_at = now(), well_since = coalesce(a.well_since, now())
     from due d where a.id = d.id and a.cleared_at is null
     returning a.*, coalesce(d.new_status, 'DELETED') as new_status`,
    [settleSeconds],
  );
  const at = new Date().toISOString();
  return rows.map((row) => {
    const { status, ...view } = alertView(row);
    return { what: 'cleared', ...view, oldStatus: status, newStatus: row.new_status, at };
  });
}

/** Open ones by kind of object. */
export async function countOpenAlerts(pool: Pool): Promise<Readonly<Record<AlarmedKind, number>>> {
  const { rows } = await pool.query<{ readonly kind: AlarmedKind; readonly count: number }>(
    'select kind, count(*)::int as count from alerts where cleared_at is null group by kind',
  );
  const counts = { loadBalancer: 0, listener: 0, pool: 0, member: 0 };
  for (const { kind, count } of rows) counts[kind] = count;
  return counts;
}

/** Removes those that were cleared longer ago than `days`. Gives how many, a batch at most. */
export async function purgeAlerts(pool: Pool, days: number): Promise<number> {
  const { rowCount } = await pool.query(
    `delete from alerts where ctid = any(array(
       select ctid from alerts where cleared_at < now() - $1 * interval '1 day' limit 10000))`,
    [days],
  );
  return rowCount ?? 0;
}
