import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { journalPartitions, makeJournalPartitions } from '../../../src/db/journal-partitions.ts';
import { Journal } from '../../../src/db/journal.ts';
import { purge, uncoveredEntities } from '../../../src/db/repositories/retention.ts';
import { entry, fenceOf, noTraces, type Owner, ownAll, traces } from '../../support/entries.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const keep = { journalDays: 30, commandHours: 1 };
const dayMs = 86_400_000;
const weekMs = 7 * dayMs;

let pool: pg.Pool;
let journal: Journal;
let owner: Owner;

afterAll(() => pool.end());
const database = useTestDatabase();

beforeAll(async () => {
  pool = new pg.Pool({ connectionString: database.url, max: 4 });
  journal = new Journal(pool);
  owner = await ownAll(pool);
});

/** Appends some entries and moves them back in time: partitions there are made where there are none. */
async function writtenDaysAgo(id: string, seqs: readonly number[], days: number, more = {}): Promise<void> {
  await makeJournalPartitions(pool, Date.now() - days * dayMs);
  for (const seq of seqs) await journal.append(entry(id, owner, { seq, ...more }));
  await pool.query(
    `update journal set at = now() - $2 * interval '1 day' where entity_id = $1 and seq = any($3::bigint[])`,
    [id, days, seqs],
  );
}

const snapshot = (id: string, seq: number) =>
  journal.writeSnapshot({ kind: 'loadBalancer', id, fence: fenceOf(id, owner), seq, schemaVersion: 1, state: { seq } });

const uncovered = async (node = owner.node) =>
  (await uncoveredEntities(pool, node, keep.journalDays, 10)).map(({ id }) => id);

const partitionOf = async (id: string): Promise<readonly string[]> =>
  (
    await pool.query<{ p: string }>('select distinct tableoid::regclass::text as p from journal where entity_id = $1', [
      id,
    ])
  ).rows.map(({ p }) => p);

describe('partitions', () => {
  test('are there for this week and four more, whole weeks that leave no gap', async () => {
    const partitions = await journalPartitions(pool);
    const [first] = partitions;
    expect(partitions).toHaveLength(5);
    expect(first?.from).toBeLessThanOrEqual(Date.now());
    for (const [index, { from, until, name }] of partitions.entries()) {
      expect(from).toBe((first?.from ?? 0) + index * weekMs);
      expect(until).toBe((from ?? 0) + weekMs);
      expect(new Date(from ?? 0).toISOString()).toMatch(/T00:00:00.000Z$/);
      expect(new Date(from ?? 0).getUTCDay()).toBe(1);
      expect(name).toBe(`journal_${new Date(from ?? 0).toISOString().slice(0, 10).replaceAll('-', '')}`);
    }
    // Of the week of the migration: another one may have begun.
    expect(await makeJournalPartitions(pool, first?.from ?? undefined)).toBe(0);
  });

  test('are not what an append fails for: entries without one wait in the default partition until theirs is made', async () => {
    const id = randomUUID();
    await makeJournalPartitions(pool);
    const current = (await journalPartitions(pool)).findLast(({ from }) => (from ?? 0) <= Date.now());
    const client = await pool.connect();
    await client.query(`alter table journal detach partition ${current?.name}; drop table ${current?.name}`);
    client.release();
    expect(await journal.append(entry(id, owner))).toEqual({ type: 'written' });
    expect(await partitionOf(id)).toEqual(['journal_default']);
    const before = await journal.load('loadBalancer', id);
    expect(await makeJournalPartitions(pool)).toBe(1);
    expect(await partitionOf(id)).toEqual([current?.name]);
    expect(await journal.load('loadBalancer', id)).toEqual(before);
    expect(await journal.append(entry(id, owner, { seq: 2 }))).toEqual({ type: 'written' });
  });

  test('that a backup keeps from being made are made the next time', async () => {
    const [current] = await journalPartitions(pool);
    const backup = await pool.connect();
    await backup.query('begin; lock table journal_default in access share mode');
    expect(await makeJournalPartitions(pool, (current?.from ?? 0) - 1)).toBe(0);
    await backup.query('rollback');
    backup.release();
    expect(await makeJournalPartitions(pool, (current?.from ?? 0) - 1)).toBe(1);
  });

  test('made by two at a time are made once', async () => {
    const since = Date.now() - 20 * weekMs;
    const names = async () => new Set((await journalPartitions(pool)).map(({ name }) => name));
    const before = await names();
    const made = await Promise.all([makeJournalPartitions(pool, since), makeJournalPartitions(pool, since)]);
    expect(made[0] + made[1]).toBe((await names()).size - before.size);
  });
});

