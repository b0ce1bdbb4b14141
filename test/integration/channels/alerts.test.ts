// Alerts, from a heartbeat to the command channel.
import { describe, expect, test } from '@jest/globals';
import { subscribeAlerts } from '../../../src/channels/command/client.ts';
import { clearAlerts, countOpenAlerts, purgeAlerts } from '../../../src/db/repositories/alerts.ts';
import type { AmphoraId, LoadBalancerId, ObjectId } from '../../../src/domain/ids.ts';
import type { AlertChange } from '../../../src/domain/alert-views.ts';
import { startTestControl, type TestControl } from '../../support/control.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer, listener, pool } from '../../support/load-balancer-commands.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { newLoadBalancerId, send, startTestNode, stateOf, type TestNode, untilStatus } from '../../support/tree.ts';
import { undoAfterEach } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

const database = useTestDatabase();
const undo = undoAfterEach();

interface Setting {
  readonly node: TestNode;
  readonly control: TestControl;
  readonly id: LoadBalancerId;
  readonly front: ObjectId;
  readonly poolId: ObjectId;
  readonly one: ObjectId;
  readonly two: ObjectId;
  readonly changes: AlertChange[];
  /** Its amphora says that of the two members. */
  readonly say: (first: string, second: string, amphoraId?: string) => void;
  /** Its amphora says that it serves nothing. */
  readonly sayNothing: () => void;
  /** Until the object's operating status is written. */
  readonly until: (object: string, status: string) => Promise<unknown>;
}

let beats = 0;
let settings = 0;

async function setting(isServed = true): Promise<Setting> {
  const world = new FakeWorld();
  const node = await startTestNode({ url: database.url, world });
  undo.push(() => node.close());
  const control = await startTestControl(node, world);
  undo.push(() => control.close());
  const members = pool(`web ${++settings}`, ['10.0.0.1', '10.0.0.2']);
  const front = listener(80 + settings, members.id);
  const id = newLoadBalancerId();
  await send(node, id, createLoadBalancer(id, { pools: [members], listeners: [front] }));
  await untilStatus(node, id, 'ACTIVE');
  const amphoraId = (await stateOf(node, id))?.slots[0]?.amphoraId ?? '';
  const [one, two] = members.members.map((member) => member.id as ObjectId) as [ObjectId, ObjectId];
  const stats = { tx: 0, rx: 0, conns: 0, totconns: 0, ereq: 0 };
  const say: Setting['say'] = (first, second, speaker = amphoraId) => {
    const status = first === 'DOWN' && second === 'DOWN' ? 'DOWN' : 'UP';
    const pools = { [`${members.id}:${front.id}`]: { status, members: { [one]: first, [two]: second } } };
    const listeners = { [front.id]: { status: 'OPEN', stats } };
    beats++;
    node.tree.heartbeats.receive({ id: speaker, seq: beats, ver: 3, listeners, pools }, beats);
  };
  const sayNothing = () => {
    beats++;
    node.tree.heartbeats.receive({ id: amphoraId, seq: beats, ver: 3, listeners: {}, pools: {} }, beats);
  };
  const until: Setting['until'] = (object, status) =>
    waitFor(
      async () => {
        const text = 'select 1 from operating_statuses where object_id = $1 and status = $2';
        return (await node.pool.query(text, [object, status])).rowCount === 1;
      },
      { describe: `${object} to be ${status}` },
    );
  const changes: AlertChange[] = [];
  await subscribeAlerts(await control.connect(), (change) => changes.push(change), id);
  if (isServed) {
    say('UP', 'UP');
    await until(id, 'ONLINE');
  }
  return { node, control, id, front: front.id, poolId: members.id, one, two, changes, say, sayNothing, until };
}

async function clear({ node }: Setting, settleSeconds: number): Promise<readonly AlertChange[]> {
  const cleared = await clearAlerts(node.pool, settleSeconds);
  for (const change of cleared) node.alerts.tell(change);
  return cleared;
}

const gist = ({ what, kind, oldStatus, newStatus }: AlertChange) => [what, kind, oldStatus, newStatus];

