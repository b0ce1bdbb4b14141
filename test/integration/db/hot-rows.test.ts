// Rows that are updated all the time stay on their pages: leases, shards, entities. On a server of its own: what others
// have open there, in any database, keeps dead versions from being tidied up at once.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '../../../src/db/embedded-postgres.ts';
import { Journal } from '../../../src/db/journal.ts';
import { migrate } from '../../../src/db/migrate.ts';
import { entry, ownAll } from '../../support/entries.ts';
import { tempFolder } from '../../support/temp-folder.ts';

let client: pg.Client;
let pool: pg.Pool;

afterAll(async () => {
  await Promise.all([client.end(), pool.end()]);
  await removeEmbeddedPostgres(dataDir);
});
const dataDir = tempFolder('hot-rows');

beforeAll(async () => {
  const settings = { fsync: 'off', autovacuum: 'off' };
  const { url } = await startEmbeddedPostgres({ dataDir, settings, log: () => undefined });
  await migrate(url);
  client = new pg.Client({ connectionString: url });
  pool = new pg.Pool({ connectionString: url, max: 1 });
  pool.on('error', () => undefined);
  await client.connect();
});

interface Usage {
  readonly bytes: number;
  readonly updates: number;
  readonly hot: number;
}

async function usage(table: string, by: Pick<pg.Client, 'query'> = client): Promise<Usage> {
  // A session tells its counts at leisure, unless it is asked to.
  await by.query('select pg_stat_force_next_flush()');
  const { rows } = await client.query<Record<keyof Usage, string>>(
    `select pg_relation_size(relid) as bytes, n_tup_upd as updates, n_tup_hot_upd as hot from pg_stat_user_tables where relname = $1`,
    [table],
  );
  return { bytes: Number(rows[0]?.bytes), updates: Number(rows[0]?.updates), hot: Number(rows[0]?.hot) };
}

test('thousands of renewals leave the table of nodes as large as it was and touch no index', async () => {
  for (let count = 0; count < 10; count++) {
    await client.query(
      `insert into nodes (id, roles, address, version, lease_until) values ($1, '{worker,health}', '192.0.2.1:9877', '0.1.0', now())`,
      [randomUUID()],
    );
  }
  const before = await usage('nodes');
  const renewals = 500;
  for (let count = 0; count < renewals; count++) {
    await client.query(`update nodes set lease_until = now() + interval '10 seconds' where stopped_at is null`);
  }
  const after = await usage('nodes');
  expect(after.updates - before.updates).toBe(renewals * 10);
  expect(after.hot - before.hot).toBe(renewals * 10);
  expect(after.bytes).toBe(before.bytes);
});

test('shards may change hands again and again', async () => {
  const before = await usage('shards');
  const changes = 200;
  for (let count = 0; count < changes; count++) {
    await client.query('update shards set owner = $1, epoch = epoch + 1', [randomUUID()]);
  }
  const after = await usage('shards');
  expect((after.hot - before.hot) / (after.updates - before.updates)).toBeGreaterThan(0.99);
  expect(after.bytes).toBeLessThanOrEqual(before.bytes * 2);
});

test('entities that write entry after entry stay where they are', async () => {
  const owner = await ownAll(pool);
  const journal = new Journal(pool);
  const ids = Array.from({ length: 100 }, () => randomUUID());
  for (const id of ids) await journal.append(entry(id, owner));
  const before = await usage('entities', pool);
  for (let seq = 2; seq <= 60; seq++) await Promise.all(ids.map((id) => journal.append(entry(id, owner, { seq }))));
  const after = await usage('entities', pool);
  expect(after.updates - before.updates).toBe(59 * ids.length);
  expect((after.hot - before.hot) / (after.updates - before.updates)).toBeGreaterThan(0.98);
  expect(after.bytes).toBeLessThanOrEqual(before.bytes * 3);
});
