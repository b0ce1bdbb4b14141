import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { CommandMethods } from '../../../src/channels/command/methods.ts';
import { useTestControl } from '../../support/control.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { waitFor } from '../../support/wait-for.ts';

const world = new FakeWorld();
const { client } = useTestControl(world, { spares: 2 });
let loadBalancerId: string;

beforeEach(async () => {
  const params = { projectId: randomUUID(), vipSubnetId: 'subnet' };
  loadBalancerId = (await client.call('loadBalancer.create', params)).loadBalancer?.id ?? '';
});

async function newPool(more: object = {}): Promise<string> {
  const params = { loadBalancerId, protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN', ...more };
  return (await client.call('pool.create', params)).pool?.id ?? '';
}

type Show = Extract<keyof CommandMethods, `${string}.show`>;

async function untilGone(show: Exclude<Show, 'spares.show'>, id: string) {
  const code = () =>
    client.call(show, { id }).then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
  await waitFor(async () => (await code()) === 'notFound', { describe: `${show} of ${id} to find nothing` });
}

describe('every kind of child', () => {
  test('is created, updated, shown, listed and deleted, and a repeated delete gets its first answer', async () => {
    const poolId = await newPool({ name: 'site' });
    const { listener } = await client.call('listener.create', {
      loadBalancerId,
      protocol: 'HTTP',
      protocolPort: 80,
      defaultPoolId: poolId,
    });
    const { member } = await client.call('member.create', { poolId, address: '10.0.0.1', protocolPort: 80 });
    expect(member).toMatchObject({ operatingStatus: 'NO_MONITOR', weight: 1, poolId, loadBalancerId });
    const monitorParams = { poolId, type: 'HTTP', delay: 5, timeout: 3, maxRetries: 2 };
    const { healthMonitor } = await client.call('healthMonitor.create', monitorParams);
    await expect(client.call('healthMonitor.create', monitorParams)).rejects.toMatchObject({ code: 'conflict' });

    const [listenerId, memberId, monitorId] = [listener?.id ?? '', member?.id ?? '', healthMonitor?.id ?? ''];
    expect(
      (await client.call('listener.update', { id: listenerId, name: 'l', connectionLimit: 5 })).listener,
    ).toMatchObject({
      name: 'l',
      connectionLimit: 5,
    });
    const reset = await client.call('listener.update', { id: listenerId, connectionLimit: null, adminStateUp: null });
    expect(reset.listener).toMatchObject({ connectionLimit: -1, adminStateUp: false, name: 'l' });
    expect((await client.call('pool.update', { id: poolId, lbAlgorithm: 'SOURCE_IP' })).pool).toMatchObject({
      lbAlgorithm: 'SOURCE_IP',
      listeners: [listenerId],
      members: [memberId],
      healthMonitorId: monitorId,
    });
    expect((await client.call('member.update', { id: memberId, weight: 0 })).member).toMatchObject({ weight: 0 });
    expect((await client.call('healthMonitor.update', { id: monitorId, delay: 9 })).healthMonitor).toMatchObject({
      delay: 9,
    });
    expect(await client.call('member.show', { id: memberId })).toMatchObject({ operatingStatus: 'OFFLINE' });
    for (const [list, id] of [
      ['listener.list', listenerId],
      ['pool.list', poolId],
      ['healthMonitor.list', monitorId],
    ] as const) {
      const { items, next } = await client.call(list, { loadBalancerId });
      expect({ ids: items.map((item) => item.id), next }).toEqual({ ids: [id], next: null });
    }

    for (const [kind, id] of [
      ['healthMonitor', monitorId],
      ['member', memberId],
      ['listener', listenerId],
      ['pool', poolId],
    ] as const) {
      const deletion = { id, commandId: randomUUID() };
      expect(await client.call(`${kind}.delete`, deletion)).toEqual(deletion);
      await untilGone(`${kind}.show`, id);
      expect(await client.call(`${kind}.delete`, deletion)).toEqual(deletion);
      await expect(client.call(`${kind}.delete`, { id })).rejects.toMatchObject({ code: 'notFound' });
    }
  });
});

describe('L7 policies', () => {
  const rule = { type: 'PATH', compareType: 'STARTS_WITH', value: '/api' };

  test('and rules are created, moved, shown, listed and deleted', async () => {
    const { listener } = await client.call('listener.create', { loadBalancerId, protocol: 'HTTP', protocolPort: 80 });
    const listenerId = listener?.id ?? '';
    const create = (more: object) => client.call('l7Policy.create', { listenerId, action: 'REJECT', ...more });
    const one = (await create({ name: 'one', rules: [rule] })).l7Policy;
    const two = (await create({ name: 'two', action: 'REDIRECT_TO_URL', redirectUrl: 'http://x', position: 1 }))
      .l7Policy;
    const [oneId, twoId] = [one?.id ?? '', two?.id ?? ''];
    expect(two).toMatchObject({ position: 1, redirectHttpCode: 302, listenerId, loadBalancerId, rules: [] });
    expect(await client.call('l7Policy.show', { id: oneId })).toMatchObject({ position: 2, name: 'one' });
    expect((await client.call('l7Policy.update', { id: twoId, position: null })).l7Policy?.position).toBe(2);
    expect((await client.call('listener.show', { id: listenerId })).l7Policies).toEqual([oneId, twoId]);
    expect((await client.call('l7Policy.list', { listenerId })).items.map(({ id }) => id)).toEqual([oneId, twoId]);

    const l7Rule = (await client.call('l7Rule.create', { l7PolicyId: twoId, ...rule, invert: true })).l7Rule;
    const ruleId = l7Rule?.id ?? '';
    expect(l7Rule).toMatchObject({ ...rule, invert: true, key: null, l7PolicyId: twoId, loadBalancerId });
    const changed = { id: ruleId, type: 'HEADER', key: 'X-Kind', invert: null };
    expect((await client.call('l7Rule.update', changed)).l7Rule).toMatchObject({ key: 'X-Kind', invert: false });
    expect((await client.call('l7Rule.list', { l7PolicyId: twoId })).items.map(({ id }) => id)).toEqual([ruleId]);
    expect((await client.call('l7Policy.show', { id: twoId })).rules).toEqual([ruleId]);

    await client.call('l7Policy.delete', { id: oneId });
    await untilGone('l7Policy.show', oneId);
    expect((await client.call('l7Policy.show', { id: twoId })).position).toBe(1);
    await client.call('listener.delete', { id: listenerId });
    for (const [show, id] of [
      ['listener.show', listenerId],
      ['l7Policy.show', twoId],
      ['l7Rule.show', ruleId],
    ] as const) {
      await untilGone(show, id);
    }
  });

  test('come with a tree, and lead to pools of the request by name or of their own', async () => {
    const pool = { protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' };
    const toPool = { action: 'REDIRECT_TO_POOL', rules: [rule] };
    const l7Policies = [
      { ...toPool, redirectPool: { name: 'shared' } },
      { ...toPool, redirectPool: pool, position: 1 },
      { action: 'REJECT', rules: [rule, { ...rule, value: '/b' }] },
    ];
    const tree = {
      projectId: 'p',
      vipSubnetId: 'subnet',
      listeners: [{ protocol: 'HTTP', protocolPort: 80, l7Policies }],
      pools: [{ ...pool, name: 'shared' }],
    };
    const { loadBalancer } = await client.call('loadBalancer.create', tree);
    const [listener] = loadBalancer?.listeners ?? [];
    const [shared, own] = loadBalancer?.pools ?? [];
    const policies = listener?.l7Policies ?? [];
    expect(policies.map(({ redirectPoolId }) => redirectPoolId)).toEqual([own?.id, shared?.id, null]);
    expect(policies.map(({ position }) => position)).toEqual([1, 2, 3]);
    expect(policies[2]?.rules.map(({ value }) => value)).toEqual(['/api', '/b']);
    expect(shared?.listeners).toEqual([listener?.id]);
    const status = await client.call('loadBalancer.status', { id: loadBalancer?.id ?? '' });
    expect(status.listeners[0]?.pools.map(({ id }) => id)).toEqual([own?.id, shared?.id]);
    await expect(client.call('pool.delete', { id: own?.id ?? '' })).rejects.toMatchObject({ code: 'conflict' });

    const unknown = {
      ...tree,
      listeners: [{ ...tree.listeners[0], l7Policies: [{ ...toPool, redirectPool: { name: 'x' } }] }],
    };
    await expect(client.call('loadBalancer.create', unknown)).rejects.toMatchObject({
      code: 'invalid',
      data: { field: 'listeners[0].l7Policies[0].redirectPool.name' },
    });
  });
});

describe('the members of a pool', () => {
  test('are replaced as a whole, known ones keep their ids, and the same one twice is refused', async () => {
    const members = [1, 2].map((number) => ({ address: `10.0.0.${number}`, protocolPort: 80 }));
    const poolId = await newPool({ members });
    const before = (await client.call('member.list', { poolId })).items;
    const wanted = [
      { ...members[1], weight: 7 },
      { address: '10.0.0.3', protocolPort: 80 },
    ];
    await client.call('member.replace', { poolId, members: wanted });
    const gone = before[0]?.id ?? '';
    await untilGone('member.show', gone);
    const after = (await client.call('member.list', { poolId })).items;
    expect(after.map(({ address, weight }) => [address, weight])).toEqual([
      ['10.0.0.2', 7],
      ['10.0.0.3', 1],
    ]);
    expect(after[0]?.id).toBe(before[1]?.id);

    const more = { poolId, members: [{ address: '10.0.0.4', protocolPort: 80 }], additiveOnly: true };
    expect((await client.call('member.replace', more)).members).toHaveLength(3);
    const twice = { poolId, members: [more.members[0], more.members[0]] };
    await expect(client.call('member.replace', twice)).rejects.toMatchObject({
      code: 'invalid',
      data: { field: 'members' },
    });
  });
});

describe('a command id', () => {
  test('makes a repeated create the same object, and is refused for anything else', async () => {
    const params = { loadBalancerId, protocol: 'TCP', protocolPort: 5432, commandId: randomUUID() };
    const [one, other] = await Promise.all([
      client.call('listener.create', params),
      client.call('listener.create', params),
    ]);
    expect(one.listener?.id).toBe(other.listener?.id);
    expect((await client.call('listener.list', { loadBalancerId })).items).toHaveLength(1);
    await expect(client.call('listener.create', { ...params, name: 'x' })).rejects.toMatchObject({
      code: 'commandIdReused',
    });
  });

  test('gives a refusal again, though the reason is gone', async () => {
    const taken = await client.call('listener.create', { loadBalancerId, protocol: 'TCP', protocolPort: 80 });
    const params = { loadBalancerId, protocol: 'HTTP', protocolPort: 80, commandId: randomUUID() };
    const refusal = { code: 'conflict', data: { field: 'protocolPort' } };
    await expect(client.call('listener.create', params)).rejects.toMatchObject(refusal);
    await client.call('listener.delete', { id: taken.listener?.id ?? '' });
    await expect(client.call('listener.create', params)).rejects.toMatchObject(refusal);
  });
});

describe('impossible references', () => {
  const nowhere = '5c6f1d2e-0000-4000-8000-000000000001';
  test.each([
    ['listener.create', { loadBalancerId: nowhere, protocol: 'TCP', protocolPort: 80 }],
    ['pool.create', { listenerId: nowhere, protocol: 'TCP', lbAlgorithm: 'SOURCE_IP' }],
    ['member.create', { poolId: nowhere, address: '10.0.0.1', protocolPort: 80 }],
    ['member.replace', { poolId: nowhere, members: [] }],
    ['healthMonitor.update', { id: nowhere }],
    ['amphora.failover', { id: nowhere }],
    ['loadBalancer.explain', { id: nowhere }],
  ] as const)('%s of something that is not there is answered notFound', async (method, params) => {
    await expect(client.call(method, params)).rejects.toMatchObject({ code: 'notFound' });
  });

  test('a tree whose pools have no name, the same name, or a name that nobody has is refused', async () => {
    const pool = { name: 'a', protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' };
    const listener = { protocol: 'HTTP', protocolPort: 80 };
    const base = { projectId: 'p', vipSubnetId: 'subnet' };
    for (const [tree, field] of [
      [{ pools: [{ ...pool, name: '' }] }, 'pools[0].name'],
      [{ pools: [pool, pool] }, 'pools[1].name'],
      [{ pools: [pool], listeners: [{ ...listener, defaultPool: pool }] }, 'listeners[0].defaultPool.name'],
      [{ pools: [pool], listeners: [{ ...listener, defaultPool: { name: 'b' } }] }, 'listeners[0].defaultPool.name'],
    ] as const) {
      await expect(client.call('loadBalancer.create', { ...base, ...tree })).rejects.toMatchObject({
        code: 'invalid',
        data: { field },
      });
    }
  });
});

test('pages of a list meet without gap or repetition', async () => {
  const seen: string[] = [];
  const { items } = await client.call('loadBalancer.list', {});
  for (let marker: string | undefined; ; ) {
    const page: { items: readonly { id: string }[]; next: string | null } = await client.call('loadBalancer.list', {
      limit: 2,
      marker,
    });
    seen.push(...page.items.map(({ id }) => id));
    if (page.next === null) break;
    marker = page.next;
  }
  expect(seen).toEqual(items.map(({ id }) => id));
  expect(seen.length).toBeGreaterThan(2);
  const lost = { marker: '5c6f1d2e-0000-4000-8000-000000000001' };
  const refusal = { code: 'notFound', data: { field: 'marker' } };
  await expect(client.call('loadBalancer.list', lost)).rejects.toMatchObject(refusal);
  await expect(client.call('amphora.list', lost)).rejects.toMatchObject(refusal);
});

test('an explanation names the step that fails, its error and its next try', async () => {
  world.misbehave.set('network.allocateVip', ['fail', 'fail', 'fail', 'fail']);
  const { loadBalancer } = await client.call('loadBalancer.create', { projectId: 'p', vipSubnetId: 'subnet' });
  const id = loadBalancer?.id ?? '';
  const explained = await waitFor(
    async () => {
      const explanation = await client.call('loadBalancer.explain', { id });
      return explanation.steps.some((step) => step.state === 'givenUp') ? explanation : undefined;
    },
    { describe: 'the step to be given up' },
  );
  world.misbehave.clear();
  expect(explained).toMatchObject({ provisioningStatus: 'ERROR', owner: { nodeId: expect.any(String) } });
  expect(explained.steps).toContainEqual(
    expect.objectContaining({
      failures: 4,
      lastError: 'network.allocateVip was told to fail',
      call: 'fake network.allocateVip',
      retryAt: expect.any(String),
    }),
  );
  expect(explained.history[0]?.seq).toBeGreaterThan(1);
});

test('an amphora of a load balancer is replaced on demand, a spare is not', async () => {
  const serving = await waitFor(
    async () =>
      (await client.call('amphora.list', { loadBalancerId })).items.find((view) => view.status === 'ALLOCATED'),
    { describe: 'an amphora' },
  );
  await waitFor(
    async () => (await client.call('loadBalancer.show', { id: loadBalancerId })).provisioningStatus === 'ACTIVE',
    {
      describe: 'the load balancer to be ACTIVE',
    },
  );
  await client.call('amphora.failover', { id: serving.id });
  await waitFor(
    async () => {
      const { items } = await client.call('amphora.list', { loadBalancerId });
      return items.length === 1 && items[0]?.id !== serving.id;
    },
    { describe: 'another amphora' },
  );
  const spare = await waitFor(
    async () =>
      (await client.call('amphora.list', {})).items.find(
        (view) => view.loadBalancerId === null && view.status === 'READY',
      ),
    { describe: 'a spare' },
  );
  await expect(client.call('amphora.failover', { id: spare.id })).rejects.toMatchObject({ code: 'conflict' });
});
