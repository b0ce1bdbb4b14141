import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { refuseTransactionPooler, TransactionPoolerError } from '../../../src/db/pooler.ts';
import { hasPgbouncer, type PgbouncerSettings, startPgbouncer } from '../../support/pgbouncer.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { processes } from '../../support/processes.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const start = processes();
const folder = tempFolder('pgbouncer');
const database = useTestDatabase();

test('PostgreSQL itself is taken', async () => {
  await refuseTransactionPooler(database.url);
});

test('a database that is not there fails with what the client says', async () => {
  await expect(refuseTransactionPooler('postgresql://nobody@127.0.0.1:1/nothing')).rejects.toThrow(/ECONNREFUSED/);
});

const withPgbouncer = hasPgbouncer() ? describe : describe.skip;

withPgbouncer('a real pgbouncer (skipped where it is not installed)', () => {
  async function through(settings: PgbouncerSettings, use: (url: string) => Promise<void>): Promise<void> {
    const bouncer = await startPgbouncer(start, folder, database.url, settings);
    try {
      await use(bouncer.url);
    } finally {
      await bouncer.stop();
    }
  }

  /** Sessions of the server that the pooler may choose from. */
  async function warmUp(url: string, count: number): Promise<void> {
    const clients = Array.from({ length: count }, () => new pg.Client({ connectionString: url }));
    await Promise.all(clients.map((client) => client.connect()));
    for (const client of clients) await client.query('begin');
    await Promise.all(clients.map((client) => client.query('commit')));
    await Promise.all(clients.map((client) => client.end()));
  }

  test('in session mode is taken', async () => {
    await through({ pool_mode: 'session' }, refuseTransactionPooler);
  });

  test.each([
    ['with few sessions', {}, 0],
    ['with a single session', { default_pool_size: 1 }, 0],
    ['with many sessions', {}, 8],
    ['with many sessions in turn', { server_round_robin: 1 }, 8],
  ] as const)('in transaction mode is refused with the reason, %s', async (_, settings, sessions) => {
    await through({ pool_mode: 'transaction', ...settings }, async (url) => {
      await warmUp(url, sessions);
      await expect(refuseTransactionPooler(url)).rejects.toThrow(TransactionPoolerError);
      await expect(refuseTransactionPooler(url)).rejects.toThrow(/pooler in transaction mode/);
    });
  });

  test('in statement mode is refused', async () => {
    await through({ pool_mode: 'statement' }, async (url) => {
      await expect(refuseTransactionPooler(url)).rejects.toThrow(/statement/);
    });
  });
});
