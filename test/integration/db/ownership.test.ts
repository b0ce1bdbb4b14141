import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { pino } from 'pino';
import { Ownership } from '../../../src/actors/runtime/ownership.ts';
import { Journal } from '../../../src/db/journal.ts';
import type { OwnershipSession } from '../../../src/db/ownership.ts';
import { shardCount, shardOf } from '../../../src/domain/ids.ts';
import type { ClaimPlan, OwnedShard } from '../../../src/domain/ownership.ts';
import { type DatabaseProxy, startDatabaseProxy } from '../../support/database-proxy.ts';
import { entry } from '../../support/entries.ts';
import { entityShards, openTestSession, type TestSession } from '../../support/registration.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { undoAfterEach } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

let pool: pg.Pool;
const undo = undoAfterEach();
afterAll(() => pool.end());
const database = useTestDatabase();
beforeAll(() => {
  pool = new pg.Pool({ connectionString: database.url, max: 3 });
  pool.on('error', () => undefined);
});
beforeEach(() => pool.query('update shards set owner = null'));

const everything = shardCount * 2 + 1;

/** Shards of every family that a worker and judge of health takes. */
const all: ClaimPlan = {
  dead: [],
  most: { entities: shardCount, health: shardCount, spares: 1, housekeeping: 0 },
  isNeeded: true,
  isShort: false,
};

/** Takes whatever can be had, as a node alone would. */
async function claimAll(session: OwnershipSession, held: readonly OwnedShard[] = []): Promise<readonly OwnedShard[]> {
  const { nodes } = await session.look();
  return session.claim({ ...all, dead: nodes.filter(({ isDead }) => isDead).map(({ id }) => id) }, held);
}

async function open({ url = database.url, ...node }: Partial<TestSession> & { url?: string } = {}) {
  const session = await openTestSession(url, { id: randomUUID(), leaseMs: 60_000, ...node });
  undo.push(() => session.close());
  return session;
}

async function wire(): Promise<DatabaseProxy> {
  const proxy = await startDatabaseProxy(database.url);
  undo.push(() => proxy.close());
  return proxy;
}

function epochOf(shards: readonly OwnedShard[], shard = 0): number {
  return shards.find((one) => one.family === 'entities' && one.shard === shard)?.epoch ?? Number.NaN;
}

const untilAllTaken = (session: OwnershipSession) =>
  waitFor(
    async () => {
      const taken = await claimAll(session);
      return taken.length === everything ? taken : undefined;
    },
    { describe: 'all shards to be taken' },
  );

describe('a session', () => {
  test('takes everything that is free, once, each under a higher epoch', async () => {
    const session = await open();
    const first = await claimAll(session);
    expect(first).toHaveLength(everything);
    expect(await claimAll(session, first)).toEqual([]);
    const again = await claimAll(session);
    expect(again).toHaveLength(everything);
    expect(epochOf(again)).toBe(epochOf(first) + 1);
  });

  test('takes anew what it does not know to hold: the answer to an earlier claim may have been lost', async () => {
    const session = await open();
    const [unheard, ...heard] = await claimAll(session);
    const again = await claimAll(session, heard);
    expect(again).toEqual([{ ...unheard, epoch: (unheard?.epoch ?? 0) + 1 }]);
  });

  test('takes nothing while another one lives, and everything that one gives back', async () => {
    const first = await open();
    const second = await open();
    const held = await claimAll(first);
    expect(await claimAll(second)).toEqual([]);
    expect(await first.renew()).toBe(true);
    await first.close();
    const taken = await claimAll(second);
    expect(taken).toHaveLength(everything);
    expect(epochOf(taken)).toBe(epochOf(held) + 1);
  });

  test('takes everything from one whose connection was cut', async () => {
    const proxy = await wire();
    const first = await open({ url: proxy.url });
    const second = await open();
    await claimAll(first);
    proxy.cut();
    expect(await first.ended).toBeDefined();
    await untilAllTaken(second);
  });

  test('takes everything from one that is frozen once its lease has passed, and that one learns of it', async () => {
    const proxy = await wire();
    const first = await open({ url: proxy.url, leaseMs: 300 });
    const second = await open();
    await claimAll(first);
    proxy.freeze();
    await untilAllTaken(second);
    proxy.thaw();
    expect(await first.renew()).toBe(false);
  });

  test('of a node that comes back takes what nobody took meanwhile, under a new epoch', async () => {
    const proxy = await wire();
    const id = randomUUID();
    const first = await open({ url: proxy.url, id });
    const before = await claimAll(first);
    proxy.cut();
    const again = await open({ id });
    const after = await claimAll(again);
    expect(after).toHaveLength(everything);
    expect(epochOf(after)).toBe(epochOf(before) + 1);
    expect(await again.renew()).toBe(true);
  });

  test('that opens while others look for dead nodes is never taken for one', async () => {
    const other = await open();
    let isLooking = true;
    const looking = (async () => {
      while (isLooking) await claimAll(other);
    })();
    const born: OwnershipSession[] = [];
    for (let count = 0; count < 15; count++) born.push(await open());
    isLooking = false;
    await looking;
    expect(await Promise.all(born.map((session) => session.renew()))).toEqual(Array(15).fill(true));
  });
});

