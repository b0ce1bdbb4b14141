// What a migration does to a database that the version before has used, while nodes of that version still do.
import { randomUUID } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { appendFunctionSql } from '../../../src/db/append-function.ts';
import { Journal } from '../../../src/db/journal.ts';
import { journalPartitions } from '../../../src/db/journal-partitions.ts';
import { migrate, migrationsFolder } from '../../../src/db/migrate.ts';
import { entry, type Owner, ownAll } from '../../support/entries.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { tempFolder } from '../../support/temp-folder.ts';

let pool: pg.Pool;
let journal: Journal;
let owner: Owner;

afterAll(() => pool.end());
const database = useTestDatabase();
const temp = tempFolder('migrate');

/** The version whose journal was one table. */
const migrationsBefore = 3;

beforeAll(async () => {
  // One connection: what it has prepared before the migration must go on working after it.
  pool = new pg.Pool({ connectionString: database.url, max: 1 });
  await pool.query('drop schema public cascade; create schema public; drop schema drizzle cascade');
  const folder = join(temp, 'drizzle');
  cpSync(migrationsFolder(), folder, { recursive: true });
  const file = join(folder, 'meta', '_journal.json');
  const { entries, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as { entries: unknown[] };
  writeFileSync(file, JSON.stringify({ ...rest, entries: entries.slice(0, migrationsBefore) }));
  await applyMigrations(drizzle(pool), { migrationsFolder: folder });
  await pool.query(appendFunctionSql());
  await pool.query(`insert into shards (family, shard) select 'entities', generate_series(0, 255)`);
  journal = new Journal(pool);
  owner = await ownAll(pool);
});

/** What a node of that version asks, prepared before the migration. */
async function loadAsBefore(id: string) {
  const text = `
    select e.kind, e.id, coalesce((select json_agg(json_build_array(j.seq, j.schema_version, j.events) order by j.seq)
      from journal j where j.kind = e.kind and j.entity_id = e.id), '[]') as entries
    from entities e where e.kind = 'loadBalancer' and e.id = $1`;
  const { rows } = await pool.query<{ entries: [number, number, unknown][] }>({ name: 'load', text, values: [id] });
  return rows[0]?.entries.map(([seq, schemaVersion, events]) => ({ seq, schemaVersion, events }));
}

test('keeps every entry, and nodes of the version before go on appending and loading meanwhile', async () => {
  const ids = [randomUUID(), randomUUID()];
  for (const id of ids) for (const seq of [1, 2]) await journal.append(entry(id, owner, { seq }));
  const before = await Promise.all(ids.map(loadAsBefore));
  const [busy = ''] = ids;
  let seq = 2;
  let isMigrating = true;
  const appending = (async () => {
    while (isMigrating) expect(await journal.append(entry(busy, owner, { seq: ++seq }))).toEqual({ type: 'written' });
  })();
  await migrate(database.url);
  isMigrating = false;
  await appending;
  await journal.append(entry(busy, owner, { seq: ++seq }));

  const after = await Promise.all(ids.map((id) => journal.load('loadBalancer', id)));
  expect(after[1]?.entries).toEqual(before[1]);
  expect(after[0]?.entries.slice(0, 2)).toEqual(before[0]);
  expect(after[0]?.entries.map((one) => one.seq)).toEqual(Array.from({ length: seq }, (_, index) => index + 1));
  expect(await Promise.all(ids.map(loadAsBefore))).toEqual(after.map((one) => one?.entries));
  const partitions = await journalPartitions(pool);
  expect(partitions[0]).toMatchObject({ name: 'journal_before', from: undefined });
  expect(partitions[1]?.from).toBe(partitions[0]?.until);
  expect(partitions[0]?.until).toBeGreaterThan(Date.now());
});

test('makes the purge of the version before fail: its ctids would hit entries of other partitions', async () => {
  const purgeBefore = 'delete from journal where ctid = any(array(select j.ctid from journal j limit 1))';
  await expect(pool.query(purgeBefore)).rejects.toThrow(/purged by dropping partitions/);
});

test('of a database that is up to date changes nothing', async () => {
  const before = await journalPartitions(pool);
  await migrate(database.url);
  expect(await journalPartitions(pool)).toEqual(before);
});
