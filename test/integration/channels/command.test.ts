import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { subscribeStatus } from '../../../src/channels/command/client.ts';
import type { StatusChange } from '../../../src/domain/views.ts';
import { useTestControl } from '../../support/control.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { waitFor } from '../../support/wait-for.ts';

const world = new FakeWorld();
const { control, node } = useTestControl(world, { spares: 2 });

afterEach(() => {
  world.gates.clear();
  world.refuses = undefined;
});

const minimal = { projectId: 'project', vipSubnetId: 'subnet' };

const tree = {
  ...minimal,
  name: 'web',
  listeners: [
    { protocol: 'HTTP', protocolPort: 80, defaultPool: { name: 'site' } },
    { protocol: 'TCP', protocolPort: 443, defaultPool: { protocol: 'TCP', lbAlgorithm: 'SOURCE_IP' } },
  ],
  pools: [
    {
      name: 'site',
      protocol: 'HTTP',
      lbAlgorithm: 'ROUND_ROBIN',
      members: [
        { address: '10.0.0.1', protocolPort: 8080 },
        { address: '10.0.0.2', protocolPort: 8080, weight: 5 },
      ],
      healthMonitor: { type: 'HTTP', delay: 5, timeout: 3, maxRetries: 2, urlPath: '/health' },
    },
  ],
};

async function untilActive(id: string): Promise<void> {
  const client = await control.connect();
  await waitFor(async () => (await client.call('loadBalancer.show', { id })).provisioningStatus === 'ACTIVE', {
    describe: `${id} to be ACTIVE`,
  });
}

describe('a load balancer over the command channel', () => {
  test('is created with a tree, becomes ACTIVE, and is gone after a cascading delete', async () => {
    const client = await control.connect();
    const commandId = randomUUID();
    let open: () => void = () => undefined;
    world.gates.set('network.allocateVip', new Promise((resolve) => (open = resolve)));
    const created = await client.call('loadBalancer.create', { ...tree, commandId });
    expect(created.commandId).toBe(commandId);
    const made = created.loadBalancer;
    expect(made).toMatchObject({
      name: 'web',
      projectId: 'project',
      adminStateUp: true,
      provisioningStatus: 'PENDING_CREATE',
    });
    expect(made?.listeners.map((listener) => listener.protocolPort)).toEqual([80, 443]);
    const [site, anonymous] = made?.pools ?? [];
    expect(made?.listeners.map((listener) => listener.defaultPoolId)).toEqual([site?.id, anonymous?.id]);
    expect(site?.members.map(({ address, weight, operatingStatus }) => [address, weight, operatingStatus])).toEqual([
      ['10.0.0.1', 1, 'OFFLINE'],
      ['10.0.0.2', 5, 'OFFLINE'],
    ]);
    expect(site?.healthMonitor).toMatchObject({ urlPath: '/health', httpMethod: 'GET', expectedCodes: '200' });
    const id = made?.id ?? '';
    open();
    await untilActive(id);

    const status = await client.call('loadBalancer.status', { id });
    expect(status.listeners.map((listener) => listener.pools.map((pool) => pool.members.length))).toEqual([[2], [0]]);
    await expect(client.call('loadBalancer.delete', { id })).rejects.toMatchObject({
      code: 'invalid',
      data: { field: 'cascade' },
    });
    const deletion = { id, cascade: true, commandId: randomUUID() };
    await client.call('loadBalancer.delete', deletion);
    await waitFor(
      () =>
        client.call('loadBalancer.show', { id }).then(
          () => false,
          (error: { code: string }) => error.code === 'notFound',
        ),
      { describe: 'the load balancer to be gone' },
    );
    expect(await client.call('loadBalancer.delete', deletion)).toEqual({ id, commandId: deletion.commandId });
    await expect(client.call('loadBalancer.delete', { ...deletion, cascade: false })).rejects.toMatchObject({
      code: 'commandIdReused',
    });
    await expect(client.call('loadBalancer.delete', { id })).rejects.toMatchObject({
      code: 'notFound',
      message: `Load Balancer ${id} not found.`,
    });
  });

  test('tells subscribers of every change of a status, until they unsubscribe', async () => {
    const client = await control.connect();
    const seen: StatusChange[] = [];
    await subscribeStatus(client, (change) => seen.push(change));
    const { loadBalancer } = await client.call('loadBalancer.create', minimal);
    const id = loadBalancer?.id ?? '';
    await waitFor(() => seen.some((change) => change.objectId === id && change.provisioningStatus === 'ACTIVE'), {
      describe: 'the news that it is ACTIVE',
    });
    expect(seen[0]).toMatchObject({ objectId: id, kind: 'loadBalancer', provisioningStatus: 'PENDING_CREATE' });
    const [amphora] = (await client.call('amphora.list', { loadBalancerId: id })).items;
    node.tree.heartbeats.receive({ id: amphora?.id ?? '', seq: 1, listeners: {}, pools: {}, ver: 3 }, 1);
    await waitFor(() => seen.at(-1)?.operatingStatus === 'ONLINE', { describe: 'the news that it is ONLINE' });
    await client.call('status.unsubscribe');
    const count = seen.length;
    await client.call('loadBalancer.update', { id, name: 'other' });
    await untilActive(id);
    expect(seen.length).toBe(count);
  });
});
