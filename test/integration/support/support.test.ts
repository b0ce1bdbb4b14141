import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase, useTestDatabase } from '../../support/postgres.ts';
import { isRunning, processes } from '../../support/processes.ts';
import { waitFor } from '../../support/wait-for.ts';

const database = useTestDatabase();
const start = processes();

describe('a test database', () => {
  test('is migrated, and every one is its own', async () => {
    const other = await createTestDatabase();
    expect(other.url).not.toBe(database.url);
    const client = new pg.Client({ connectionString: other.url });
    await client.connect();
    expect((await client.query('SELECT id FROM deployment')).rowCount).toBe(1);
    await client.end();
    await other.drop();
  });

  test('cannot be dropped quietly while a connection to it is open', async () => {
    const other = await createTestDatabase();
    const client = new pg.Client({ connectionString: other.url });
    const broken = new Promise((resolve) => client.on('error', resolve));
    await client.connect();
    await client.query('SELECT 42');
    await expect(other.drop()).rejects.toThrow('connections left open, their last queries: SELECT 42');
    await broken;
  });
});

describe('waiting', () => {
  test('gives what the condition gave', async () => {
    let calls = 0;
    expect(await waitFor(() => (++calls === 3 ? 'there' : undefined), { describe: 'three calls' })).toBe('there');
  });

  test('says at the deadline what was seen last', async () => {
    const never = waitFor(() => Promise.reject(new Error('not yet')), { timeoutMs: 50, describe: 'the impossible' });
    await expect(never).rejects.toThrow('waited 0.05 s for the impossible; last seen: not yet');
  });
});

describe('processes', () => {
  test('are listened to, and known to be gone', async () => {
    const shell = start('/bin/sh', ['-c', 'echo hello $NAME; read x < /dev/zero'], { env: { NAME: 'world' } });
    expect((await shell.prints(/hello (\w+)/))[1]).toBe('world');
    expect(isRunning(shell.pid)).toBe(true);
    shell.kill('SIGKILL');
    expect(await shell.ended).toBe('SIGKILL');
    expect(isRunning(shell.pid)).toBe(false);
  });

  test('that end without printing what is waited for fail at once', async () => {
    const shell = start('/bin/sh', ['-c', 'echo sorry >&2; exit 3']);
    await expect(shell.prints(/hello/)).rejects.toThrow(/ended with 3 without printing \/hello\/; it printed: sorry/);
  });
});
