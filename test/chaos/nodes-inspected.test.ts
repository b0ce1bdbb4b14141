import { expect, test } from '@jest/globals';
import { type CommandClient, subscribeStatus } from '../../src/channels/command/client.ts';
import { untilShared, useCluster } from '../support/nodes.ts';
import { waitFor } from '../support/wait-for.ts';

const cluster = useCluster(3);

const create = (client: CommandClient, commandId: string, vipSubnetId: string) =>
  client.call('loadBalancer.create', { projectId: 'p', name: commandId, vipSubnetId, commandId });

test('a node shows and steers what lives on another one, and its clients hear of all changes', async () => {
  const left = await cluster.start(0);
  const right = await cluster.start(1);
  const nodes = [left, right];
  const ids = await untilShared(left);
  const heard: Set<string>[] = [new Set(), new Set()];
  for (const [index, { client }] of nodes.entries()) {
    await subscribeStatus(client, ({ objectId, provisioningStatus }) => {
      if (provisioningStatus === 'ACTIVE') heard[index]?.add(objectId);
    });
  }
  const vipSubnetId = (await left.client.call('subnet.list', {})).items[0]?.id ?? '';
  const wanted = Array.from({ length: 8 }, (_, index) => `shown-${index}`);
  const created = await Promise.all(wanted.map((commandId) => create(left.client, commandId, vipSubnetId)));
  const loadBalancers = created.map(({ loadBalancer }) => loadBalancer?.id ?? '');
  await waitFor(() => heard.every((set) => loadBalancers.every((id) => set.has(id))), {
    timeoutMs: 20_000,
    describe: 'both clients to hear that all are ACTIVE',
  });
  const shown = await Promise.all(loadBalancers.map((id) => right.inspect.call('actors.show', { path: `lb-${id}` })));
  expect(new Set(shown.map(({ node }) => node))).toEqual(new Set(ids));
  expect(shown.map(({ path }) => path)).toEqual(loadBalancers.map((id) => `load-balancers/lb-${id}`));
  const { actors } = await right.inspect.call('actors.tree', { all: true });
  expect(new Set(actors.map(({ node }) => node))).toEqual(new Set(ids));
  expect(actors.filter(({ path }) => path === 'spares-pool')).toHaveLength(1);
  for (const { client, inspect } of nodes) {
    expect(await client.call('spares.show', {})).toMatchObject({ size: 1 });
    expect(await inspect.call('housekeeping.sweep', { dryRun: true })).toMatchObject({ removed: [], waiting: [] });
    expect(await inspect.call('actors.show', { path: 'housekeeping' })).toMatchObject({ kind: 'housekeeping' });
  }
  const [first = ''] = loadBalancers;
  for (const { inspect } of nodes) await inspect.call('actors.restart', { path: `lb-${first}` });
  await expect(right.inspect.call('actors.tree', { node: first })).rejects.toMatchObject({ code: 'unavailable' });
  // One that owns nothing serves all the same.
  const bare = await cluster.start(2, 'proxy');
  const { loadBalancer } = await create(bare.client, 'through-a-bare-node', vipSubnetId);
  await waitFor(() => heard.every((set) => set.has(loadBalancer?.id ?? '')), {
    timeoutMs: 20_000,
    describe: 'the load balancer to be ACTIVE',
  });
  const own = (await bare.inspect.call('nodes.list')).nodes.find(({ roles }) => roles.join() === 'proxy');
  expect(own).toMatchObject({ shards: 0, healthShards: 0, singletons: [], heartbeatAddress: null });
  bare.process.kill('SIGTERM');
  await bare.process.ended;
  // It gives everything to the other one before it ends.
  left.process.kill('SIGTERM');
  await left.process.ended;
  const { nodes: all } = await right.inspect.call('nodes.list');
  expect(all.find(({ stoppedAt }) => stoppedAt === null)).toMatchObject({ shards: 256, healthShards: 256 });
  right.process.kill('SIGTERM');
  await right.process.ended;
});
