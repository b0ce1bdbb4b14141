// Removes what is older than the settings keep: answers to commands, and events that a snapshot or an end has made
// superfluous. What an entity is recovered from is never removed.
import type { Pool } from 'pg';

export interface Retention {
  readonly journalDays: number;
  readonly commandHours: number;
}

export interface Purged {
  readonly entries: number;
  readonly commands: number;
  readonly entities: number;
  readonly nodes: number;
}

/** Rows of one statement: a purge must not hold locks for long. */
const batch = 10_000;

/** Idempotent. Does one batch of each kind; the caller repeats until nothing is left. */
export async function purge(pool: Pool, { journalDays, commandHours }: Retention): Promise<Purged> {
  const entries = await pool.query(
    `delete from journal where ctid = any(array(
       select j.ctid from journal j
       join entities e on e.kind = j.kind and e.id = j.entity_id
       left join snapshots s on s.kind = j.kind and s.entity_id = j.entity_id
       where j.at < now() - $1 * interval '1 day' and (e.is_over or j.seq <= s.seq)
       limit $2))`,
    [journalDays, batch],
  );
  const commands = await pool.query(
    `delete from commands where ctid = any(array(
       select ctid from commands where at < now() - $1 * interval '1 hour' limit $2))`,
    [commandHours, batch],
  );
  const entities = await pool.query(
    `delete from entities where ctid = any(array(
       select e.ctid from entities e
       where e.is_over and e.updated_at < now() - $1 * interval '1 day'
         and not exists (select 1 from journal j where j.kind = e.kind and j.entity_id = e.id)
       limit $2))`,
    [journalDays, batch],
  );
  const nodes = await pool.query(
    `delete from nodes n where stopped_at < now() - $1 * interval '1 day'
       and not exists (select 1 from shards s where s.owner = n.id)`,
    [journalDays],
  );
  return {
    entries: entries.rowCount ?? 0,
    commands: commands.rowCount ?? 0,
    entities: entities.rowCount ?? 0,
    nodes: nodes.rowCount ?? 0,
  };
}
