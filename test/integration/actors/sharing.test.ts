import { describe, expect, test } from '@jest/globals';
import { listHeld } from '../../../src/db/repositories/held-failovers.ts';
import type { AmphoraId, LoadBalancerId } from '../../../src/domain/ids.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer, listener } from '../../support/load-balancer-commands.ts';
import { emptyBeforeEach, useTestDatabase } from '../../support/postgres.ts';
import { newLoadBalancerId, send, startTestNode, stateOf, type TestNode, untilStatus } from '../../support/tree.ts';
import { undoAfterEach } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

const undo = undoAfterEach();
const database = useTestDatabase();
emptyBeforeEach(database);

interface Shared {
  readonly node: TestNode;
  readonly world: FakeWorld;
  readonly ids: readonly LoadBalancerId[];
}

/** So many load balancers, created at once, of which `perAmphora` share an amphora. */
async function share(count: number, perAmphora: number, spares = 1): Promise<Shared> {
  const world = new FakeWorld();
  const node = await startTestNode({ url: database.url, world, spares });
  undo.push(() => node.close());
  const ids = Array.from({ length: count }, newLoadBalancerId);
  await Promise.all(
    ids.map((id, index) => send(node, id, createLoadBalancer(id, { perAmphora, listeners: [listener(80 + index)] }))),
  );
  await Promise.all(ids.map((id) => untilStatus(node, id, 'ACTIVE')));
  return { node, world, ids };
}

async function amphoraOf({ node }: Shared, id: LoadBalancerId): Promise<AmphoraId> {
  const slots = (await stateOf(node, id))?.slots ?? [];
  expect(slots).toHaveLength(1);
  return slots[0]?.amphoraId as AmphoraId;
}

async function amphoraeOf(shared: Shared): Promise<readonly AmphoraId[]> {
  return Promise.all(shared.ids.map((id) => amphoraOf(shared, id)));
}

const destroyed = ({ world }: Shared, id: string) => world.calls.includes(`compute.delete ${id}`);

async function rowOf({ node }: Shared, id: string) {
  const { rows } = await node.pool.query<{ load_balancer_id: string; other_load_balancer_ids: string[] }>(
    'select load_balancer_id, other_load_balancer_ids from amphorae where id = $1',
    [id],
  );
  return rows[0];
}

