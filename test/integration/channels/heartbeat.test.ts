import { createSocket } from 'node:dgram';
import { pathToFileURL } from 'node:url';
import { deflateSync } from 'node:zlib';
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { type HeartbeatReceiver, startHeartbeatReceiver } from '../../../src/channels/heartbeat/receiver.ts';
import { encodeMessage, type HeartbeatMessage } from '../../../src/domain/health/message.ts';
import { sealPacket } from '../../../src/domain/health/packet.ts';
import { built } from '../../support/built.ts';
import { startDatabaseProxy } from '../../support/database-proxy.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer, listener, pool } from '../../support/load-balancer-commands.ts';
import { emptyBeforeEach, useTestDatabase } from '../../support/postgres.ts';
import {
  newLoadBalancerId,
  send,
  startTestNode,
  stateOf,
  type TestNode,
  type TestNodeOptions,
  untilStatus,
} from '../../support/tree.ts';
import { undoAfterEach, undoAll } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

const key = 'the heartbeat key';
const surprises: unknown[] = [];
process.on('unhandledRejection', (error) => surprises.push(error));
const undo = undoAfterEach();
afterEach(() => {
  expect(surprises.splice(0)).toEqual([]);
});
const database = useTestDatabase();
// Amphorae of another test's world would be silent.
emptyBeforeEach(database);

async function receiver(
  onMessage: (message: HeartbeatMessage, print: number) => void = () => undefined,
): Promise<HeartbeatReceiver> {
  const started = await startHeartbeatReceiver({ host: '127.0.0.1', port: 0, keys: [key], onMessage });
  undo.push(() => started.close());
  return started;
}

/** Sends from a socket of its own. */
function sender(port: number): (packet: Uint8Array) => Promise<void> {
  const socket = createSocket('udp4');
  undo.push(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  return (packet) =>
    new Promise((resolve, reject) =>
      socket.send(packet, port, '127.0.0.1', (error) => (error === null ? resolve() : reject(error))),
    );
}

const sealed = (text: string | Buffer, by = key) => sealPacket(deflateSync(text, { level: 9 }), by);

function message(id: string, more: Partial<HeartbeatMessage> = {}): HeartbeatMessage {
  return { id, seq: 1, listeners: {}, pools: {}, ver: 3, ...more };
}

const good = message('6be730e5-8034-44c2-b1e6-e38abf7dfe44');

describe('the receiver', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  const whole = sealed(encodeMessage(good));
  test.each<[string, Buffer, 'badSignature' | 'badCompression' | 'badMessage']>([
    ['signed with another key', sealed(encodeMessage(good), 'another key'), 'badSignature'],
    ['of random bytes', randomBytes(600), 'badSignature'],
    ['that was cut short', whole.subarray(0, whole.length - 9), 'badSignature'],
    ['shorter than a signature', Buffer.from('short'), 'badSignature'],
    ['that is a signature and nothing else', sealPacket(new Uint8Array(), key), 'badSignature'],
    ['that is no zlib stream', sealPacket(Buffer.from('not compressed'), key), 'badCompression'],
    ['whose stream was cut short', sealPacket(deflateSync(encodeMessage(good)).subarray(0, 40), key), 'badCompression'],
    ['that is a zip bomb', sealed(Buffer.alloc(40 * 1024 * 1024)), 'badCompression'],
    ['that is no JSON', sealed('{"id": "x", '), 'badMessage'],
    ['that is JSON and no heartbeat', sealed('{"id": 5, "seq": -1}'), 'badMessage'],
    ['that is null', sealed('null'), 'badMessage'],
    ['nested deeply', sealed(`{"id":"x","seq":1,"ver":3,"pools":{},"listeners":${nested(400_000)}}`), 'badMessage'],
    [
      'with a status that is no text',
      sealed('{"id":"x","seq":1,"ver":3,"pools":{},"listeners":{"a":{"status":1}}}'),
      'badMessage',
    ],
  ])('counts and drops a packet %s, and takes the next one', async (_, packet, counter) => {
    const heard: HeartbeatMessage[] = [];
    const { counters, port } = await receiver((one) => heard.push(one));
    const emit = sender(port);
    await emit(packet);
    await waitFor(() => counters.received === 1, { describe: 'the bad packet' });
    await emit(whole);
    await waitFor(() => counters.received === 2, { describe: 'the good packet' });
    const none = { otherKey: 0, badSignature: 0, badCompression: 0, badMessage: 0 };
    expect(counters).toEqual({ ...none, overflowed: 0, [counter]: 1, received: 2, accepted: 1 });
    expect(heard).toEqual([good]);
  });

  test('says clearly that its port is in use', async () => {
    const { port } = await receiver();
    const again = startHeartbeatReceiver({ host: '127.0.0.1', port, keys: [key], onMessage: () => undefined });
    await expect(again).rejects.toThrow(
      `heartbeats: UDP 127.0.0.1:${port} can't be listened on: the port is in use by another program`,
    );
  });

  test('hands packets to threads by their source, so that those of an amphora stay in order, and counts what they drop', async () => {
    const heard = new Map<string, number[]>();
    const started = await startHeartbeatReceiver({
      host: '127.0.0.1',
      port: 0,
      keys: [key],
      workers: 2,
      workerMain: pathToFileURL(built('channels/heartbeat/worker.js')),
      onMessage: ({ id, seq }) => heard.set(id, [...(heard.get(id) ?? []), seq]),
    });
    undo.push(() => started.close());
    const amphorae = ['a', 'b', 'c', 'd'].map((id) => ({ id, emit: sender(started.port) }));
    const numbers = Array.from({ length: 50 }, (_, seq) => seq);
    for (const seq of numbers) {
      for (const { id, emit } of amphorae) await emit(sealed(encodeMessage(message(id, { seq }))));
    }
    await amphorae[0]?.emit(sealed('{}', 'another key'));
    await waitFor(() => started.counters.accepted === 200 && started.counters.badSignature === 1, {
      describe: 'all packets to be read',
    });
    for (const { id } of amphorae) expect(heard.get(id)).toEqual(numbers);
    expect(started.counters).toMatchObject({ received: 201, overflowed: 0 });
    expect(started.lagMs()).toBeLessThan(10_000);
  });

  test('takes packets under an old and a new key while a key is replaced', async () => {
    const heard: HeartbeatMessage[] = [];
    const keys = ['new', 'old'];
    const onMessage = (one: HeartbeatMessage) => heard.push(one);
    const started = await startHeartbeatReceiver({ host: '127.0.0.1', port: 0, keys, onMessage });
    undo.push(() => started.close());
    const emit = sender(started.port);
    await emit(sealed(encodeMessage(good), 'old'));
    await emit(sealed(encodeMessage(good), 'new'));
    await waitFor(() => heard.length === 2, { describe: 'both packets' });
    expect(started.counters).toMatchObject({ accepted: 2, otherKey: 1 });
  });
});

