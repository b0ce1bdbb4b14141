// A database of its own for each test file, cloned from one that was migrated once. All files of a run share one real
// PostgreSQL: the first that wants it starts it, global-teardown.js stops it.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/db/embedded-postgres.ts';
import { existingFolder } from '../../src/db/embedded-postgres/place.ts';
import { migrate } from '../../src/db/migrate.ts';
import { waitFor } from './wait-for.ts';

export interface TestDatabase {
  readonly url: string;
  /** Removes the database. @throws Error when connections to it are still open: a test has to close what it opens. */
  drop(): Promise<void>;
}

/** A migrated, otherwise empty database. The caller drops it; most test files want `useTestDatabase`. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = await sharedServer();
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administer(server, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  return { url: withDatabase(server, name), drop: () => dropDatabase(server, name) };
}

/** Makes a database before the tests of a file and drops it after them. Call it at the top level; `url` is there in tests. */
export function useTestDatabase(): { readonly url: string } {
  let created: TestDatabase | undefined;
  beforeAll(async () => {
    created = await createTestDatabase();
  });
  afterAll(() => created?.drop());
  return {
    get url() {
      if (created === undefined) throw new Error('the test database exists in tests and hooks only');
      return created.url;
    },
  };
}

/** Has each test begin with a database as it was migrated: without owners and work of the test before. */
export function emptyBeforeEach(database: { readonly url: string }): void {
  beforeEach(async () => {
    const kept = `'deployment', 'shards'`;
    const tables = await administer(
      database.url,
      `SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
         AND NOT relispartition AND relname NOT IN (${kept})`,
    );
    await administer(database.url, `TRUNCATE ${tables.flat().join()}`);
    await administer(database.url, 'UPDATE shards SET owner = NULL WHERE owner IS NOT NULL');
  });
}

const template = 'migrated';

async function dropDatabase(server: string, name: string): Promise<void> {
  const left = async (): Promise<string[]> => {
    const sql = `SELECT coalesce(nullif(query, ''), 'no query yet') FROM pg_stat_activity WHERE datname = '${name}'`;
    return (await administer(server, sql)).flat() as string[];
  };
  // A connection that was just closed may take a moment to leave the list.
  const open = await waitFor(async () => ((await left()).length === 0 ? ['none'] : undefined), {
    timeoutMs: 2000,
    describe: 'connections to end',
  }).catch(left);
  await administer(server, `DROP DATABASE ${name} WITH (FORCE)`);
  if (open[0] !== 'none') throw new Error(`connections left open, their last queries: ${open.join('; ')}`);
}

async function sharedServer(): Promise<string> {
  const folder = process.env['AMPHI_TEST_RUN_FOLDER'];
  if (folder === undefined)
    throw new Error('AMPHI_TEST_RUN_FOLDER is missing: run the tests with jest of this project');
  const ready = join(folder, 'postgres.url');
  const failed = join(folder, 'postgres.error');
  if (claim(join(folder, 'postgres.claim'))) {
    try {
      writeWhole(ready, await startShared(folder));
    } catch (error) {
      writeWhole(failed, (error as Error).message);
      throw error;
    }
  }
  await waitFor(() => existsSync(ready) || existsSync(failed), {
    timeoutMs: 55_000,
    describe: 'the shared PostgreSQL',
  });
  if (existsSync(failed)) throw new Error(`the shared PostgreSQL did not start: ${readFileSync(failed, 'utf8')}`);
  return readFileSync(ready, 'utf8');
}

/** Whether this caller is the first. */
function claim(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

function writeWhole(file: string, content: string): void {
  writeFileSync(`${file}.part`, content, { mode: 0o600 });
  renameSync(`${file}.part`, file);
}

async function startShared(folder: string): Promise<string> {
  const dataDir = join(folder, 'postgres');
  // Nobody needs this data after a power cut.
  const settings = { fsync: 'off', full_page_writes: 'off', max_connections: '200' };
  const { url, pid } = await startEmbeddedPostgres({ dataDir, settings, log: () => undefined });
  writeWhole(join(folder, 'postgres.json'), JSON.stringify({ pid, folder: existingFolder(dataDir) }));
  await administer(url, `CREATE DATABASE ${template}`);
  await migrate(withDatabase(url, template));
  return url;
}

function withDatabase(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

async function administer(server: string, sql: string): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}
