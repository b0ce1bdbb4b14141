import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  rmSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import {
  EmbeddedPostgresError,
  removeEmbeddedPostgres,
  startEmbeddedPostgres,
  stopEmbeddedPostgres,
} from '../../../src/db/embedded-postgres.ts';
import { existingFolder } from '../../../src/db/embedded-postgres/place.ts';
import { built } from '../../support/built.ts';
import { isRunning, processes } from '../../support/processes.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const start = processes();
const dataDirs: string[] = [];
const silent = (): void => undefined;
const byRoot = process.getuid?.() === 0;

// Before the folders that say where the data lies are removed: hooks run in the order they are given.
afterAll(() => Promise.all(dataDirs.map(removeEmbeddedPostgres)));
const root = tempFolder('postgres');

function newDataDir(name: string): string {
  const dataDir = join(root, name);
  dataDirs.push(dataDir);
  return dataDir;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

function occupiedPort(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve({ server, port: (server.address() as { port: number }).port })),
  );
}

describe('the embedded PostgreSQL', () => {
  test('starts in a folder that nobody else may enter, durable, on loopback only, and comes back with its data', async () => {
    const dataDir = newDataDir('fresh');
    const first = await startEmbeddedPostgres({ dataDir, log: silent });
    expect(first.adopted).toBe(false);
    expect(await query(first.url, 'SHOW listen_addresses')).toEqual([['127.0.0.1']]);
    expect(await query(first.url, 'SHOW fsync')).toEqual([['on']]);
    expect(await query(first.url, 'SHOW synchronous_commit')).toEqual([['on']]);
    await query(first.url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)');
    await first.stop('fast');
    expect(isRunning(first.pid)).toBe(false);

    const second = await startEmbeddedPostgres({ dataDir, log: silent });
    expect(second.adopted).toBe(false);
    expect(await query(second.url, 'SELECT n FROM kept')).toEqual([[7]]);
    expect(await stopEmbeddedPostgres(dataDir)).toBe(true);
    expect(await stopEmbeddedPostgres(dataDir)).toBe(false);
  });

  test('wants the password, which stands in a file of mode 0600 and on no command line', async () => {
    const dataDir = newDataDir('password');
    const postgres = await startEmbeddedPostgres({ dataDir, log: silent });
    const { password } = new URL(postgres.url);
    const wrong = postgres.url.replace(password, 'wrong');
    await expect(query(wrong, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
    expect(statSync(join(dataDir, 'postgresql.password')).mode & 0o777).toBe(0o600);
    expect(readFileSync(`/proc/${postgres.pid}/cmdline`, 'utf8')).not.toContain(password);
    await postgres.stop('fast');
  });

  test('outlives a starter that was killed, and is adopted by the next', async () => {
    const dataDir = newDataDir('adopted');
    const script = `
      const { startEmbeddedPostgres } = await import(${JSON.stringify(built('db/embedded-postgres.js'))});
      const { pid } = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log: () => undefined });
      console.log('postgres is ' + pid);
      setInterval(() => undefined, 1000);`;
    const starter = start(process.execPath, ['--input-type=module', '-e', script]);
    const pid = Number((await starter.prints(/postgres is (\d+)/))[1]);
    starter.kill('SIGKILL');
    expect(await starter.ended).toBe('SIGKILL');

    const adopted = await startEmbeddedPostgres({ dataDir, log: silent });
    expect(adopted).toMatchObject({ adopted: true, pid });
    expect(await query(adopted.url, 'SELECT 1')).toEqual([[1]]);
    await adopted.stop('fast');
    expect(isRunning(pid)).toBe(false);
  });

  test('two starters at the same time share one server', async () => {
    const dataDir = newDataDir('shared');
    const [one, other] = await Promise.all([
      startEmbeddedPostgres({ dataDir, log: silent }),
      startEmbeddedPostgres({ dataDir, log: silent }),
    ]);
    expect(one.pid).toBe(other.pid);
    await one.stop('fast');
  });

  test('a pid file whose process is somebody else by now does not hinder the start', async () => {
    const dataDir = newDataDir('stale');
    await (await startEmbeddedPostgres({ dataDir, log: silent })).stop('fast');
    const pidFile = join(dataOf(dataDir), 'postmaster.pid');
    writeFileSync(pidFile, `${process.pid}\n${dataOf(dataDir)}\n0\n5432\n\n127.0.0.1\n\nready\n`);
    chmodSync(pidFile, 0o644);
    const postgres = await startEmbeddedPostgres({ dataDir, log: silent });
    expect(postgres.adopted).toBe(false);
    await postgres.stop('fast');
  });
});

describe('what cannot work is said in a sentence', () => {
  test('data of another major version', async () => {
    const dataDir = await stoppedDatabase('version');
    writeFileSync(join(dataOf(dataDir), 'PG_VERSION'), '15\n');
    await refused(dataDir, /was made by PostgreSQL 15, this is 18/);
  });

  (byRoot ? test : test.skip)("another user's data (skipped where nobody may give a file away)", async () => {
    const dataDir = await stoppedDatabase('foreign');
    chownSync(dataOf(dataDir), 65_534, 65_534);
    await refused(dataDir, /belongs to user 65534, PostgreSQL would run as user \d+/);
  });

  (byRoot ? test : test.skip)(
    'a dataDir in which an ordinary user has a database (skipped where nobody may give a file away)',
    async () => {
      const dataDir = newDataDir('ordinary');
      mkdirSync(join(dataDir, 'postgresql'), { recursive: true });
      chownSync(join(dataDir, 'postgresql'), 1234, 1234);
      await refused(dataDir, /ordinary holds the database of user 1234: run as that user/);
    },
  );

  test('a folder that holds something else', async () => {
    const dataDir = newDataDir('else');
    const postgres = await startEmbeddedPostgres({ dataDir, log: silent });
    await postgres.stop('fast');
    const data = dataOf(dataDir);
    writeFileSync(join(data, 'postgresql.conf'), 'nonsense is not a setting\n');
    await refused(dataDir, /does not start on .*: postgres said: .*syntax error/);
  });

  test('a port in use', async () => {
    const { server, port } = await occupiedPort();
    try {
      const started = startEmbeddedPostgres({ dataDir: newDataDir('port'), port, log: silent });
      await expect(started).rejects.toThrow(
        `port ${port} of 127.0.0.1, which PostgreSQL shall listen on, cannot be used: EADDRINUSE`,
      );
    } finally {
      server.close();
    }
  });

  test('a dataDir that is a file', async () => {
    const dataDir = join(root, 'file');
    writeFileSync(dataDir, '');
    await expect(startEmbeddedPostgres({ dataDir, log: silent })).rejects.toThrow(/file cannot be used: EEXIST/);
  });
});

test('what a killed first start left behind passes for no database and is cleared away', async () => {
  const dataDir = newDataDir('cut-off');
  await (await startEmbeddedPostgres({ dataDir, log: silent })).stop('fast');
  const data = dataOf(dataDir);
  const unfinished = `${data}.4194305.00.unfinished`;
  renameSync(data, unfinished);
  rmSync(join(dataDir, 'postgresql.made'));
  const again = await startEmbeddedPostgres({ dataDir, log: silent });
  expect(existsSync(unfinished)).toBe(false);
  await again.stop('fast');
});

test('a database that is gone is not replaced by an empty one', async () => {
  const dataDir = await stoppedDatabase('gone');
  rmSync(dataOf(dataDir), { recursive: true });
  await refused(
    dataDir,
    /^the database of .* was in .* and is gone: restore it, or start afresh with another dataDir$/,
  );
});

function dataOf(dataDir: string): string {
  return join(existingFolder(dataDir) ?? '', 'data');
}

async function stoppedDatabase(name: string): Promise<string> {
  const dataDir = newDataDir(name);
  await (await startEmbeddedPostgres({ dataDir, log: silent })).stop('fast');
  return dataDir;
}

async function refused(dataDir: string, sentence: RegExp): Promise<void> {
  const failure = await startEmbeddedPostgres({ dataDir, log: silent }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(EmbeddedPostgresError);
  expect((failure as Error).message).toMatch(sentence);
}
