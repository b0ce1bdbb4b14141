// How the journal takes what a database in trouble does: nothing is blamed on the entry that lies with the server.
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { databaseTroubles } from '../../../src/db/health.ts';
import { Journal } from '../../../src/db/journal.ts';
import { openPool } from '../../../src/db/pool.ts';
import { AppendRejectedError, OutcomeUnknownError } from '../../../src/domain/journal.ts';
import { startDatabaseProxy } from '../../support/database-proxy.ts';
import { entry, noTraces, type Owner, ownAll, traces } from '../../support/entries.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { undoAfterEach } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

let pool: pg.Pool;
let owner: Owner;

const undo = undoAfterEach();
afterAll(() => pool.end());
const database = useTestDatabase();

beforeAll(async () => {
  pool = new pg.Pool({ connectionString: database.url, max: 4 });
  owner = await ownAll(pool);
});

function journalOver(more: { readonly url?: string; readonly queryTimeoutMs?: number; readonly size?: number } = {}) {
  const own = openPool({ url: database.url, size: 2, onIdleError: () => undefined, ...more });
  undo.push(() => own.end());
  return { own, journal: new Journal(own) };
}

async function failing(code: string): Promise<() => Promise<unknown>> {
  await pool.query(`
    create function trouble() returns trigger language plpgsql as $$
    begin raise exception 'as told by the test' using errcode = '${code}'; end $$;
    create trigger trouble before insert on journal for each row execute function trouble()`);
  const mend = () => pool.query('drop function if exists trouble cascade');
  undo.push(mend);
  return mend;
}

describe('an append', () => {
  test.each([
    ['25006', 'a server that is read-only, or a standby'],
    ['53100', 'a full disk'],
    ['53200', 'want of memory'],
    ['57014', 'a time-out of the server'],
    ['57P03', 'a server that is starting'],
    ['58030', 'an input or output error'],
    ['55P03', 'a lock that is not to be had'],
    ['42501', 'a permission that was taken away'],
    ['42883', 'a function that an older backup does not have'],
    ['40001', 'a conflict that does not end'],
    ['XX000', 'a mistake of the server'],
  ])('that meets %s, %s, is not rejected, and goes through when that is over', async (code) => {
    const { journal } = journalOver();
    const id = randomUUID();
    const mend = await failing(code);
    const both = await Promise.allSettled([
      journal.append(entry(id, owner)),
      journal.append(entry(randomUUID(), owner)),
    ]);
    expect(both.map((one) => (one as PromiseRejectedResult).reason)).toEqual(
      Array(2).fill(expect.any(OutcomeUnknownError)),
    );
    expect(journal.trouble).toBe('as told by the test');
    await mend();
    expect(await journal.append(entry(id, owner))).toEqual({ type: 'written' });
    expect(journal.trouble).toBeUndefined();
  });

  test.each(['22003', '23514', '54000', 'P0001'])('that meets %s is rejected for what is in it', async (code) => {
    const { journal } = journalOver();
    await failing(code);
    await expect(journal.append(entry(randomUUID(), owner))).rejects.toThrow(AppendRejectedError);
    expect(journal.trouble).toBeUndefined();
  });

  test('of a node whose password was changed is not rejected, nor is a load', async () => {
    const url = new URL(database.url);
    url.password = 'no longer';
    const { journal } = journalOver({ url: url.href });
    await expect(journal.append(entry(randomUUID(), owner))).rejects.toThrow(OutcomeUnknownError);
    await expect(journal.load('amphora', randomUUID())).rejects.toThrow(OutcomeUnknownError);
    expect(journal.trouble).toMatch(/password authentication failed/);
  });

  test('that finds too many connections is not rejected', async () => {
    const role = `role_${randomBytes(4).toString('hex')}`;
    await pool.query(`create role ${role} login password 'secret' connection limit 0`);
    undo.push(() => pool.query(`drop role ${role}`));
    const url = new URL(database.url);
    [url.username, url.password] = [role, 'secret'];
    const { own, journal } = journalOver({ url: url.href });
    await expect(journal.append(entry(randomUUID(), owner))).rejects.toThrow(OutcomeUnknownError);
    expect(await databaseTroubles(own, journal)).toEqual([
      expect.stringMatching(/^nothing can be written: too many connections/),
      expect.stringMatching(/^the database does not answer: too many connections/),
    ]);
  });

  test('that waits for a lock is given up by the server, which says so, and those behind it wait no longer', async () => {
    const { journal } = journalOver({ queryTimeoutMs: 1_000 });
    const [id, behind] = [randomUUID(), randomUUID()];
    const blocker = await pool.connect();
    await blocker.query('begin; lock table entities in access exclusive mode');
    const first = journal.append(entry(id, owner)).catch((error: unknown) => error);
    await waitFor(() => journal.backlog === 0, { describe: 'the first to be sent', pollMs: 1 });
    const second = journal.append(entry(behind, owner)).catch((error: unknown) => error);
    expect(journal.oldestWaitMs).toBeGreaterThan(0);
    const failure = await first;
    expect(failure).toBeInstanceOf(OutcomeUnknownError);
    expect((failure as Error).cause).toMatchObject({ code: '57014' });
    expect(await second).toBeInstanceOf(OutcomeUnknownError);
    expect(journal.oldestWaitMs).toBe(0);
    await blocker.query('rollback');
    blocker.release();
    expect(await Promise.all([id, behind].map((one) => traces(pool, one)))).toEqual([noTraces, noTraces]);
    expect(await journal.append(entry(id, owner))).toEqual({ type: 'written' });
  });

  test('over a wire on which nothing travels ends, and nobody is told what is not known', async () => {
    const proxy = await startDatabaseProxy(database.url);
    undo.push(() => proxy.close());
    const { journal } = journalOver({ url: proxy.url, queryTimeoutMs: 500 });
    await journal.append(entry(randomUUID(), owner));
    const id = randomUUID();
    proxy.freeze();
    await expect(journal.append(entry(id, owner))).rejects.toThrow(OutcomeUnknownError);
    proxy.thaw();
    const loaded = await waitFor(
      () =>
        journal
          .load('loadBalancer', id)
          .then((found) => ({ found }))
          .catch(() => undefined),
      {
        describe: 'the database to be back',
      },
    );
    const seq = (loaded.found?.entries.length ?? 0) + 1;
    expect(await journal.append(entry(id, owner, { seq }))).toEqual({ type: 'written' });
  });
});

describe('whoever asks whether a node is ready', () => {
  test('hears nothing while all is well', async () => {
    const { own, journal } = journalOver();
    expect(await databaseTroubles(own, journal)).toEqual([]);
  });

  test('hears of a write that waits, and of a pool that has no connection left', async () => {
    const { own, journal } = journalOver({ size: 1 });
    const blocker = await pool.connect();
    await blocker.query('begin; lock table entities in access exclusive mode');
    const append = journal.append(entry(randomUUID(), owner));
    await waitFor(() => journal.oldestWaitMs > 2_000, { describe: 'the write to have waited for long' });
    const asked = databaseTroubles(own, journal);
    await waitFor(() => own.waitingCount > 0, { describe: 'the question to wait' });
    const waitedAt = performance.now();
    await waitFor(() => performance.now() - waitedAt > 2_100, { describe: 'it to have waited for long' });
    await blocker.query('rollback');
    blocker.release();
    await append;
    expect(await asked).toEqual([
      expect.stringMatching(/^the database is slow: a write has been waiting for \d+\.\d s$/),
      expect.stringMatching(
        /^the database is slow: it answered after \d+\.\d s \(connections: 1, waiting for one: 0\)$/,
      ),
    ]);
  });
});
