// Whether a long journal costs a create anything: the same appends on a database whose journal is empty and on one whose
// journal holds millions of entries of three months, in turns, so that what else the machine does meets both alike.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import pg from 'pg';
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '../src/db/embedded-postgres.ts';
import { Journal } from '../src/db/journal.ts';
import { migrate } from '../src/db/migrate.ts';
import { shardOf } from '../src/domain/ids.ts';
import { createEntries } from './journal/entries.ts';
import { dropOld, fill, sizes } from './journal/past.ts';
import { cpuMsOf, quantile } from './processes.ts';

interface Options {
  readonly events: number;
  readonly creates: number;
  readonly rounds: number;
}

/** Creates under way at the same time. */
const concurrency = 10;

interface Side {
  readonly pool: pg.Pool;
  readonly journal: Journal;
  readonly owner: string;
  /** The server's process that does everything for this side. */
  readonly pid: number;
  cpuMs: number;
  loadCpuMs: number;
  readonly createMs: number[];
}

export function journalCommand(): Command {
  return new Command('journal')
    .description(
      'Server CPU and time of a create with an empty journal and with N entries, and of dropping a partition. A create is what the ' +
        'Journal class does for a plain load balancer: two loads and nine appends, group commit on, default durability',
    )
    .option('--events <n>', 'entries of 90 days, 100 an entity', Number, 10_000_000)
    .option('--creates <n>', 'creates of a round', Number, 200)
    .option('--rounds <n>', 'rounds on each side, in turns', Number, 10)
    .action(async (options: Options) => {
      process.stdout.write(`${JSON.stringify(await measure(options))}\n`);
    });
}

async function measure(options: Options): Promise<Record<string, unknown>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'amphi-bench-'));
  try {
    const { url } = await startEmbeddedPostgres({ dataDir, log: () => undefined });
    const [empty, full] = [await openSide(url, 'journal_empty'), await openSide(url, 'journal_full')];
    try {
      return await compare(empty, full, options);
    } finally {
      await Promise.all([empty, full].map(({ pool }) => pool.end()));
    }
  } finally {
    await removeEmbeddedPostgres(dataDir);
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function openSide(server: string, database: string): Promise<Side> {
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`create database ${database}`);
  await admin.end();
  const url = new URL(server);
  url.pathname = `/${database}`;
  await migrate(url.href);
  // One connection, so one process of the server.
  const pool = new pg.Pool({ connectionString: url.href, max: 1, idleTimeoutMillis: 0 });
  // The server may end before its last word has come.
  pool.on('error', () => undefined);
  const owner = randomUUID();
  await pool.query('update shards set owner = $1, epoch = 1', [owner]);
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
  return { pool, journal: new Journal(pool), owner, pid: rows[0]?.pid ?? 0, cpuMs: 0, loadCpuMs: 0, createMs: [] };
}

async function compare(
  empty: Side,
  full: Side,
  { events, creates, rounds }: Options,
): Promise<Record<string, unknown>> {
  const startedAt = performance.now();
  await fill(full.pool, events);
  const fillSeconds = (performance.now() - startedAt) / 1000;
  const tables = await sizes(full.pool);
  // Both sides get warm before it counts.
  for (const side of [empty, full]) await round(side, creates, false);
  for (let count = 0; count < rounds; count++) {
    for (const side of count % 2 === 0 ? [empty, full] : [full, empty]) await round(side, creates, true);
  }
  const figures = (side: Side) => ({
    server_cpu_ms: rounded(side.cpuMs / (creates * rounds)),
    p50_ms: rounded(quantile(side.createMs, 0.5)),
    p99_ms: rounded(quantile(side.createMs, 0.99)),
    load_server_cpu_ms: rounded(side.loadCpuMs / (creates * rounds)),
  });
  return {
    events,
    creates: creates * rounds,
    empty: figures(empty),
    full: figures(full),
    ratio: {
      server_cpu: rounded(full.cpuMs / empty.cpuMs),
      p50: rounded(quantile(full.createMs, 0.5) / quantile(empty.createMs, 0.5)),
      load_server_cpu: rounded(full.loadCpuMs / empty.loadCpuMs),
    },
    tables,
    fill_s: rounded(fillSeconds),
    purge: await dropOld(full.pool),
  };
}

/** Creates, and then loads what was created as a node does that takes it over. */
async function round(side: Side, creates: number, isCounted: boolean): Promise<void> {
  const before = cpuMsOf([side.pid]);
  const ids: string[] = [];
  let begun = 0;
  const worker = async () => {
    while (begun++ < creates) {
      const startedAt = performance.now();
      ids.push(await createOne(side));
      if (isCounted) side.createMs.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const between = cpuMsOf([side.pid]);
  const loaded = await Promise.all(ids.map((id) => side.journal.load('loadBalancer', id)));
  if (loaded.some((one) => one?.entries.length !== 4)) throw new Error('a load balancer was not loaded whole');
  if (!isCounted) return;
  side.cpuMs += between - before;
  side.loadCpuMs += cpuMsOf([side.pid]) - between;
}

async function createOne({ journal, owner }: Side): Promise<string> {
  const [id, amphoraId] = [randomUUID(), randomUUID()];
  const fenceOf = (of: string) => ({ family: 'entities', shard: shardOf(of), node: owner, epoch: 1 });
  const exists = await Promise.all([journal.load('loadBalancer', id), journal.load('amphora', amphoraId)]);
  if (exists.some((one) => one !== undefined)) throw new Error('an entity is there before it was made');
  for (const entry of createEntries(id, amphoraId, fenceOf)) {
    const { type } = await journal.append(entry);
    if (type !== 'written') throw new Error(`an entry was not written: ${type}`);
  }
  return id;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
