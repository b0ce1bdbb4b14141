import { expect, test } from '@jest/globals';
import { useCluster } from '../support/nodes.ts';
import { waitFor } from '../support/wait-for.ts';

const cluster = useCluster(2, {
  AMPHI_HEARTBEAT_INTERVAL: '0.5',
  AMPHI_HEARTBEAT_TIMEOUT: '2',
  AMPHI_SPARES_SIZE: '1',
});

test('maintenance holds failovers on every node, outlives them, lets creations go on, and is told to whoever asks', async () => {
  const first = await cluster.start(0);
  const second = await cluster.start(1);
  const world = await cluster.world();
  const vipSubnetId = (await first.client.call('subnet.list', {})).items[0]?.id ?? '';
  const create = async () => {
    const { loadBalancer } = await first.client.call('loadBalancer.create', { projectId: 'test', vipSubnetId });
    const id = loadBalancer?.id ?? '';
    return waitFor(async () => (await first.client.call('amphora.list', { loadBalancerId: id })).items[0], {
      timeoutMs: 20_000,
      describe: 'an amphora',
    });
  };
  const amphora = await create();
  const given = { reason: 'switches', by: 'somebody@somewhere' };
  const on = await second.inspect.call('maintenance.on', given);
  expect(on.amphorae).toBeGreaterThan(0);
  expect(on.maintenance).toMatchObject([
    { kind: 'maintenance', scope: 'fleet', name: null, ...given, until: null, endedBy: null },
  ]);
  await world.control('kill', { amphoraId: amphora.id });
  const heldBy = async () => (await first.inspect.call('failovers.list', {})).held[0];
  const held = await waitFor(heldBy, { timeoutMs: 20_000, describe: 'the failover to be held' });
  expect(held).toMatchObject({ amphoraId: amphora.id, kind: 'maintenance' });
  expect(held.why).toMatch(/^maintenance of the fleet since .* by somebody@somewhere: switches$/);
  const { items } = await first.client.call('amphora.list', { loadBalancerId: amphora.loadBalancerId });
  expect(items).toMatchObject([{ status: 'FAILOVER_STOPPED', failoverHeld: held.why }]);
  const { why } = await first.client.call('loadBalancer.explain', { id: amphora.loadBalancerId ?? '' });
  expect(why[0]).toBe(`amphora ${amphora.id} is silent, and its failover is held: ${held.why}`);
  await create();
  second.process.kill('SIGKILL');
  const ready = await fetch(`http://127.0.0.1:${first.controlPort}/readyz`);
  expect(await ready.json()).toMatchObject({
    status: 'ok',
    notices: [expect.stringMatching(/^maintenance of the fleet/)],
  });
  const still = await first.client.call('amphora.list', { loadBalancerId: amphora.loadBalancerId });
  expect(still.items.map(({ id }) => id)).toEqual([amphora.id]);
  await first.inspect.call('maintenance.off', { by: 'another@somewhere' });
  await waitFor(
    async () => {
      const { items } = await first.client.call('amphora.list', { loadBalancerId: amphora.loadBalancerId });
      return items.length === 1 && items[0]?.id !== amphora.id;
    },
    { timeoutMs: 30_000, describe: 'the amphora to be replaced' },
  );
  await waitFor(async () => (await heldBy()) === undefined, { describe: 'nothing to be held any more' });
  const { maintenance } = await first.inspect.call('maintenance.list', { history: true });
  expect(maintenance).toMatchObject([{ by: 'somebody@somewhere', endedBy: 'another@somewhere' }]);
  await expect(first.inspect.call('maintenance.off', {})).rejects.toThrow('There is no maintenance of the fleet');
}, 90_000);
