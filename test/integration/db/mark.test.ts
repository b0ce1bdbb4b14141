import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { acceptDatabase, DatabaseMark, observingReason } from '../../../src/db/mark.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const folder = tempFolder('mark');
let databases: readonly TestDatabase[];
/** The database, and what a backup of it holds. */
let live: pg.Pool;
let backup: pg.Pool;

beforeAll(async () => {
  databases = await Promise.all([createTestDatabase(), createTestDatabase()]);
  [live, backup] = databases.map(({ url }) => new pg.Pool({ connectionString: url, max: 2 })) as [pg.Pool, pg.Pool];
});
afterAll(async () => {
  await Promise.all([live.end(), backup.end()]);
  await Promise.all(databases.map((database) => database.drop()));
});

beforeEach(async () => {
  await live.query('update deployment set mark = 0, observing = null');
});

/** A node with a data folder of its own; `on` gives it another database and keeps the folder. */
function newNode(dataDir = mkdtempSync(join(folder, 'node-'))) {
  return {
    dataDir,
    on(pool: pg.Pool) {
      const told: string[] = [];
      const mark = new DatabaseMark({ pool, dataDir, onWentBack: (reason) => told.push(reason) });
      return { mark, told };
    },
  };
}

async function backUp(): Promise<void> {
  const { rows } = await live.query('select id, mark, observing from deployment');
  await backup.query('update deployment set id = $1, mark = $2, observing = $3', Object.values(rows[0] as object));
}

test('nodes that come and go on one database see it go on', async () => {
  const [one, two] = [newNode(), newNode()];
  for (const node of [one, two, one, one, two]) {
    const { mark, told } = node.on(live);
    await mark.refresh();
    expect(told).toEqual([]);
  }
  expect(await observingReason(live)).toBeNull();
  expect(statSync(join(one.dataDir, 'database.mark')).mode & 0o777).toBe(0o600);
});

test('a database that an older backup was restored to is noticed, whichever node has seen more', async () => {
  const [one, two] = [newNode(), newNode()];
  await one.on(live).mark.refresh();
  await backUp();
  await one.on(live).mark.refresh();
  await two.on(live).mark.refresh();
  const { mark, told } = one.on(backup);
  await mark.refresh();
  await mark.refresh();
  expect(told).toEqual([expect.stringMatching(/restored from an older backup: .* saw a later state of it at 20/)]);
  expect(await observingReason(backup)).toBe(told[0]);
});

test('one that is restored under a running node is noticed by it', async () => {
  const node = newNode();
  const { mark, told } = node.on(live);
  await mark.refresh();
  const { rows } = await live.query<{ mark: string }>('select mark from deployment');
  await mark.refresh();
  await live.query('update deployment set mark = $1', [rows[0]?.mark]);
  await mark.refresh();
  expect(told).toHaveLength(1);
});

test('the newest backup, which lacks nothing that a node has seen, is taken', async () => {
  const node = newNode();
  await node.on(live).mark.refresh();
  await backUp();
  const { mark, told } = node.on(backup);
  await mark.refresh();
  expect(told).toEqual([]);
  expect(await observingReason(backup)).toBeNull();
});

test('once it is accepted no node objects any more, however much it had seen', async () => {
  const [one, two] = [newNode(), newNode()];
  await backUp();
  await one.on(live).mark.refresh();
  for (let count = 0; count < 20; count++) await two.on(live).mark.refresh();
  await one.on(backup).mark.refresh();
  expect(await observingReason(backup)).not.toBeNull();
  await acceptDatabase(backup);
  await acceptDatabase(backup);
  for (const node of [two, one, two]) {
    const { mark, told } = node.on(backup);
    await mark.refresh();
    expect(told).toEqual([]);
  }
  expect(await observingReason(backup)).toBeNull();
});

test('another deployment, and a file that nobody can read, say nothing', async () => {
  const node = newNode();
  await node.on(live).mark.refresh();
  await backup.query('update deployment set id = gen_random_uuid(), mark = 0, observing = null');
  const file = join(node.dataDir, 'database.mark');
  const { mark, told } = node.on(backup);
  await mark.refresh();
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ mark: 1 });
  writeFileSync(file, 'half a fi');
  await mark.refresh();
  expect(told).toEqual([]);
});
