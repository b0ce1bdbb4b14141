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

/** The version that held monitors, L7 policies and rules for OFFLINE with their listeners. */
const migrationsOfMeasured = 21;

/** An empty database as a version with so many migrations makes it. */
async function makeAsOf(migrations: number): Promise<void> {
  await pool.query('drop schema public cascade; create schema public; drop schema drizzle cascade');
  const folder = join(temp, `drizzle-${migrations}`);
  cpSync(migrationsFolder(), folder, { recursive: true });
  const file = join(folder, 'meta', '_journal.json');
  const { entries, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as { entries: unknown[] };
  writeFileSync(file, JSON.stringify({ ...rest, entries: entries.slice(0, migrations) }));
  await applyMigrations(drizzle(pool), { migrationsFolder: folder });
}

beforeAll(async () => {
  // One connection: what it has prepared before the migration must go on working after it.
  pool = new pg.Pool({ connectionString: database.url, max: 1 });
  await makeAsOf(migrationsBefore);
  await pool.query(appendFunctionSql());
  await pool.query(`insert into shards (family, shard) select 'entities', generate_series(0, 255)`);
  journal = new Journal(pool);
  owner = await ownAll(pool);
});

/**
 * A monitor, a rule, a policy, one that lacks a rule it came with, and a listener: all OFFLINE. Of rows of objects only what
 * the migration looks at is real.
 */
async function writeStatuses(): Promise<readonly string[]> {
  const [monitor, rule, policy, refused, listener] = Array.from({ length: 5 }, () => randomUUID());
  const insert = async (table: string, given: Readonly<Record<string, unknown>>) => {
    const { rows } = await pool.query<{ name: string; type: string }>(
      `select column_name as name, data_type as type from information_schema.columns where table_name = $1
        and is_nullable = 'NO' and column_default is null`,
      [table],
    );
    const anything = (type: string) =>
      type === 'uuid' ? randomUUID() : type.startsWith('timestamp') ? '2026-01-01' : type === 'jsonb' ? [] : 0;
    const row = { ...Object.fromEntries(rows.map(({ name, type }) => [name, anything(type)])), ...given };
    const names = Object.keys(row).join();
    await pool.query(`insert into ${table} (${names}) select ${names} from jsonb_populate_record(null::${table}, $1)`, [
      row,
    ]);
  };
  await insert('health_monitors', { id: monitor });
  await insert('l7_policies', { id: policy });
  await insert('l7_rules', { id: rule, l7_policy_id: policy, provisioning_status: 'ACTIVE' });
  await insert('l7_policies', { id: refused });
  await insert('l7_rules', { l7_policy_id: refused, provisioning_status: 'ERROR' });
  await insert('listeners', { id: listener });
  const all = [monitor, rule, policy, refused, listener] as string[];
  for (const objectId of all) await insert('operating_statuses', { object_id: objectId, status: 'OFFLINE' });
  return all;
}

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

  const loaded = await Promise.all(ids.map((id) => journal.load('loadBalancer', id)));
  // That version knows nothing of what an entry answered.
  const after = loaded.map((one) => one?.entries.map(({ commandId: _, ...known }) => known));
  expect(after[1]).toEqual(before[1]);
  expect(after[0]?.slice(0, 2)).toEqual(before[0]);
  expect(after[0]?.map((one) => one.seq)).toEqual(Array.from({ length: seq }, (_, index) => index + 1));
  expect(await Promise.all(ids.map(loadAsBefore))).toEqual(after);
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

test('drops statuses that say of what is not measured any more that it is OFFLINE', async () => {
  await makeAsOf(migrationsOfMeasured);
  const [, , , refused, listener] = await writeStatuses();
  await migrate(database.url);
  const { rows } = await pool.query<{ object_id: string }>('select object_id from operating_statuses');
  expect(new Set(rows.map((row) => row.object_id))).toEqual(new Set([refused, listener]));
});