describe('a purge', () => {
  test('drops no partition before snapshots cover its entries, and then the whole of it', async () => {
    const [live, over] = [randomUUID(), randomUUID()];
    await writtenDaysAgo(live, [1, 2, 3], 50);
    await writtenDaysAgo(over, [1], 50);
    await writtenDaysAgo(over, [2], 50, { isOver: true });
    await journal.append(entry(live, owner, { seq: 4 }));
    await snapshot(live, 2);
    const [old] = await partitionOf(over);
    const before = await journal.load('loadBalancer', live);

    expect(await uncovered()).toEqual([live]);
    expect(await uncovered(randomUUID())).toEqual([]);
    expect((await purge(pool, keep)).waiting).toBe(old);
    expect(await journal.load('loadBalancer', live)).toEqual(before);

    await snapshot(live, 3);
    expect(await uncovered()).toEqual([]);
    expect(await purge(pool, keep)).toMatchObject({ partitions: expect.arrayContaining([old]), waiting: undefined });
    expect((await journal.load('loadBalancer', live))?.entries.map(({ seq }) => seq)).toEqual([4]);
    expect((await traces(pool, over)).events).toBe(0);
  });

  test('keeps what is younger than the settings say, to the week', async () => {
    const id = randomUUID();
    await writtenDaysAgo(id, [1, 2], 29);
    await snapshot(id, 2);
    await purge(pool, keep);
    expect((await traces(pool, id)).events).toBe(2);
  });

  test('names the partition that others hold a lock on, leaves it, and drops it the next time', async () => {
    const id = randomUUID();
    await writtenDaysAgo(id, [1], 60);
    await snapshot(id, 1);
    const [old] = await partitionOf(id);
    const backup = await pool.connect();
    await backup.query(`begin; lock table ${old} in access share mode`);
    expect(await purge(pool, keep)).toMatchObject({ partitions: [], waiting: old });
    await backup.query('rollback');
    backup.release();
    expect((await purge(pool, keep)).partitions).toContain(old);
  });

  test('waits for an entity that was given up, and does not ask for its snapshot', async () => {
    const id = randomUUID();
    await writtenDaysAgo(id, [1], 60);
    await journal.recordFault('loadBalancer', id, 'given up', fenceOf(id, owner));
    const [old] = await partitionOf(id);
    expect(await uncovered()).toEqual([]);
    expect((await purge(pool, keep)).waiting).toBe(old);
    await journal.recordFault('loadBalancer', id, null, fenceOf(id, owner));
    await snapshot(id, 1);
    expect((await purge(pool, keep)).partitions).toContain(old);
  });

  test('removes all of an entity that is long over, and answers that are old', async () => {
    const id = randomUUID();
    await writtenDaysAgo(id, [1], 60, { command: { id: randomUUID(), digest: 'd', answer: 1 } });
    await writtenDaysAgo(id, [2], 60, { isOver: true });
    await purge(pool, keep);
    // Its row stays as long as it ended not long ago.
    expect(await traces(pool, id)).toEqual({ ...noTraces, entities: 1, commands: 1 });
    await pool.query(`update entities set updated_at = now() - interval '60 days' where id = $1`, [id]);
    await pool.query(`update commands set at = now() - interval '2 hours' where entity_id = $1`, [id]);
    await purge(pool, keep);
    expect(await traces(pool, id)).toEqual(noTraces);
  });

  test('of one entry by itself is refused', async () => {
    await expect(pool.query('delete from journal')).rejects.toThrow(/purged by dropping partitions/);
  });
});