describe('load balancers that share amphorae', () => {
  test('are put on as few as they may be, also when they come all at once', async () => {
    const shared = await share(6, 3);
    const amphorae = await amphoraeOf(shared);
    expect(new Set(amphorae).size).toBe(2);
    for (const id of new Set(amphorae)) {
      const row = await rowOf(shared, id);
      const owners = [row?.load_balancer_id ?? '', ...(row?.other_load_balancer_ids ?? [])].toSorted();
      expect(owners).toEqual(shared.ids.filter((_, index) => amphorae[index] === id).toSorted());
      expect([...(shared.world.serving.get(id) ?? [])].toSorted()).toEqual(owners);
    }
  });

  test('are deleted one by one: the amphora serves the others on, and goes with the last', async () => {
    const shared = await share(2, 2);
    const [one, two] = shared.ids as [LoadBalancerId, LoadBalancerId];
    const amphora = await amphoraOf(shared, one);
    await send(shared.node, one, { type: 'deleteLoadBalancer', cascade: true });
    await waitFor(async () => (await stateOf(shared.node, one))?.deletion !== 'requested', { describe: 'the first' });
    expect([...(shared.world.serving.get(amphora) ?? [])]).toEqual([two]);
    expect(shared.world.calls).toContain(`network.unplugVip ${amphora}`);
    expect(destroyed(shared, amphora)).toBe(false);
    await send(shared.node, two, { type: 'deleteLoadBalancer', cascade: true });
    await waitFor(() => destroyed(shared, amphora), { describe: 'the end of the amphora' });
  });

  test('that are failed over leave the amphora to the others, and do not come back to it', async () => {
    const shared = await share(3, 3);
    const [one, two, three] = shared.ids as [LoadBalancerId, LoadBalancerId, LoadBalancerId];
    const amphora = await amphoraOf(shared, one);
    await send(shared.node, one, { type: 'failoverLoadBalancer' });
    await untilStatus(shared.node, one, 'ACTIVE');
    expect(await amphoraOf(shared, one)).not.toBe(amphora);
    expect([await amphoraOf(shared, two), await amphoraOf(shared, three)]).toEqual([amphora, amphora]);
    expect([...(shared.world.serving.get(amphora) ?? [])].toSorted()).toEqual([two, three].toSorted());
    expect(destroyed(shared, amphora)).toBe(false);
  });

  test('move together when the amphora is lost, though one alone has heard of it', async () => {
    const shared = await share(3, 3);
    const amphora = await amphoraOf(shared, shared.ids[0] as LoadBalancerId);
    const lost = { type: 'failoverAmphora', amphoraId: amphora, why: 'lost', reason: 'silent' } as const;
    await send(shared.node, shared.ids[1] as LoadBalancerId, lost);
    await waitFor(
      async () => {
        const slots = await Promise.all(shared.ids.map(async (id) => (await stateOf(shared.node, id))?.slots ?? []));
        return slots.every(([first, ...more]) => more.length === 0 && first?.amphoraId !== amphora && first?.serves);
      },
      { describe: 'all of them elsewhere' },
    );
    expect(new Set(await amphoraeOf(shared)).size).toBe(1);
    expect(destroyed(shared, amphora)).toBe(true);
  });

  test('that cannot be taken off an amphora go with it when it is found to be lost', async () => {
    const shared = await share(2, 2);
    const [one, two] = shared.ids as [LoadBalancerId, LoadBalancerId];
    const amphora = await amphoraOf(shared, one);
    shared.world.misbehave.set(
      'amphora.withdraw',
      Array.from({ length: 100 }, () => 'fail' as const),
    );
    await send(shared.node, one, { type: 'deleteLoadBalancer', cascade: true });
    await waitFor(() => shared.world.calls.includes(`amphora.withdraw ${amphora}`), { describe: 'a try' });
    expect((await stateOf(shared.node, one))?.slots).toHaveLength(1);
    await send(shared.node, two, { type: 'failoverAmphora', amphoraId: amphora, why: 'lost', reason: 'silent' });
    await untilStatus(shared.node, two, 'ACTIVE');
    await waitFor(async () => (await stateOf(shared.node, one))?.deletion !== 'requested', { describe: 'the other' });
    expect(destroyed(shared, amphora)).toBe(true);
  });

  test('hear what their amphora says, also when it is known late that one of them has come', async () => {
    const shared = await share(2, 2);
    const { node } = shared;
    const [one, two] = shared.ids as [LoadBalancerId, LoadBalancerId];
    const amphora = await amphoraOf(shared, one);
    const facts = node.tree.fleet.get(amphora);
    if (facts === undefined) throw new Error('the amphora is not in the fleet');
    const states = await Promise.all([one, two].map((id) => stateOf(node, id)));
    const objects = states.flatMap((state) => Object.values(state?.objects ?? {}));
    const open = { status: 'OPEN', stats: { tx: 0, rx: 0, conns: 0, totconns: 0, ereq: 0 } } as const;
    const listeners = Object.fromEntries(
      objects.filter(({ kind }) => kind === 'listener').map(({ id }) => [id, open] as const),
    );
    const say = (seq: number) => node.tree.heartbeats.receive({ id: amphora, seq, ver: 3, listeners, pools: {} }, seq);
    const isOnline = (id: LoadBalancerId) => node.tree.operating.get(id)?.get(id) === 'ONLINE';
    node.tree.fleet.learn(amphora, { ...facts, loadBalancerIds: [one] });
    for (let seq = 1; seq <= 3; seq++) say(seq);
    await waitFor(() => isOnline(one), { describe: 'what is known of the first' });
    expect(isOnline(two)).toBe(false);
    node.tree.fleet.learn(amphora, facts);
    say(4);
    await waitFor(() => isOnline(two), { describe: 'what is known of the second' });
  });

  test('are all named where the failover of their amphora is held', async () => {
    const shared = await share(2, 2);
    const { pool } = shared.node;
    const amphora = await amphoraOf(shared, shared.ids[0] as LoadBalancerId);
    await pool.query(`insert into held_failovers (amphora_id, kind, why) values ($1, 'breaker', 'many are silent')`, [
      amphora,
    ]);
    const { held } = await listHeld(pool, 10);
    expect(held).toHaveLength(1);
    const [{ loadBalancerId, otherLoadBalancerIds } = { loadBalancerId: null, otherLoadBalancerIds: [] }] = held;
    expect(new Set([loadBalancerId, ...otherLoadBalancerIds])).toEqual(new Set(shared.ids));
  });

  test('of another project have amphorae of their own, and so has who shares with nobody', async () => {
    const shared = await share(1, 4);
    const [alone, foreign] = [newLoadBalancerId(), newLoadBalancerId()];
    await send(shared.node, alone, createLoadBalancer(alone, { listeners: [listener(90)] }));
    await send(shared.node, foreign, createLoadBalancer(foreign, { perAmphora: 4, projectId: 'another' }));
    await Promise.all([alone, foreign].map((id) => untilStatus(shared.node, id, 'ACTIVE')));
    const all = { ...shared, ids: [...shared.ids, alone, foreign] };
    expect(new Set(await amphoraeOf(all)).size).toBe(3);
  });
});