describe('an alert', () => {
  test('is told and listed when a member goes down, gets worse with it, and is cleared when it is well again', async () => {
    const made = await setting();
    const { id, one, changes, say, until, control } = made;
    say('DOWN', 'UP');
    await waitFor(() => changes.length === 3, { describe: 'three alerts' });
    expect(new Set(changes.map(gist))).toEqual(
      new Set([
        ['opened', 'loadBalancer', 'ONLINE', 'DEGRADED'],
        ['opened', 'member', 'ONLINE', 'ERROR'],
        ['opened', 'pool', 'ONLINE', 'DEGRADED'],
      ]),
    );
    expect(changes.find(({ objectId }) => objectId === one)).toMatchObject({
      name: expect.stringMatching(/10\.0\.0\.1|^m/),
      loadBalancerId: id,
      reason: expect.stringContaining('checks of 10.0.0.1'),
      times: 1,
      clearedAt: null,
    });
    say('DOWN', 'DOWN');
    await waitFor(() => changes.length === 6, { describe: 'the other member, and what is worse' });
    expect(new Set(changes.slice(3).map(gist))).toEqual(
      new Set([
        ['opened', 'member', 'ONLINE', 'ERROR'],
        ['worsened', 'loadBalancer', 'DEGRADED', 'ERROR'],
        ['worsened', 'pool', 'DEGRADED', 'ERROR'],
      ]),
    );
    const client = await control.connect();
    const open = await client.call('alerts.list', { loadBalancerId: id, openOnly: true });
    expect(open.items.map(({ kind }) => kind)).toHaveLength(4);
    expect(open.items.every(({ status, clearedAt }) => status === 'ERROR' && clearedAt === null)).toBe(true);
    expect(await countOpenAlerts(made.node.pool)).toEqual({ loadBalancer: 1, listener: 0, pool: 1, member: 2 });
    say('UP', 'UP');
    await until(id, 'ONLINE');
    expect(await clear(made, 60)).toEqual([]);
    await waitFor(async () => (await clear(made, 0)) && changes.length === 10, { describe: 'all to be cleared' });
    expect(changes.slice(6).map(({ what, newStatus }) => [what, newStatus])).toEqual(
      Array(4).fill(['cleared', 'ONLINE']),
    );
    expect((await client.call('alerts.list', { loadBalancerId: id, openOnly: true })).items).toEqual([]);
    const all = await client.call('alerts.list', { loadBalancerId: id, limit: 3 });
    const rest = await client.call('alerts.list', { loadBalancerId: id, limit: 3, marker: all.next });
    expect(new Set([...all.items, ...rest.items].map((alert) => alert.id)).size).toBe(4);
    expect((await client.call('alerts.list', { projectId: 'nobody' })).items).toEqual([]);
  });

  test('of a member that flaps is one, told once, and counts', async () => {
    const made = await setting();
    const { one, changes, say, until, node } = made;
    for (let time = 1; time <= 5; time++) {
      say('DOWN', 'UP');
      await until(one, 'ERROR');
      say('UP', 'UP');
      await until(one, 'ONLINE');
      expect(await clear(made, 60)).toEqual([]);
    }
    await waitFor(() => changes.length === 3, { describe: 'the alerts' });
    const { rows } = await node.pool.query('select times, cleared_at from alerts where object_id = $1', [one]);
    expect(rows).toEqual([{ times: 5, cleared_at: null }]);
    expect(changes.filter(({ objectId }) => objectId === one)).toHaveLength(1);
  });

  test('is written by no heartbeat that says what the one before has said', async () => {
    const { one, say, until, node } = await setting();
    say('DOWN', 'UP');
    await until(one, 'ERROR');
    const rows = async () => (await node.pool.query('select xmin, * from alerts order by id')).rows as unknown;
    const before = await rows();
    for (let time = 0; time < 20; time++) say('DOWN', 'UP');
    say('DOWN', 'UP 1/2');
    await new Promise(setImmediate);
    expect(await rows()).toEqual(before);
  });

  test('is not raised by a heartbeat that was under way when a listener was first served; by the next one it is', async () => {
    const { id, front, sayNothing, say, until, changes, node } = await setting(false);
    sayNothing();
    say('UP', 'UP');
    await until(id, 'ONLINE');
    expect((await node.pool.query('select 1 from alerts where load_balancer_id = $1', [id])).rowCount).toBe(0);
    await send(node, id, { type: 'updateLoadBalancer', patch: { name: 'again' } });
    await untilStatus(node, id, 'ACTIVE');
    await waitFor(() => (sayNothing(), changes.length === 2), {
      describe: 'alerts of the listener and the load balancer',
    });
    expect(changes.find(({ kind }) => kind === 'listener')).toMatchObject({
      objectId: front,
      reason: 'no amphora serves it, though one should',
    });
  });

  test('does not settle while nobody is heard, and settles from when somebody is heard again', async () => {
    const made = await setting();
    const { id, poolId, say, until, node } = made;
    say('DOWN', 'UP');
    await until(poolId, 'DEGRADED');
    say('UP', 'UP');
    await until(poolId, 'ONLINE');
    const alert = async () =>
      (await node.pool.query('select well_since, cleared_at, times from alerts where object_id = $1', [poolId]))
        .rows[0];
    expect(await alert()).toMatchObject({ well_since: expect.any(Date) });
    // Its amphora is lost; the next one serves, and says nothing yet.
    const lost = (await stateOf(node, id))?.slots[0]?.amphoraId ?? ('' as AmphoraId);
    await send(node, id, { type: 'failoverAmphora', amphoraId: lost, why: 'lost', reason: 'it is silent' });
    await until(poolId, 'OFFLINE');
    expect(await alert()).toMatchObject({ well_since: null });
    expect(await clear(made, 0)).not.toContainEqual(expect.objectContaining({ objectId: poolId }));
    const next = () => stateOf(node, id).then((state) => state?.slots.find(({ amphoraId }) => amphoraId !== lost));
    await untilStatus(node, id, 'ACTIVE');
    say('UP', 'UP', (await next())?.amphoraId);
    await until(poolId, 'ONLINE');
    expect(await alert()).toMatchObject({ well_since: expect.any(Date), cleared_at: null, times: 1 });
  });

  test('of what was deleted is cleared, and forgotten after its time', async () => {
    const made = await setting();
    const { id, one, say, until, node, changes } = made;
    say('DOWN', 'UP');
    await until(one, 'ERROR');
    await send(node, id, { type: 'deleteLoadBalancer', cascade: true });
    await untilStatus(node, id, undefined);
    await waitFor(
      async () => (await clear(made, 60)) && changes.filter(({ what }) => what === 'cleared').length === 3,
      {
        describe: 'its alerts to be cleared',
      },
    );
    expect(changes.findLast(({ objectId }) => objectId === one)).toMatchObject({
      what: 'cleared',
      newStatus: 'DELETED',
    });
    expect(await purgeAlerts(node.pool, 1)).toBe(0);
    await node.pool.query(`update alerts set cleared_at = now() - interval '2 days' where load_balancer_id = $1`, [id]);
    expect(await purgeAlerts(node.pool, 1)).toBe(3);
  });
});
