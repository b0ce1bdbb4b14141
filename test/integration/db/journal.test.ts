import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { Journal } from '../../../src/db/journal.ts';
import { makeJournalPartitions } from '../../../src/db/journal-partitions.ts';
import {
  AppendRejectedError,
  OutcomeUnknownError,
  SequenceConflictError,
  StaleEpochError,
} from '../../../src/domain/journal.ts';
import { entry, fenceOf, loadBalancerRow, noTraces, type Owner, ownAll, traces } from '../../support/entries.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { waitFor } from '../../support/wait-for.ts';

let pool: pg.Pool;
let journal: Journal;
let owner: Owner;

// Before the database is dropped: hooks run in the order in which they stand here.
afterAll(() => pool.end());
const database = useTestDatabase();

beforeAll(async () => {
  pool = new pg.Pool({ connectionString: database.url, max: 4 });
  pool.on('error', () => undefined);
  journal = new Journal(pool);
  owner = await ownAll(pool);
});

const vip = (value: string) => ({ kind: 'vip', value }) as const;

/** Everything that an entry can carry. */
function fullEntry(id: string, by: Owner = owner) {
  return entry(id, by, {
    command: { id: randomUUID(), digest: 'd', answer: { ok: true } },
    claims: [vip(randomUUID())],
    rows: { upserts: { loadBalancers: [loadBalancerRow(id)] }, deletes: {} },
  });
}

describe('the fence', () => {
  test('lets the owner write under the current epoch', async () => {
    const id = randomUUID();
    expect(await journal.append(fullEntry(id))).toEqual({ type: 'written' });
    expect(await traces(pool, id)).toEqual({ events: 1, entities: 1, commands: 1, claims: 1, rows: 1 });
  });

  test.each([
    ['an earlier epoch', (by: Owner) => ({ ...by, epoch: by.epoch - 1 })],
    ['a later epoch', (by: Owner) => ({ ...by, epoch: by.epoch + 1 })],
    ['another node', (by: Owner) => ({ ...by, node: randomUUID() })],
  ])('leaves no trace of what is written under %s', async (_, by) => {
    const id = randomUUID();
    await expect(journal.append(fullEntry(id, by(owner)))).rejects.toThrow(StaleEpochError);
    expect(await traces(pool, id)).toEqual(noTraces);
  });

  test('stops one entry of a group and not the others', async () => {
    const [good, stale] = [randomUUID(), randomUUID()];
    const results = await Promise.allSettled([
      journal.append(fullEntry(stale, { ...owner, epoch: 1 })),
      journal.append(fullEntry(good)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(await traces(pool, stale)).toEqual(noTraces);
  });

  test('guards what is written of a fault, too', async () => {
    const id = randomUUID();
    await journal.append(fullEntry(id));
    await journal.recordFault('loadBalancer', id, 'a zombie says so', fenceOf(id, { ...owner, epoch: 1 }));
    expect((await journal.load('loadBalancer', id))?.fault).toBeNull();
    await journal.recordFault('loadBalancer', id, 'given up', fenceOf(id, owner));
    expect((await journal.load('loadBalancer', id))?.fault).toBe('given up');
    const { rows } = await pool.query('select provisioning_status, error_reason from load_balancers where id = $1', [
      id,
    ]);
    expect(rows).toEqual([{ provisioning_status: 'ERROR', error_reason: 'given up' }]);
  });
});

describe('sequence numbers', () => {
  test('are taken in order, and a number that is taken or skipped is a conflict without a trace', async () => {
    const id = randomUUID();
    await journal.append(entry(id, owner));
    await journal.append(entry(id, owner, { seq: 2 }));
    for (const seq of [1, 2, 4]) {
      const command = { id: randomUUID(), digest: 'd', answer: null };
      const late = journal.append(entry(id, owner, { seq, command, claims: [vip(`conflict-${seq}`)] }));
      await expect(late).rejects.toThrow(SequenceConflictError);
    }
    expect(await traces(pool, id)).toEqual({ ...noTraces, events: 2, entities: 1 });
  });

  test('of an entity that is not there start at 1', async () => {
    const id = randomUUID();
    await expect(journal.append(entry(id, owner, { seq: 2 }))).rejects.toThrow(/newest is missing/);
    expect(await traces(pool, id)).toEqual(noTraces);
  });

  test('keep the order in which one entity was told things, also within a group', async () => {
    const id = randomUUID();
    const all = Array.from({ length: 50 }, (_, index) =>
      journal.append(entry(id, owner, { seq: index + 1, events: [{ type: `event-${index + 1}` }] })),
    );
    await Promise.all(all);
    const loaded = await journal.load('loadBalancer', id);
    expect(loaded?.entries.map(({ events }) => (events[0] as { type: string }).type)).toEqual(
      Array.from({ length: 50 }, (_, index) => `event-${index + 1}`),
    );
  });
});

describe('claims', () => {
  test('that others hold are refused, and leave no trace of the entry with its other claims', async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    await journal.append(entry(one, owner, { claims: [vip('taken')] }));
    const refused = await journal.append({
      ...fullEntry(two),
      claims: [vip('free-before'), vip('taken'), vip('free-behind')],
    });
    expect(refused).toEqual({ type: 'claimed', claim: vip('taken') });
    expect(await traces(pool, two)).toEqual(noTraces);
    expect(await journal.append(entry(two, owner, { claims: [vip('free-before'), vip('free-behind')] }))).toEqual({
      type: 'written',
    });
  });

  test('that the entity holds itself may be made again, and stay when the entry with them fails', async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    await journal.append(entry(one, owner, { claims: [vip('own')] }));
    expect(await journal.append(entry(one, owner, { seq: 2, claims: [vip('own')] }))).toEqual({ type: 'written' });
    await expect(journal.append(entry(one, owner, { seq: 9, claims: [vip('own')] }))).rejects.toThrow();
    expect(await journal.append(entry(two, owner, { claims: [vip('own')] }))).toEqual({
      type: 'claimed',
      claim: vip('own'),
    });
  });

  test('within one group go to the first', async () => {
    const results = await Promise.all(
      [randomUUID(), randomUUID(), randomUUID()].map((id) =>
        journal.append(entry(id, owner, { claims: [vip('wanted by three')] })),
      ),
    );
    expect(results.map(({ type }) => type)).toEqual(['written', 'claimed', 'claimed']);
  });

  test('are free again once the entity is over', async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    await journal.append(entry(one, owner, { claims: [vip('released')] }));
    await journal.append(entry(one, owner, { seq: 2, isOver: true }));
    expect(await journal.append(entry(two, owner, { claims: [vip('released')] }))).toEqual({ type: 'written' });
  });
});

