import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { useTestControl } from '../../support/control.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { waitFor } from '../../support/wait-for.ts';

const world = new FakeWorld();
const { client } = useTestControl(world, { spares: 2 });

const met = (name: string) => ({ code: 'quota', message: `Quota has been met for resources: ${name}` });

async function newLoadBalancer(projectId: string, more: object = {}): Promise<string> {
  const { loadBalancer } = await client.call('loadBalancer.create', { projectId, vipSubnetId: 'subnet', ...more });
  return loadBalancer?.id ?? '';
}

describe('a quota', () => {
  test('of every kind is met by what there is, and by nothing else', async () => {
    const projectId = randomUUID();
    const all = { loadBalancer: 1, listener: 1, pool: 1, member: 1, healthMonitor: 1, l7Policy: 1, l7Rule: 1 };
    expect(await client.call('quota.set', { projectId, ...all })).toEqual({ projectId, ...all });
    const loadBalancerId = await newLoadBalancer(projectId);
    await expect(newLoadBalancer(projectId)).rejects.toMatchObject(met('Load Balancer'));
    await expect(newLoadBalancer(randomUUID())).resolves.not.toBe('');

    const listener = (protocolPort: number) =>
      client.call('listener.create', { loadBalancerId, protocol: 'HTTP', protocolPort });
    const listenerId = (await listener(80)).listener?.id ?? '';
    await expect(listener(81)).rejects.toMatchObject(met('Listener'));
    const pool = () => client.call('pool.create', { loadBalancerId, protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' });
    const poolId = (await pool()).pool?.id ?? '';
    await expect(pool()).rejects.toMatchObject(met('Pool'));
    const member = (host: number) =>
      client.call('member.create', { poolId, address: `10.0.0.${host}`, protocolPort: 1 });
    await member(1);
    await expect(member(2)).rejects.toMatchObject(met('Member'));
    const policy = () => client.call('l7Policy.create', { listenerId, action: 'REJECT' });
    const l7PolicyId = (await policy()).l7Policy?.id ?? '';
    await expect(policy()).rejects.toMatchObject(met('L7 Policy'));
    const rule = () => client.call('l7Rule.create', { l7PolicyId, type: 'PATH', compareType: 'EQUAL_TO', value: '/' });
    await rule();
    await expect(rule()).rejects.toMatchObject(met('L7 Rule'));
    const monitor = { type: 'TCP', delay: 5, timeout: 3, maxRetries: 2 };
    await client.call('healthMonitor.create', { poolId, ...monitor });
    await client.call('quota.set', { projectId, pool: 2 });
    const second = { loadBalancerId, protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN', healthMonitor: monitor };
    await expect(client.call('pool.create', second)).rejects.toMatchObject(met('Health Monitor'));

    expect((await client.call('listener.update', { id: listenerId, name: 'changed' })).listener?.name).toBe('changed');
  });

  test('counts trees and batches as a whole, and leaves nothing of what it refuses', async () => {
    const projectId = randomUUID();
    await client.call('quota.set', { projectId, member: 3 });
    const members = (count: number) =>
      Array.from({ length: count }, (_, host) => ({ address: `10.0.1.${host}`, protocolPort: 1 }));
    const pool = { protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' };
    const tree = (count: number) => ({ pools: [{ ...pool, name: 'a', members: members(count) }] });
    await expect(newLoadBalancer(projectId, tree(4))).rejects.toMatchObject(met('Member'));
    expect((await client.call('loadBalancer.list', { projectId })).items).toEqual([]);
    const loadBalancerId = await newLoadBalancer(projectId, tree(2));
    const poolId = (await client.call('pool.list', { loadBalancerId })).items[0]?.id ?? '';
    const replace = (count: number) => client.call('member.replace', { poolId, members: members(count) });
    await expect(replace(4)).rejects.toMatchObject(met('Member'));
    expect((await replace(3)).members).toHaveLength(3);
  });

  test('is given back by what is gone, and a refusal is given again to a repeat', async () => {
    const projectId = randomUUID();
    await client.call('quota.set', { projectId, loadBalancer: 1 });
    const id = await newLoadBalancer(projectId);
    const refused = { commandId: randomUUID() };
    await expect(newLoadBalancer(projectId, refused)).rejects.toMatchObject(met('Load Balancer'));
    await client.call('loadBalancer.delete', { id });
    await waitFor(async () => newLoadBalancer(projectId), { describe: 'room for another load balancer' });
    await client.call('quota.reset', { projectId });
    await expect(newLoadBalancer(projectId, refused)).rejects.toMatchObject(met('Load Balancer'));
  });
});

test('quotas are set one by one, listed where there are any, and reset', async () => {
  const [one, other] = [randomUUID(), randomUUID()].toSorted();
  if (one === undefined || other === undefined) throw new Error('no ids');
  const defaults = await client.call('quota.defaults', {});
  expect(new Set(Object.values(defaults))).toEqual(new Set([-1]));
  expect(await client.call('quota.show', { projectId: one })).toEqual({ ...defaults, projectId: one });
  await client.call('quota.set', { projectId: one, pool: 7 });
  await client.call('quota.set', { projectId: one, listener: 0 });
  await client.call('quota.set', { projectId: other, pool: 1 });
  expect(await client.call('quota.show', { projectId: one })).toEqual({
    ...defaults,
    projectId: one,
    pool: 7,
    listener: 0,
  });
  expect((await client.call('quota.set', { projectId: one, pool: null })).pool).toBe(-1);
  const { items } = await client.call('quota.list', {});
  expect(items.map(({ projectId }) => projectId).filter((id) => id === one || id === other)).toEqual([one, other]);
  const page = await client.call('quota.list', { limit: 1, marker: one });
  expect(page.items).toHaveLength(1);
  expect(await client.call('quota.reset', { projectId: one })).toEqual({ ...defaults, projectId: one });
  expect((await client.call('quota.list', {})).items.map(({ projectId }) => projectId)).not.toContain(one);
  for (const pool of [-2, 2_000_000_001, '5']) {
    const wrong = { code: 'invalid', data: { field: 'pool' } };
    await expect(client.call('quota.set', { projectId: one, pool })).rejects.toMatchObject(wrong);
  }
});
