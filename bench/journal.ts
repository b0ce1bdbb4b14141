// Whether a long journal costs a create anything: creates load balancers on a database with an empty journal, with millions of
// entries of three months, and with these purged again, in one run and on one controller.
import { Command } from 'commander';
import type pg from 'pg';
import { dropJournalPartition, journalPartitions, makeJournalPartitions } from '../src/db/journal-partitions.ts';
import { benchCreates, type Measured } from './create.ts';
import { quantile } from './processes.ts';

interface Options {
  readonly events: number;
  readonly loadBalancers: number;
  readonly concurrency: number;
}

const days = 90;
const entriesPerEntity = 100;
const statementRows = 500_000;

export function journalCommand(): Command {
  return new Command('journal')
    .description(
      'What real creates (noop drivers, embedded PostgreSQL of its own) cost with an empty journal and with N entries, and purging them',
    )
    .option(
      '--events <n>',
      `entries of ${days} days, ${entriesPerEntity} an entity, some 300 bytes each on disk`,
      Number,
      10_000_000,
    )
    .option('--load-balancers <n>', 'how many are created and counted each time', Number, 300)
    .option('--concurrency <n>', 'how many are created at the same time', Number, 1)
    .action(async ({ events, loadBalancers, concurrency }: Options) => {
      await benchCreates({ loadBalancers, concurrency, tree: false, key: 'p256' })(async (run, database) => {
        const empty = await run();
        const fillSeconds = await fill(database, events);
        const tables = await sizes(database);
        const full = await run();
        const purge = await purgeAll(database);
        const purged = await run();
        const costs = { empty, full, purged };
        const figures = Object.entries(costs).map(([name, measured]) => [name, perCreate(measured, loadBalancers)]);
        const ratio = (of: (measured: Measured) => number) => round(of(full) / ((of(empty) + of(purged)) / 2));
        const line = {
          events,
          load_balancers: loadBalancers,
          concurrency,
          ...Object.fromEntries(figures),
          // Full over the mean of before and after.
          ratio: {
            server_cpu: ratio((measured) => measured.serverCpuMs),
            cpu: ratio((measured) => measured.cpuMs),
            accepted_p50: ratio((measured) =>
              quantile(
                measured.timings.map((timing) => timing.acceptedMs),
                0.5,
              ),
            ),
            active_p50: ratio((measured) =>
              quantile(
                measured.timings.map((timing) => timing.activeMs),
                0.5,
              ),
            ),
          },
          fill_s: round(fillSeconds),
          tables,
          purge,
        };
        process.stdout.write(`${JSON.stringify(line)}\n`);
      });
    });
}

function perCreate({ serverCpuMs, cpuMs, timings }: Measured, count: number): Record<string, number> {
  const p50 = (of: (timing: Measured['timings'][number]) => number) => round(quantile(timings.map(of), 0.5));
  return {
    server_cpu_ms: round(serverCpuMs / count),
    cpu_ms: round(cpuMs / count),
    accepted_p50_ms: p50((timing) => timing.acceptedMs),
    active_p50_ms: p50((timing) => timing.activeMs),
  };
}

/** Entries of entities that live through all the time, each with a snapshot that covers them. Gives seconds. */
async function fill(database: pg.Client, events: number): Promise<number> {
  const startedAt = performance.now();
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
    `insert into entities (kind, id, shard, seq, is_over, has_work, updated_at)
     select 'loadBalancer', md5('entity ' || g)::uuid, g % 256, ($2 - g - 1) / $1 + 1, false, false, now()
     from generate_series(0, $1::bigint - 1) g`,
    [entities, events],
  );
  await database.query(
    `insert into snapshots (kind, entity_id, seq, schema_version, state)
     select kind, id, seq, 1, '{}' from entities where not exists (select 1 from load_balancers l where l.id = entities.id)
       and id in (select md5('entity ' || g)::uuid from generate_series(0, $1::bigint - 1) g)`,
    [entities],
  );
  // Nothing of this shall be done by the server while it is measured.
  await database.query('vacuum (analyze) journal, entities, snapshots');
  await database.query('checkpoint');
  return (performance.now() - startedAt) / 1000;
}

async function sizes(database: pg.Client): Promise<Record<string, number>> {
  const { rows } = await database.query<{ entries: string; entities: string; snapshots: string }>(
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
async function purgeAll(database: pg.Client): Promise<Record<string, number>> {
  const old = (await journalPartitions(database)).filter(({ until }) => until < Date.now());
  const times: number[] = [];
  for (const partition of old) {
    const startedAt = performance.now();
    if (!(await dropJournalPartition(database, partition))) throw new Error(`${partition.name} could not be dropped`);
    times.push(performance.now() - startedAt);
  }
  await database.query('checkpoint');
  return {
    partitions: old.length,
    partition_ms_p50: round(quantile(times, 0.5)),
    partition_ms_max: round(Math.max(...times)),
  };
}

function mib(bytes: number): number {
  return round(bytes / 1024 / 1024);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
