// The journal's partitions, one for each week (Monday to Monday, UTC): made ahead of their time, listed, dropped. What no
// week is there for goes to the default partition, so an append never fails for want of one.
import type { ClientBase, Pool } from 'pg';
import { lockClasses } from './lock-classes.ts';

export interface JournalPartition {
  readonly name: string;
  /** Milliseconds since the epoch; undefined: everything before `until`. */
  readonly from: number | undefined;
  /** The first moment that is not in it. */
  readonly until: number;
  readonly bytes: number;
}

type Database = Pick<ClientBase, 'query'> | Pick<Pool, 'query'>;

const weekMs = 7 * 86_400_000;
/** 1970 began on a Thursday. */
const firstMondayMs = 4 * 86_400_000;
/** For as long housekeeping may stand still; beyond that it has to move entries. */
const weeksAhead = 4;
/** Appends queue behind a change of partitions for no longer than this; then it is left for the next time. */
const lockTimeout = '500ms';
/** Two at a time would get in each other's way. Moving entries may take longer than other statements of a node. */
const serialised = `set local lock_timeout = '${lockTimeout}'; set local statement_timeout = '5min'; select pg_advisory_xact_lock(${lockClasses.migration}, 1);`;
const duplicateTable = '42P07';
const lockNotAvailable = '55P03';

const listSql = `
  select name, bytes, extract(epoch from substring(bound from $$FROM \\('([^']+)'\\)$$)::timestamptz) * 1000 as from,
         extract(epoch from substring(bound from $$TO \\('([^']+)'\\)$$)::timestamptz) * 1000 as until
  from (select c.relname as name, pg_total_relation_size(c.oid) as bytes, pg_get_expr(c.relpartbound, c.oid) as bound
        from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'journal'::regclass) partition
  where bound <> 'DEFAULT' order by until`;

/** All but the default one, oldest first. */
export async function journalPartitions(database: Database): Promise<readonly JournalPartition[]> {
  const { rows } = await database.query<Record<'name' | 'bytes' | 'from' | 'until', string | null>>(listSql);
  return rows.map(({ name, bytes, from, until }) => ({
    name: String(name),
    from: from === null ? undefined : Number(from),
    until: Number(until),
    bytes: Number(bytes),
  }));
}

/**
 * Makes partitions for this week and some ahead, on the database's clock, for weeks back to `since`, and for those whose
 * entries had to go to the default partition: these move. Idempotent. Each partition is one round trip and one transaction;
 * one that others' locks forbid, a backup's for instance, is left for the next time.
 *
 * @returns how many were made
 */
export async function makeJournalPartitions(database: Database, since = Number.POSITIVE_INFINITY): Promise<number> {
  const { rows } = await database.query<{ at: string }>(
    `select extract(epoch from now()) * 1000 as at
     union all (select distinct extract(epoch from date_trunc('week', at at time zone 'UTC')) * 1000 from journal_default)`,
  );
  const [now = 0, ...stray] = rows.map(({ at }) => mondayBefore(Number(at)));
  const wanted = new Set(stray);
  for (let week = mondayBefore(Math.min(now, since)); week <= now + weeksAhead * weekMs; week += weekMs) {
    wanted.add(week);
  }
  const existing = await journalPartitions(database);
  let made = 0;
  for (const week of wanted) {
    if (existing.some(({ from, until }) => week < until && (from === undefined || week >= from))) continue;
    if (await hasTakenEffect(database.query(partitionSql(week)))) made++;
  }
  return made;
}

function partitionSql(week: number): string {
  const [from, until] = [new Date(week).toISOString(), new Date(week + weekMs).toISOString()];
  const name = `journal_${from.slice(0, 10).replaceAll('-', '')}`;
  return `
    ${serialised}
    create table ${name} (like journal including defaults, primary key (kind, entity_id, seq));
    lock table journal_default in access exclusive mode;
    with strays as (delete from journal_default where at >= '${from}' and at < '${until}' returning *)
      insert into ${name} select * from strays;
    alter table journal attach partition ${name} for values from ('${from}') to ('${until}')`;
}

/** Drops a partition with all that is in it. @returns false when others' locks forbid it: to be repeated later */
export function dropJournalPartition(database: Database, { name }: JournalPartition): Promise<boolean> {
  return hasTakenEffect(database.query(`${serialised} drop table if exists ${name}`));
}

/** False when another process was faster, or holds locks for too long. */
async function hasTakenEffect(change: Promise<unknown>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (code === duplicateTable || code === lockNotAvailable) return false;
    throw error;
  }
}

function mondayBefore(at: number): number {
  return Math.floor((at - firstMondayMs) / weekMs) * weekMs + firstMondayMs;
}
