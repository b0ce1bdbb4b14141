import { describe, expect, test } from '@jest/globals';
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

interface Pair {
  readonly node: TestNode;
  readonly world: FakeWorld;
  readonly id: LoadBalancerId;
}

async function newPair(): Promise<Pair> {
  const world = new FakeWorld();
  const node = await startTestNode({ url: database.url, world });
  undo.push(() => node.close());
  const id = newLoadBalancerId();
  await send(node, id, createLoadBalancer(id, { topology: 'ACTIVE_STANDBY', listeners: [listener(80)] }));
  await untilStatus(node, id, 'ACTIVE');
  return { node, world, id };
}

async function amphoraeOf({ node, id }: Pair): Promise<Readonly<Record<string, AmphoraId>>> {
  const slots = (await stateOf(node, id))?.slots ?? [];
  return Object.fromEntries(slots.map(({ role, amphoraId }) => [role, amphoraId]));
}

describe('a pair', () => {
  test('is two amphorae that are told of each other, with one password and different priorities', async () => {
    const pair = await newPair();
    const { MASTER = '', BACKUP = '' } = await amphoraeOf(pair);
    expect(MASTER).not.toBe(BACKUP);
    const [master, backup] = [MASTER, BACKUP].map((id) => pair.world.served.get(id)?.vrrp);
    expect(master).toMatchObject({ beginsAs: 'MASTER', priority: 100, peerAddress: backup?.address });
    expect(backup).toMatchObject({ beginsAs: 'BACKUP', priority: 90, peerAddress: master?.address });
    expect(master?.password).toBe(backup?.password);
    for (const id of [MASTER, BACKUP]) expect(pair.world.served.get(id)?.configuration).toMatch(/^peers \S+_peers$/m);
  });

  test('keeps the password of VRRP out of journal, snapshots and rows', async () => {
    const pair = await newPair();
    const { MASTER = '' } = await amphoraeOf(pair);
    const password = pair.world.served.get(MASTER)?.vrrp?.password ?? '';
    expect(password).toHaveLength(8);
    const { rows } = await pair.node.pool.query<{ all: string }>(
      `select string_agg(t, '') as all from (select to_jsonb(j)::text as t from journal j union all
        select to_jsonb(s)::text from snapshots s union all select to_jsonb(l)::text from load_balancers l union all
        select to_jsonb(a)::text from amphorae a) as everything`,
    );
    expect(rows[0]?.all).toContain(pair.id);
    expect(rows[0]?.all).not.toContain(password);
  });

  test.each(['MASTER', 'BACKUP'])('of which the %s refuses a change serves it with neither', async (role) => {
    const pair = await newPair();
    const amphorae = await amphoraeOf(pair);
    pair.world.refusesOne.set(amphorae[role] ?? '', ':81');
    const refused = listener(81);
    await Promise.all([
      send(pair.node, pair.id, { type: 'createListener', listener: refused }),
      send(pair.node, pair.id, { type: 'createListener', listener: listener(82) }),
    ]);
    await untilStatus(pair.node, pair.id, 'ACTIVE');
    for (const id of Object.values(amphorae)) {
      const configuration = pair.world.served.get(id)?.configuration;
      expect(configuration).not.toContain(':81\n');
      expect(configuration).toContain(':82\n');
    }
    const state = await stateOf(pair.node, pair.id);
    expect(state?.objects[refused.id]?.refusal).toContain(':81');
  });

  test('of which one is lost takes changes while its replacement is on the way', async () => {
    const pair = await newPair();
    const { MASTER: lost, BACKUP: left = '' } = await amphoraeOf(pair);
    if (lost === undefined) throw new Error('there is no master');
    let release: () => void = () => undefined;
    pair.world.gates.set('compute.delete', new Promise((resolve) => (release = resolve)));
    await send(pair.node, pair.id, { type: 'failoverAmphora', amphoraId: lost, why: 'lost', reason: 'silent' });
    await send(pair.node, pair.id, { type: 'createListener', listener: listener(83) });
    await waitFor(() => pair.world.served.get(left)?.configuration?.includes(':83\n'), { describe: 'the change' });
    // Nobody takes the role of the lost one before that is known to be gone.
    const { MASTER: next } = await amphoraeOf(pair);
    expect(pair.world.served.has(next === lost ? '' : (next ?? ''))).toBe(false);
    pair.world.gates.delete('compute.delete');
    release();
    await untilStatus(pair.node, pair.id, 'ACTIVE');
    const { MASTER: replacement = '' } = await amphoraeOf(pair);
    expect(pair.world.served.get(replacement)?.vrrp).toMatchObject({ beginsAs: 'BACKUP', priority: 100 });
    const told = [replacement, left].map((id) => pair.world.served.get(id)?.vrrp);
    expect(told[0]?.peerAddress).toBe(told[1]?.address);
    expect(told[1]?.peerAddress).toBe(told[0]?.address);
  });

  test('that is failed over is replaced one after the other, each handing the VIP over first', async () => {
    const pair = await newPair();
    const before = await amphoraeOf(pair);
    pair.world.calls.length = 0;
    await send(pair.node, pair.id, { type: 'failoverLoadBalancer' });
    await untilStatus(pair.node, pair.id, 'ACTIVE');
    const after = await amphoraeOf(pair);
    expect(Object.values(after).filter((id) => Object.values(before).includes(id))).toEqual([]);
    const about = (call: string) =>
      pair.world.calls.filter((one) => one.startsWith(call)).map((one) => one.split(' ')[1]);
    expect(about('compute.delete')).toEqual([before['BACKUP'], before['MASTER']]);
    expect(about('amphora.handOver')).toEqual([before['BACKUP'], before['MASTER']]);
    const newcomer = pair.world.calls.indexOf(`amphora.serve ${after['BACKUP']}`);
    expect(newcomer).toBeLessThan(pair.world.calls.indexOf(`compute.delete ${before['MASTER']}`));
  });
});