describe('commands', () => {
  test('are answered once: a repeat gets the stored answer and changes nothing', async () => {
    const id = randomUUID();
    const command = { id: randomUUID(), digest: 'd', answer: { first: true } };
    await journal.append(entry(id, owner, { command }));
    const again = await journal.append(entry(id, owner, { seq: 2, command: { ...command, answer: { first: false } } }));
    expect(again).toEqual({ type: 'duplicate', entityId: id, digest: 'd', answer: { first: true } });
    expect((await traces(pool, id)).events).toBe(1);
  });

  test('keep refusals too, which make no entity', async () => {
    const id = randomUUID();
    const command = { id: randomUUID(), digest: 'd', answer: { type: 'refused' } };
    const refusal = entry(id, owner, { seq: undefined, events: [], command });
    expect(await journal.append(refusal)).toEqual({ type: 'written' });
    expect(await journal.append(refusal)).toMatchObject({ type: 'duplicate', answer: { type: 'refused' } });
    expect(await traces(pool, id)).toEqual({ ...noTraces, commands: 1 });
  });

  test('are known across entities and within a group, with the digest of their first parameters', async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    const id = randomUUID();
    const results = await Promise.all([
      journal.append(entry(one, owner, { command: { id, digest: 'first', answer: 1 } })),
      journal.append(entry(two, owner, { command: { id, digest: 'other', answer: 2 } })),
    ]);
    expect(results[1]).toEqual({ type: 'duplicate', entityId: one, digest: 'first', answer: 1 });
    expect(await traces(pool, two)).toEqual(noTraces);
  });
});