describe('an append and a takeover', () => {
  /** A transaction that has read the shards as an append does, and is not over. */
  async function appendUnderWay(): Promise<pg.PoolClient> {
    const client = await pool.connect();
    undo.push(async () => {
      await client.query('rollback');
      client.release();
    });
    await client.query('begin');
    await client.query('select 1 from shards where shard = 3 for share');
    return client;
  }

  test('exclude each other: the takeover waits for a bounded time, takes nothing, and succeeds later', async () => {
    const session = await open();
    const append = await appendUnderWay();
    const startedAt = Date.now();
    await expect(claimAll(session)).rejects.toThrow(/lock timeout/);
    expect(Date.now() - startedAt).toBeLessThan(4_000);
    const owned = await pool.query('select 1 from shards where owner is not null');
    expect(owned.rowCount).toBe(0);
    await append.query('rollback');
    expect(await claimAll(session)).toHaveLength(everything);
  });

  test('exclude each other: an append waits for the takeover and then is stale', async () => {
    const session = await open();
    const id = randomUUID();
    const before = await claimAll(session);
    const rows = await pool.query<{ owner: string }>(`select owner from shards where family = 'entities' limit 1`);
    const node = rows.rows[0]?.owner ?? '';
    const takeover = await appendUnderWay();
    await takeover.query('update shards set owner = $1, epoch = epoch + 1', [randomUUID()]);
    const journal = new Journal(pool);
    const late = journal.append(entry(id, { node, epoch: epochOf(before, shardOf(id)) }));
    late.catch(() => undefined);
    await waitFor(
      async () =>
        (
          await pool.query(
            `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
          )
        ).rowCount,
      { describe: 'the append to wait' },
    );
    await takeover.query('commit');
    await expect(late).rejects.toThrow(/is owned by another node, or under a later epoch/);
    expect(await journal.load('loadBalancer', id)).toBeUndefined();
  });
});

describe('a node', () => {
  function untilShared(one: Ownership, two: Ownership): Promise<unknown> {
    const isShared = () => one.ownedShards === shardCount / 2 && two.ownedShards === shardCount / 2;
    return waitFor(isShared, { timeoutMs: 20_000, describe: 'the shards to be shared' });
  }

  interface Watched {
    readonly ownership: Ownership;
    readonly gained: number[][];
    readonly handedOver: (readonly OwnedShard[])[];
    lost: number;
  }

  function node(
    url: string,
    leaseMs = 3_000,
    rest: Partial<TestSession> = {},
    handOver: () => Promise<void> = async () => undefined,
  ): Watched {
    const nodeId = randomUUID();
    const watched: Watched = {
      gained: [],
      handedOver: [],
      lost: 0,
      ownership: new Ownership({
        nodeId,
        leaseMs,
        log: pino({ level: 'silent' }),
        openSession: () => openTestSession(url, { id: nodeId, leaseMs, ...rest }),
        onGained: (shards) => watched.gained.push([...entityShards(shards)]),
        onLost: () => watched.lost++,
        handOver: (shards) => {
          watched.handedOver.push(shards);
          return handOver();
        },
      }),
    };
    undo.push(() => watched.ownership.stop());
    return watched;
  }

  const id = randomUUID();

  test('that lost its session loses its lease at once, and comes back with a new epoch for everything', async () => {
    const proxy = await wire();
    const { ownership, gained, lost } = node(proxy.url);
    await ownership.start();
    const { epoch } = ownership.fenceOf(id);
    const lease = ownership.leaseLost;
    proxy.goAway();
    await waitFor(() => lease.aborted, { describe: 'the lease to be lost' });
    expect(ownership.isConnected).toBe(false);
    proxy.comeBack();
    await waitFor(() => ownership.isConnected && gained.length === 2, { describe: 'shards to be held again' });
    expect(gained[1]).toHaveLength(shardCount);
    expect(ownership.fenceOf(id).epoch).toBe(epoch + 1);
    expect(ownership.leaseLost.aborted).toBe(false);
    expect(lost).toBe(0);
  });

  test('keeps looking for free shards after a claim that had to give up', async () => {
    const blocker = await pool.connect();
    await blocker.query('begin');
    await blocker.query('select 1 from shards for share');
    const { ownership } = node(database.url, 60_000);
    await ownership.start();
    expect(ownership.ownedShards).toBe(0);
    await blocker.query('rollback');
    blocker.release();
    await waitFor(() => ownership.ownedShards === shardCount, { describe: 'shards to be claimed' });
  });

  test('takes over from one that was cut off while it was away, and shares with it when it is back', async () => {
    const proxy = await wire();
    const one = node(proxy.url);
    const two = node(database.url);
    await one.ownership.start();
    const { epoch } = one.ownership.fenceOf(id);
    await two.ownership.start();
    await untilShared(one.ownership, two.ownership);
    proxy.goAway();
    await waitFor(() => two.ownership.ownedShards === shardCount, { describe: 'the takeover' });
    proxy.comeBack();
    await waitFor(() => one.lost > 0 && one.ownership.isConnected, { describe: 'the first to come back' });
    await untilShared(one.ownership, two.ownership);
    const owner = one.ownership.owns(id) ? one.ownership : two.ownership;
    expect(owner.fenceOf(id).epoch).toBeGreaterThan(epoch);
  });

  test('that was frozen for longer than its lease loses it, and claims anew when it was declared dead', async () => {
    const proxy = await wire();
    const one = node(proxy.url, 600);
    await one.ownership.start();
    const lease = one.ownership.leaseLost;
    proxy.freeze();
    await waitFor(() => lease.aborted, { describe: 'the lease to run out' });
    const two = node(database.url);
    await two.ownership.start();
    await waitFor(() => two.ownership.ownedShards === shardCount, { describe: 'the takeover' });
    proxy.thaw();
    await waitFor(() => one.lost > 0, { describe: 'the first to learn of it' });
    await two.ownership.stop();
    await waitFor(() => one.ownership.ownedShards === shardCount, { describe: 'the first to claim anew' });
  });

  test('that joins gets its share, few at a time, without disturbing what stays, and gives it back when it drains', async () => {
    const one = node(database.url);
    await one.ownership.start();
    const epochs = async () => (await pool.query('select family, shard, epoch, owner from shards order by 1, 2')).rows;
    const before = (await epochs()) as { owner: string; epoch: string }[];
    const two = node(database.url, 3_000);
    await two.ownership.start();
    await untilShared(one.ownership, two.ownership);
    expect(Math.max(...one.handedOver.map((shards) => entityShards(shards).length))).toBe(16);
    const after = (await epochs()) as { owner: string; epoch: string }[];
    const stayed = after.filter((row, index) => row.owner === before[index]?.owner);
    expect(stayed.length).toBeGreaterThanOrEqual(shardCount);
    expect(stayed.every((row) => before.some((old) => old.epoch === row.epoch))).toBe(true);
    await two.ownership.drain(10_000);
    expect(two.ownership.ownedShards).toBe(0);
    await waitFor(() => one.ownership.ownedShards === shardCount, { describe: 'everything to be back' });
    expect(await one.ownership.setDraining(two.ownership.nodeId, false)).toBe(true);
    await untilShared(one.ownership, two.ownership);
    expect(await one.ownership.setDraining(randomUUID(), true)).toBe(false);
  });

  test('whose session ends in the middle of a hand-over wakes what it keeps', async () => {
    const proxy = await wire();
    let letGo: () => void = () => undefined;
    const one = node(proxy.url, 5_000, { graceMs: 3_000 }, () => new Promise<void>((resolve) => (letGo = resolve)));
    await one.ownership.start();
    const two = node(database.url, 5_000, { graceMs: 3_000 });
    await two.ownership.start();
    await waitFor(() => one.handedOver.length > 0, { describe: 'a hand-over' });
    const leaving = entityShards(one.handedOver[0] ?? []);
    const before = one.gained.length;
    proxy.cut();
    await waitFor(() => one.gained.length > before, { describe: 'the session to be back' });
    const back = one.gained.length;
    letGo();
    await waitFor(() => one.gained.length > back, { describe: 'what was to go to be gained again' });
    expect(one.gained[back]).toEqual(leaving);
  });

  test('that drains and is alone keeps its shards: nobody else would serve them', async () => {
    const one = node(database.url);
    await one.ownership.start();
    await one.ownership.drain(2_000);
    expect(one.ownership.ownedShards).toBe(shardCount);
  });

  test('waits for the sessions of the others after all were lost at once: each keeps its shards', async () => {
    const proxy = await wire();
    const one = node(proxy.url, 5_000, { graceMs: 3_000 });
    const two = node(proxy.url, 5_000, { graceMs: 3_000 });
    await one.ownership.start();
    await two.ownership.start();
    await untilShared(one.ownership, two.ownership);
    const owners = async () => (await pool.query('select family, shard, owner from shards order by 1, 2')).rows;
    const before = await owners();
    proxy.cut();
    await waitFor(() => !one.ownership.isConnected && !two.ownership.isConnected, { describe: 'sessions to be lost' });
    await waitFor(() => one.ownership.isConnected && two.ownership.isConnected, { describe: 'both to be back' });
    expect(await owners()).toEqual(before);
  });

  test('does not join others whose settings differ, and names them', async () => {
    const one = node(database.url, 3_000, { settings: { driver: 'a', 'heartbeat.key': 'b' } });
    await one.ownership.start();
    const two = node(database.url, 3_000, { settings: { driver: 'a', 'heartbeat.key': 'c' } });
    await expect(two.ownership.start()).rejects.toThrow(/must not join the cluster: heartbeat.key differs/);
    await one.ownership.stop();
    await two.ownership.start();
    expect(two.ownership.ownedShards).toBe(shardCount);
  });

  test('takes nothing while the database says that all shall only look', async () => {
    await pool.query(`update deployment set observing = 'it was restored'`);
    const one = node(database.url);
    await one.ownership.start();
    expect([one.ownership.ownedShards, one.ownership.view.observing]).toEqual([0, 'it was restored']);
    await pool.query('update deployment set observing = null');
    await waitFor(() => one.ownership.ownedShards === shardCount, { describe: 'the shards to be taken' });
    await pool.query(`update deployment set observing = 'it was restored again'`);
    await waitFor(() => one.ownership.ownedShards === 0, { describe: 'the shards to be given back' });
    await pool.query('update deployment set observing = null');
  });

  test('lets go of a shard whose fence was refused, and not of one that it has claimed anew since', async () => {
    const one = node(database.url);
    await one.ownership.start();
    const fence = one.ownership.fenceOf(id);
    one.ownership.disown({ ...fence, epoch: fence.epoch - 1 });
    expect(one.ownership.owns(id)).toBe(true);
    one.ownership.disown(fence);
    expect(one.ownership.owns(id)).toBe(false);
    await waitFor(() => one.ownership.owns(id), { describe: 'the shard to be claimed again' });
    expect(one.ownership.fenceOf(id).epoch).toBe(fence.epoch + 1);
  });
});
