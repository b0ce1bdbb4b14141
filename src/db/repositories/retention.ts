// Removes what is older than the settings keep: answers to commands, partitions of the journal, and what is over. What an
// entity is recovered from is never removed: a partition goes once snapshots cover its entries.
import type { Pool } from 'pg';
import type { EntityKind } from '../../domain/entity.ts';
import {
  dropJournalPartition,
  type JournalPartition,
  journalPartitions,
  makeJournalPartitions,
} from '../journal-partitions.ts';

export interface Retention {
  readonly journalDays: number;
  readonly commandHours: number;
}

export interface Purged {
  readonly partitions: readonly string[];
  /** The oldest partition that is due and cannot go yet: snapshots are missing, or others hold locks. */
  readonly waiting: string | undefined;
  readonly commands: number;
  readonly entities: number;
  readonly nodes: number;
}

export interface UncoveredEntity {
  readonly kind: EntityKind;
  readonly id: string;
}

/** Rows of one statement: a purge must not hold locks for long. */
const batch = 10_000;

const uncovered = `
  from entities e left join snapshots s on s.kind = e.kind and s.entity_id = e.id
  where not e.is_over and coalesce(s.seq, 0) < e.seq
    and exists (select 1 from journal j where j.kind = e.kind and j.entity_id = e.id
                and j.at < $1::timestamptz and j.seq > coalesce(s.seq, 0))`;

/**
 * Entities of a node that are recovered from entries in partitions that are due to go: they are to write snapshots. Those
 * that were given up are left out: they can't.
 */
export async function uncoveredEntities(
  pool: Pool,
  node: string,
  journalDays: number,
  limit: number,
): Promise<readonly UncoveredEntity[]> {
  const newest = (await duePartitions(pool, journalDays)).at(-1);
  if (newest === undefined) return [];
  const { rows } = await pool.query<UncoveredEntity>(
    `select e.kind, e.id ${uncovered} and e.fault is null
       and e.shard in (select shard from shards where family = 'entities' and owner = $2::uuid) limit $3`,
    [new Date(newest.until).toISOString(), node, limit],
  );
  return rows;
}

/** Idempotent. Does one batch of each kind; the caller repeats until nothing is left. Makes coming partitions, too. */
export async function purge(pool: Pool, { journalDays, commandHours }: Retention): Promise<Purged> {
  await makeJournalPartitions(pool);
  const dropped = await dropDuePartitions(pool, journalDays);
  const commands = await pool.query(
    `delete from commands where ctid = any(array(
       select ctid from commands where at < now() - $1 * interval '1 hour' limit $2))`,
    [commandHours, batch],
  );
  const entities = await pool.query(
    `delete from entities where ctid = any(array(
       select e.ctid from entities e
       where e.is_over and e.updated_at < least(now() - $1 * interval '1 day', $3::timestamptz)
         and not exists (select 1 from journal j where j.kind = e.kind and j.entity_id = e.id)
       limit $2))`,
    [journalDays, batch, oldestKept(await journalPartitions(pool))],
  );
  const nodes = await pool.query(
    `delete from nodes n where stopped_at < now() - $1 * interval '1 day'
       and not exists (select 1 from shards s where s.owner = n.id)`,
    [journalDays],
  );
  await pool.query(
    'delete from heard_amphorae h where not exists (select 1 from amphorae a where a.id = h.amphora_id)',
  );
  await pool.query(
    'delete from held_failovers h where not exists (select 1 from amphorae a where a.id = h.amphora_id)',
  );
  return {
    ...dropped,
    commands: commands.rowCount ?? 0,
    entities: entities.rowCount ?? 0,
    nodes: nodes.rowCount ?? 0,
  };
}

/** Oldest first, and none before those that are older. */
async function dropDuePartitions(pool: Pool, journalDays: number): Promise<Pick<Purged, 'partitions' | 'waiting'>> {
  const partitions: string[] = [];
  for (const partition of await duePartitions(pool, journalDays)) {
    const until = new Date(partition.until).toISOString();
    // Only once, and for good: what is covered stays covered, and nothing more is written into the past.
    const { rowCount } = await pool.query(`select 1 ${uncovered} limit 1`, [until]);
    if (rowCount !== 0) return { partitions, waiting: partition.name };
    if (!(await dropJournalPartition(pool, partition))) return { partitions, waiting: partition.name };
    partitions.push(partition.name);
  }
  return { partitions, waiting: undefined };
}

async function duePartitions(pool: Pool, journalDays: number): Promise<readonly JournalPartition[]> {
  const { rows } = await pool.query<{ before: string }>(
    `select extract(epoch from now() - $1 * interval '1 day') * 1000 as before`,
    [journalDays],
  );
  return (await journalPartitions(pool)).filter(({ until }) => until <= Number(rows[0]?.before));
}

/** No entry is older. An entity that ended before has none left, so its partitions need not be looked through. */
function oldestKept([oldest]: readonly JournalPartition[]): string {
  return oldest?.from === undefined ? '-infinity' : new Date(oldest.from).toISOString();
}