describe('group commit', () => {
  test('carries what is ready together in one statement', async () => {
    const before = { ...journal.counters };
    await Promise.all(Array.from({ length: 40 }, () => journal.append(entry(randomUUID(), owner))));
    expect(journal.counters.entries - before.entries).toBe(40);
    expect(journal.counters.statements - before.statements).toBe(1);
  });

  test('gathers what comes while a statement is under way', async () => {
    const before = journal.counters.statements;
    const first = journal.append(entry(randomUUID(), owner));
    await waitFor(() => journal.backlog === 0, { describe: 'the first statement', pollMs: 1 });
    const more = Array.from({ length: 30 }, () => journal.append(entry(randomUUID(), owner)));
    await Promise.all([first, ...more]);
    expect(journal.counters.statements - before).toBe(2);
  });

  test('lets a bad entry fail alone', async () => {
    const ids = Array.from({ length: 5 }, () => randomUUID());
    const results = await Promise.allSettled(
      ids.map((id, index) =>
        journal.append(entry(id, owner, { events: [{ type: 'x', text: index === 2 ? '\u0000' : 'fine' }] })),
      ),
    );
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect((results[2] as PromiseRejectedResult).reason).toBeInstanceOf(AppendRejectedError);
    expect(await traces(pool, ids[2] ?? '')).toEqual(noTraces);
  });
});

describe('snapshots', () => {
  const snapshotOf = async (id: string) =>
    (await pool.query<{ seq: string; state: unknown }>('select seq, state from snapshots where entity_id = $1', [id]))
      .rows[0];
  const snapshot = (id: string, seq: number, by = owner) =>
    ({ kind: 'loadBalancer', id, fence: fenceOf(id, by), seq, schemaVersion: 1, state: { at: seq } }) as const;

  test('are written under the current epoch only, and only over an older one', async () => {
    const id = randomUUID();
    await journal.append(entry(id, owner));
    await journal.writeSnapshot(snapshot(id, 5, { ...owner, epoch: 3 }));
    expect(await snapshotOf(id)).toBeUndefined();
    await journal.writeSnapshot(snapshot(id, 5));
    await journal.writeSnapshot(snapshot(id, 4));
    await journal.writeSnapshot(snapshot(id, 9, { ...owner, node: randomUUID() }));
    expect(await snapshotOf(id)).toEqual({ seq: '5', state: { at: 5 } });
    await journal.writeSnapshot(snapshot(id, 6));
    expect(await snapshotOf(id)).toEqual({ seq: '6', state: { at: 6 } });
  });

  test('go with their entity and do not come back', async () => {
    const id = randomUUID();
    await journal.append(entry(id, owner));
    await journal.writeSnapshot(snapshot(id, 1));
    await journal.append(entry(id, owner, { seq: 2, isOver: true }));
    expect(await snapshotOf(id)).toBeUndefined();
    await journal.writeSnapshot(snapshot(id, 2));
    expect(await snapshotOf(id)).toBeUndefined();
  });
});

