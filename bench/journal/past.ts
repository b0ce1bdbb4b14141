// Three months of a journal, made by the server itself, and what becomes of it.
import type pg from 'pg';
import { dropJournalPartition, journalPartitions, makeJournalPartitions } from '../../src/db/journal-partitions.ts';
import { quantile } from '../processes.ts';

const days = 90;
const entriesPerEntity = 100;
const statementRows = 500_000;

/** Entries of entities that live through all the time, each with a snapshot that covers them. */
export async function fill(database: pg.Pool, events: number): Promise<void> {
  await makeJournalPartitions(database, Date.now() - days * 86_400_000);
  const entities = Math.max(1, Math.ceil(events / entriesPerEntity));
  for (let from = 0; from < events; from += statementRows) {
    await database.query(
      `insert into journal (kind, entity_id, seq, schema_version, events, node, epoch, at)
       select 'loadBalancer', md5('entity ' || g % $3)::uuid, g / $3 + 1, 1,
              jsonb_build_array(jsonb_build_object('type', 'stepStarted', 'key', 'push', 'run', g, 'at', g, 'deadlineAt', g)),
              md5('node')::uuid, 1, now() - (1 - g::float8 / $4) * $5 * interval '1 day'
       from generate_series($1::bigint, $2::bigint) g`,
      [from, Math.min(events, from + statementRows) - 1, entities, events, days],
    );
  }
  await database.query(
    `insert into entities (kind, id, shard, seq, is_over, has_work, since, updated_at)
     select 'loadBalancer', md5('entity ' || g)::uuid, g % 256, ($2 - g - 1) / $1 + 1, false, false, now(), now()
     from generate_series(0, $1::bigint - 1) g`,
    [entities, events],
  );
  await database.query(
    `insert into snapshots (kind, entity_id, seq, schema_version, state) select kind, id, seq, 1, '{}' from entities`,
  );
  // The server shall not do this while it is measured.
  await database.query('vacuum (analyze) journal, entities, snapshots');
  await database.query('checkpoint');
}

export async function sizes(database: pg.Pool): Promise<Record<string, number>> {
  const { rows } = await database.query<Record<'entries' | 'entities' | 'snapshots', string>>(
    `select (select count(*) from journal) as entries, pg_total_relation_size('entities') as entities,
            pg_total_relation_size('snapshots') as snapshots`,
  );
  const partitions = await journalPartitions(database);
  return {
    entries: Number(rows[0]?.entries),
    partitions: partitions.length,
    journal_mib: mib(partitions.reduce((sum, { bytes }) => sum + bytes, 0)),
    largest_partition_mib: mib(Math.max(...partitions.map(({ bytes }) => bytes))),
    entities_mib: mib(Number(rows[0]?.entities)),
    snapshots_mib: mib(Number(rows[0]?.snapshots)),
  };
}

/** Drops every partition that lies in the past, as the purge does. */
export async function dropOld(database: pg.Pool): Promise<Record<string, number>> {
  const old = (await journalPartitions(database)).filter(({ until }) => until < Date.now());
  const times: number[] = [];
  for (const partition of old) {
    const startedAt = performance.now();
    if (!(await dropJournalPartition(database, partition))) throw new Error(`${partition.name} could not be dropped`);
    times.push(performance.now() - startedAt);
  }
  return { partitions: old.length, p50_ms: Math.round(quantile(times, 0.5)), max_ms: Math.round(Math.max(...times)) };
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