describe('heartbeats', () => {
  const members = pool('web', ['10.1.0.1', '10.1.0.2']);
  const front = listener(80, members.id);
  const stats = { tx: 0, rx: 0, conns: 0, totconns: 0, ereq: 0 };

  interface Setting {
    readonly node: TestNode;
    readonly world: FakeWorld;
    readonly counters: HeartbeatReceiver['counters'];
    /** Amphorae that send a heartbeat every 30 ms: all there are, but for those that a test has silenced. */
    readonly silent: Set<string>;
    /** What the amphorae say of the members. */
    words: readonly [string, string];
  }

  async function setting(options: Partial<TestNodeOptions> = {}): Promise<Setting> {
    const { world = new FakeWorld() } = options;
    const node = await startTestNode({ url: database.url, ...options, world });
    undo.push(() => node.close());
    const { port, counters } = await receiver((one, print) => node.tree.heartbeats.receive(one, print));
    const emit = sender(port);
    const made: Setting = { node, world, counters, silent: new Set(), words: ['UP', 'UP'] };
    let seq = 0;
    const beat = () => {
      seq++;
      for (const id of world.instances.keys()) {
        if (made.silent.has(id)) continue;
        const [one = '', two = ''] = members.members.map((member) => member.id);
        const report = { status: 'UP', members: { [one]: made.words[0], [two]: made.words[1] } };
        const isServing = world.served.get(id)?.configuration?.includes(front.id) === true;
        const said = isServing
          ? { listeners: { [front.id]: { status: 'OPEN', stats } }, pools: { [`${members.id}:${front.id}`]: report } }
          : {};
        void emit(sealed(encodeMessage(message(id, { seq, ...said }))));
      }
    };
    const timer = setInterval(beat, 30);
    undo.push(async () => clearInterval(timer));
    return made;
  }

  async function activeOne({ node }: Setting) {
    const id = newLoadBalancerId();
    await send(node, id, createLoadBalancer(id, { pools: [members], listeners: [front] }));
    await untilStatus(node, id, 'ACTIVE');
    const amphoraId = (await stateOf(node, id))?.slots[0]?.amphoraId ?? '';
    return { id, amphoraId };
  }

  const operating = async ({ node }: Setting, objectId: string) =>
    (
      await node.pool.query<{ status: string }>('select status from operating_statuses where object_id = $1', [
        objectId,
      ])
    ).rows[0]?.status;

  const untilOperating = (made: Setting, objectId: string, status: string) =>
    waitFor(async () => (await operating(made, objectId)) === status, { describe: `${objectId} to be ${status}` });

  test('make operating statuses, and only what changes is written', async () => {
    const made = await setting();
    const { id } = await activeOne(made);
    const [one = '', two = ''] = members.members.map((member) => member.id);
    for (const object of [id, front.id, members.id, one, two]) await untilOperating(made, object, 'ONLINE');
    const since =
      'select object_id, since from operating_statuses where load_balancer_id = $1 and object_id <> all($2)';
    const changing = [id, members.id, two];
    const before = (await made.node.pool.query(since, [id, changing])).rows;
    made.words = ['UP', 'DOWN'];
    for (const [object, status] of [
      [two, 'ERROR'],
      [members.id, 'DEGRADED'],
      [id, 'DEGRADED'],
    ] as const) {
      await untilOperating(made, object, status);
    }
    expect((await made.node.pool.query(since, [id, changing])).rows).toEqual(before);
    made.words = ['UP', 'UP'];
    await untilOperating(made, id, 'ONLINE');
  });

  test('are learnt again by a load balancer whose actor had left memory', async () => {
    const made = await setting();
    const { id } = await activeOne(made);
    await untilOperating(made, id, 'ONLINE');
    await made.node.tree.loadBalancers.restart(id);
    made.words = ['DOWN', 'DOWN'];
    await untilOperating(made, id, 'DEGRADED');
  });

  test('that say what the node before has heard wake nobody on the next one; those that differ do', async () => {
    const first = await setting();
    const { id } = await activeOne(first);
    await untilOperating(first, id, 'ONLINE');
    const heard = async () => (await first.node.pool.query('select 1 from heard_amphorae')).rowCount;
    await waitFor(async () => (await heard()) === 1, { describe: 'what was heard to be noted' });
    await undoAll(undo);

    const second = await setting({ world: first.world });
    await waitFor(() => second.counters.accepted > 20, { describe: 'heartbeats of all' });
    expect(second.node.tree.loadBalancers.liveCount).toBe(0);
    second.words = ['DOWN', 'UP'];
    await untilOperating(second, id, 'DEGRADED');
    expect(second.node.tree.loadBalancers.liveCount).toBe(1);
  });

  test('that have not come yet after a takeover leave the statuses as the node before wrote them, whatever changes', async () => {
    const first = await setting();
    const { id, amphoraId } = await activeOne(first);
    await untilOperating(first, id, 'ONLINE');
    await waitFor(async () => (await first.node.pool.query('select 1 from heard_amphorae')).rowCount === 1, {
      describe: 'what was heard to be noted',
    });
    await undoAll(undo);

    const node = await startTestNode({ url: database.url, world: first.world });
    undo.push(() => node.close());
    await send(node, id, { type: 'updateLoadBalancer', patch: { name: 'renamed' } });
    await untilStatus(node, id, 'ACTIVE');
    const statuses = async () =>
      (await node.pool.query<{ status: string }>('select distinct status from operating_statuses')).rows;
    expect(await statuses()).toEqual([{ status: 'ONLINE' }]);
    // And then what is heard is taken for new, though it was heard before.
    const heard = message(amphoraId, { seq: 1 });
    node.tree.heartbeats.receive(heard, 1);
    await waitFor(async () => (await statuses()).some(({ status }) => status !== 'ONLINE'), {
      describe: 'the heartbeat to count',
    });
  });

  test('from amphorae that nobody knows are counted and do nothing', async () => {
    const made = await setting({ spares: 0 });
    made.world.instances.set('nobody', {
      amphoraId: 'nobody' as never,
      computeId: 'c',
      status: 'ACTIVE',
      agent: undefined,
    });
    await waitFor(() => made.node.tree.heartbeats.outcomes.unknown > 2, { describe: 'unknown heartbeats' });
    expect(made.world.instances.has('nobody')).toBe(true);
    expect(made.node.tree.heartbeats.unknown.get('nobody')).toBeGreaterThan(2);
  });

  test('that stay away make another amphora serve, and a spare be replaced', async () => {
    const made = await setting({ health: { timeoutMs: 400, tickMs: 50 } });
    const { id, amphoraId } = await activeOne(made);
    made.silent.add(amphoraId);
    await waitFor(
      async () => {
        const [slot, ...others] = (await stateOf(made.node, id))?.slots ?? [];
        return others.length === 0 && slot?.serves === true && slot.amphoraId !== amphoraId;
      },
      { describe: 'another amphora to serve' },
    );
    expect(made.world.instances.has(amphoraId)).toBe(false);
    await untilStatus(made.node, id, 'ACTIVE');
    const [spare = ''] = await waitFor(
      async () => {
        const text = `select id from amphorae where status = 'READY'`;
        const { rows } = await made.node.pool.query<{ id: string }>(text);
        return rows.length === 1 ? rows.map((row) => row.id) : undefined;
      },
      { describe: 'a spare' },
    );
    made.silent.add(spare);
    await waitFor(() => !made.world.instances.has(spare) && made.world.instances.size === 2, {
      describe: 'the silent spare to be replaced',
    });
  });

  test('that a node cannot judge, because its database is away, start no failover', async () => {
    const proxy = await startDatabaseProxy(database.url);
    undo.push(() => proxy.close());
    const made = await setting({ url: proxy.url, health: { timeoutMs: 400, tickMs: 50 } });
    const { id, amphoraId } = await activeOne(made);
    await untilOperating(made, id, 'ONLINE');
    await waitFor(() => made.world.instances.size === 2, { describe: 'a spare, whose heartbeats come meanwhile' });
    proxy.goAway();
    await waitFor(() => !made.node.ownership.isConnected, { describe: 'the session to be lost' });
    made.silent.add(amphoraId);
    const { received } = made.counters;
    // Long enough for the time-out to pass twice.
    await waitFor(() => made.counters.received > received + 30, { describe: 'heartbeats of others' });
    made.silent.clear();
    proxy.comeBack();
    await waitFor(() => made.node.ownership.isConnected && made.node.ownership.owns(id), {
      describe: 'the session to be back',
    });
    const after = made.counters.received;
    await waitFor(() => made.counters.received > after + 40, { describe: 'heartbeats of all' });
    const state = await waitFor(() => stateOf(made.node, id), { describe: 'the load balancer' });
    expect(state.slots).toMatchObject([{ amphoraId, leaving: null, serves: true }]);
    expect(made.world.calls.filter((call) => call.startsWith('compute.delete'))).toEqual([]);
  });

  test('that a node reads late start no failover, and when it reads in time again everybody has the whole time-out', async () => {
    let lagMs = 0;
    const made = await setting({ health: { timeoutMs: 400, tickMs: 50 }, lagMs: () => lagMs });
    const { id, amphoraId } = await activeOne(made);
    await waitFor(() => made.world.instances.size === 2, { describe: 'a spare, whose heartbeats come meanwhile' });
    lagMs = 200;
    made.silent.add(amphoraId);
    const { received } = made.counters;
    await waitFor(() => made.counters.received > received + 30, {
      describe: 'heartbeats of others, for two time-outs',
    });
    lagMs = 0;
    made.silent.clear();
    const after = made.counters.received;
    await waitFor(() => made.counters.received > after + 40, { describe: 'heartbeats of all' });
    expect((await stateOf(made.node, id))?.slots).toMatchObject([{ amphoraId, leaving: null, serves: true }]);
    expect(made.world.calls.filter((call) => call.startsWith('compute.delete'))).toEqual([]);
  });

  test('are judged on a clock of their own: when that of the wall jumps, nobody is failed over', async () => {
    const made = await setting({ health: { timeoutMs: 400, tickMs: 50 } });
    const { id, amphoraId } = await activeOne(made);
    await waitFor(() => made.world.instances.size === 2, { describe: 'a spare' });
    const real = Date.now.bind(Date);
    for (const jumpMs of [86_400_000, -86_400_000]) {
      const wall = jest.spyOn(Date, 'now').mockImplementation(() => real() + jumpMs);
      const { received } = made.counters;
      await waitFor(() => made.counters.received > received + 30, { describe: 'heartbeats after the jump' });
      wall.mockRestore();
    }
    expect((await stateOf(made.node, id))?.slots).toMatchObject([{ amphoraId, leaving: null, serves: true }]);
    expect(made.world.calls.filter((call) => call.startsWith('compute.delete'))).toEqual([]);
  });
});