describe('loading', () => {
  test('gives the snapshot and the entries after it, for many at once in one statement', async () => {
    const ids = Array.from({ length: 20 }, () => randomUUID());
    for (const seq of [1, 2, 3]) await Promise.all(ids.map((id) => journal.append(entry(id, owner, { seq }))));
    const [snapped = ''] = ids;
    const state = { some: 'state' };
    const fence = fenceOf(snapped, owner);
    await journal.writeSnapshot({ kind: 'loadBalancer', id: snapped, fence, seq: 2, schemaVersion: 1, state });
    const before = journal.counters.loads;
    const loaded = await Promise.all(ids.map((id) => journal.load('loadBalancer', id)));
    expect(journal.counters.loads - before).toBe(1);
    expect(loaded[0]).toMatchObject({ snapshot: { seq: 2, state }, isOver: false, fault: null });
    expect(loaded.map((one) => one?.entries.map(({ seq }) => seq))).toEqual([[3], ...Array(19).fill([1, 2, 3])]);
  });

  test('finds entries that a clock which was put back has dated before their time', async () => {
    const id = randomUUID();
    for (const seq of [1, 2, 3]) await journal.append(entry(id, owner, { seq }));
    const before = await journal.load('loadBalancer', id);
    await pool.query(`update journal set at = now() - interval '20 days' where entity_id = $1 and seq = 2`, [id]);
    const loads = journal.counters.loads;
    expect(await journal.load('loadBalancer', id)).toEqual(before);
    // What was written before this version says nothing about when.
    await pool.query(`update entities set since = '-infinity' where id = $1`, [id]);
    expect(await journal.load('loadBalancer', id)).toEqual(before);
    expect(journal.counters.loads - loads).toBe(2);
  });

  test('looks into no partition but the one where the entries are', async () => {
    const own = new pg.Pool({ connectionString: database.url, max: 1 });
    try {
      await makeJournalPartitions(own, Date.now() - 60 * 86_400_000);
      const id = randomUUID();
      await journal.append(entry(id, owner));
      const scans = async () => {
        // A session tells its counts at leisure, unless it is asked to.
        await own.query('select pg_stat_force_next_flush()');
        const { rows } = await own.query<{ relname: string; scans: string }>(
          `select relname, seq_scan + coalesce(idx_scan, 0) as scans from pg_stat_user_tables where relname like 'journal%'`,
        );
        return new Map(rows.map((row) => [row.relname, Number(row.scans)]));
      };
      const before = await scans();
      await new Journal(own).load('loadBalancer', id);
      const after = await scans();
      expect([...after].filter(([name, count]) => count > (before.get(name) ?? 0))).toHaveLength(1);
      expect(after.size).toBeGreaterThan(10);
    } finally {
      await own.end();
    }
  });

  test('gives nothing for an id that nobody made, and tells kinds apart', async () => {
    const id = randomUUID();
    await journal.append(entry(id, owner, { kind: 'amphora' }));
    expect(await journal.load('loadBalancer', id)).toBeUndefined();
    expect((await journal.load('amphora', id))?.entries).toHaveLength(1);
  });

  test('of one that the database refuses fails nobody else', async () => {
    const id = randomUUID();
    await journal.append(entry(id, owner));
    const [good, bad] = await Promise.allSettled([
      journal.load('loadBalancer', id),
      journal.load('loadBalancer', 'no uuid'),
    ]);
    expect(good).toMatchObject({ status: 'fulfilled', value: { isOver: false } });
    expect(bad).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('no uuid') } });
  });
});

describe('tables for reading', () => {
  test('follow what entries say, in the columns of the database', async () => {
    const id = randomUUID();
    const upserts = (name: string) => ({ upserts: { loadBalancers: [loadBalancerRow(id, name)] }, deletes: {} });
    await journal.append(entry(id, owner, { rows: upserts('before') }));
    await journal.append(entry(id, owner, { seq: 2, rows: upserts('after') }));
    const { rows } = await pool.query(
      'select name, admin_state_up, tags, vip_subnet_id from load_balancers where id = $1',
      [id],
    );
    expect(rows).toEqual([{ name: 'after', admin_state_up: true, tags: ['a', 'b'], vip_subnet_id: 'subnet' }]);
    await journal.append(entry(id, owner, { seq: 3, rows: { upserts: {}, deletes: { loadBalancers: [id] } } }));
    expect((await traces(pool, id)).rows).toBe(0);
  });

  test('have no column or table that the schema has not', async () => {
    const id = randomUUID();
    const row = { ...loadBalancerRow(id), colour: 'red' };
    const unknownColumn = journal.append(
      entry(id, owner, { rows: { upserts: { loadBalancers: [row] }, deletes: {} } }),
    );
    await expect(unknownColumn).rejects.toThrow('projection load_balancers has no column for colour');
    const unknownTable = journal.append(entry(id, owner, { rows: { upserts: {}, deletes: { colours: [id] } } }));
    await expect(unknownTable).rejects.toThrow('there is no projection colours');
    expect(await traces(pool, id)).toEqual(noTraces);
  });
});

describe('a connection that is cut during an append', () => {
  test('leaves the outcome unknown, and the next append finds another connection', async () => {
    const id = randomUUID();
    const blocker = await pool.connect();
    await blocker.query('begin');
    await blocker.query('lock table entities in access exclusive mode');
    const cut = journal.append(entry(id, owner));
    const waiting = `from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await waitFor(async () => (await pool.query(`select 1 ${waiting}`)).rowCount, { describe: 'the append to wait' });
    await Promise.all([
      expect(cut).rejects.toThrow(OutcomeUnknownError),
      pool.query(`select pg_terminate_backend(pid) ${waiting}`),
    ]);
    await blocker.query('rollback');
    blocker.release();
    expect(await traces(pool, id)).toEqual(noTraces);
    expect(await journal.append(entry(id, owner))).toEqual({ type: 'written' });
  });
});
