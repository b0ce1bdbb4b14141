import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { noListenerTls, noPoolTls } from '../../../src/domain/load-balancer/tls.ts';
import { deriveId, type ListenerId, type MemberId, type PoolId } from '../../../src/domain/ids.ts';
import type { NewListener, NewPool } from '../../../src/domain/load-balancer/commands.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer } from '../../support/load-balancer-commands.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import {
  newLoadBalancerId,
  send,
  startTestNode,
  stateOf,
  statusOf,
  type TestNode,
  untilStatus,
} from '../../support/tree.ts';
import { waitFor } from '../../support/wait-for.ts';

const database = useTestDatabase();

async function withNode(world: FakeWorld, use: (node: TestNode) => Promise<void>, options = {}): Promise<void> {
  const node = await startTestNode({ url: database.url, world, ...options });
  try {
    await use(node);
  } finally {
    await node.close();
  }
}

function listener(port: number, defaultPoolId: PoolId | null = null): NewListener {
  return {
    id: randomUUID() as ListenerId,
    attributes: {
      name: `listener-${port}`,
      description: '',
      adminStateUp: true,
      tags: [],
      protocol: 'HTTP',
      protocolPort: port,
      defaultPoolId,
      connectionLimit: -1,
      timeoutClientData: 50_000,
      timeoutMemberConnect: 5_000,
      timeoutMemberData: 50_000,
      timeoutTcpInspect: 0,
      insertHeaders: {},
      allowedCidrs: [],
      ...noListenerTls,
    },
  };
}

function pool(addresses: readonly string[]): NewPool {
  const id = randomUUID() as PoolId;
  return {
    id,
    attributes: {
      name: 'pool',
      description: '',
      adminStateUp: true,
      tags: [],
      protocol: 'HTTP',
      lbAlgorithm: 'ROUND_ROBIN',
      sessionPersistence: null,
      ...noPoolTls,
    },
    members: addresses.map((address) => ({
      id: deriveId<MemberId>(id, address),
      attributes: {
        name: '',
        adminStateUp: true,
        tags: [],
        address,
        protocolPort: 80,
        subnetId: null,
        weight: 1,
        backup: false,
        monitorAddress: null,
        monitorPort: null,
        requestSriov: false,
      },
    })),
    healthMonitor: null,
  };
}

describe('a load balancer', () => {
  test('that is created becomes ACTIVE on a spare amphora, and the spare is replaced', async () => {
    const world = new FakeWorld();
    await withNode(world, async (node) => {
      const id = newLoadBalancerId();
      const members = pool(['10.1.0.1', '10.1.0.2']);
      const reply = await send(
        node,
        id,
        createLoadBalancer(id, { pools: [members], listeners: [listener(80, members.id)] }),
      );
      expect(reply).toEqual({ type: 'ok', answer: { id } });
      expect(await statusOf(node, id)).toBeDefined();
      await untilStatus(node, id, 'ACTIVE');
      const state = await stateOf(node, id);
      const amphoraId = state?.slots[0]?.amphoraId ?? '';
      expect(world.served.get(amphoraId)?.configuration).toContain('10.1.0.2:80');
      const { rows } = await node.pool.query('select provisioning_status from members where load_balancer_id = $1', [
        id,
      ]);
      expect(rows).toEqual([{ provisioning_status: 'ACTIVE' }, { provisioning_status: 'ACTIVE' }]);
      await waitFor(() => world.instances.size === 2, { describe: 'the spare to be replaced' });
    });
  });

  test('answers a repeated command with the first answer and makes nothing twice', async () => {
    await withNode(new FakeWorld(), async (node) => {
      const id = newLoadBalancerId();
      const first = await send(node, id, createLoadBalancer(id), 'the-command');
      const again = await send(node, id, createLoadBalancer(id), 'the-command');
      expect(again).toEqual(first);
      const other = createLoadBalancer(id, { projectId: 'another' });
      expect(await send(node, id, other, 'the-command')).toMatchObject({
        type: 'refused',
        refusal: { code: 'commandIdReused' },
      });
    });
  });

  test('queues changes while it is busy and pushes them together', async () => {
    const world = new FakeWorld();
    await withNode(world, async (node) => {
      const id = newLoadBalancerId();
      let open = (): void => undefined;
      world.gates.set('amphora.serve', new Promise((resolve) => (open = resolve)));
      await send(node, id, createLoadBalancer(id));
      await waitFor(() => world.calls.some((call) => call.startsWith('amphora.serve')), { describe: 'a push' });
      for (const port of [81, 82, 83, 84]) {
        const reply = await send(node, id, { type: 'createListener', listener: listener(port) });
        expect(reply.type).toBe('ok');
      }
      open();
      await untilStatus(node, id, 'ACTIVE');
      const amphoraId = (await stateOf(node, id))?.slots[0]?.amphoraId ?? '';
      expect(world.calls.filter((call) => call === `amphora.serve ${amphoraId}`)).toHaveLength(2);
      expect(world.served.get(amphoraId)?.configuration).toContain(':84');
    });
  });

  test('puts only the change that amphorae refuse into ERROR and applies the others', async () => {
    const world = new FakeWorld();
    world.refuses = ':8002';
    await withNode(world, async (node) => {
      const id = newLoadBalancerId();
      const ports = [8000, 8001, 8002, 8003, 8004];
      await send(node, id, createLoadBalancer(id, { listeners: ports.map((port) => listener(port)) }));
      await untilStatus(node, id, 'ACTIVE');
      const sql = `select protocol_port, provisioning_status, error_reason from listeners
                   where load_balancer_id = $1 order by protocol_port`;
      const { rows } = await node.pool.query(sql, [id]);
      expect(rows.map((row: { provisioning_status: string }) => row.provisioning_status)).toEqual([
        'ACTIVE',
        'ACTIVE',
        'ERROR',
        'ACTIVE',
        'ACTIVE',
      ]);
      expect(rows[2]).toMatchObject({ error_reason: 'haproxy does not know :8002' });
      const served = [...world.served.values()][0]?.configuration ?? '';
      expect(ports.filter((port) => served.includes(`:${port}`))).toEqual([8000, 8001, 8003, 8004]);
    });
  });

  test('is in ERROR with a reason when a driver keeps failing, and recovers when a change makes it try again', async () => {
    const world = new FakeWorld();
    world.misbehave.set('network.allocateVip', ['fail', 'fail', 'fail', 'fail']);
    await withNode(world, async (node) => {
      const id = newLoadBalancerId();
      await send(node, id, createLoadBalancer(id));
      await untilStatus(node, id, 'ERROR');
      const { rows } = await node.pool.query('select error_reason from load_balancers where id = $1', [id]);
      expect(rows).toEqual([
        { error_reason: 'step vip failed 4 times: network.allocateVip was told to fail (fake network.allocateVip)' },
      ]);
      await send(node, id, { type: 'failoverLoadBalancer' });
      await untilStatus(node, id, 'ACTIVE');
    });
  });

  test('is deleted with everything it had, and then is not found', async () => {
    const world = new FakeWorld();
    await withNode(world, async (node) => {
      const id = newLoadBalancerId();
      await send(node, id, createLoadBalancer(id, { listeners: [listener(80)] }));
      await untilStatus(node, id, 'ACTIVE');
      expect(await send(node, id, { type: 'deleteLoadBalancer', cascade: false })).toMatchObject({
        type: 'refused',
        refusal: { message: `Validation failure: Cannot delete Load Balancer ${id} - it has children` },
      });
      await send(node, id, { type: 'deleteLoadBalancer', cascade: true });
      await untilStatus(node, id, undefined);
      expect(world.vips.size).toBe(0);
      expect(world.served.size).toBe(0);
      expect(await send(node, id, { type: 'failoverLoadBalancer' })).toMatchObject({
        type: 'refused',
        refusal: { code: 'notFound' },
      });
    });
  });

  test('moves to a new amphora when its own is lost, and the lost one is stopped first', async () => {
    const world = new FakeWorld();
    await withNode(world, async (node) => {
      const id = newLoadBalancerId();
      await send(node, id, createLoadBalancer(id, { listeners: [listener(80)] }));
      await untilStatus(node, id, 'ACTIVE');
      const lost = (await stateOf(node, id))?.slots[0]?.amphoraId;
      if (lost === undefined) throw new Error('no amphora');
      world.calls.length = 0;
      await send(node, id, { type: 'failoverAmphora', amphoraId: lost, why: 'lost', reason: 'silent for 3 s' });
      await waitFor(
        async () => (await stateOf(node, id))?.slots.every((slot) => slot.serves && slot.amphoraId !== lost),
        {
          describe: 'another amphora to serve',
        },
      );
      await untilStatus(node, id, 'ACTIVE');
      const stopped = world.calls.indexOf(`compute.delete ${lost}`);
      const served = world.calls.findIndex((call) => call.startsWith('amphora.serve'));
      expect(stopped).toBeGreaterThan(-1);
      expect(served).toBeGreaterThan(stopped);
    });
  });

  test('that another node left unfinished is finished by the next one', async () => {
    const world = new FakeWorld();
    const id = newLoadBalancerId();
    world.misbehave.set('amphora.serve', ['succeed-silently']);
    await withNode(world, async (node) => {
      await send(node, id, createLoadBalancer(id, { listeners: [listener(80)] }));
      await waitFor(() => world.served.size === 1, { describe: 'a push whose end is lost' });
    });
    await withNode(world, async (node) => {
      await untilStatus(node, id, 'ACTIVE');
    });
  });

  test('refuses an address that another one holds', async () => {
    await withNode(new FakeWorld(), async (node) => {
      const vip = { subnetId: 'subnet', networkId: 'network', requestedAddress: '10.9.9.9' };
      const [one, two] = [newLoadBalancerId(), newLoadBalancerId()];
      expect((await send(node, one, createLoadBalancer(one, { vip }))).type).toBe('ok');
      expect(await send(node, two, createLoadBalancer(two, { vip }))).toEqual({
        type: 'refused',
        refusal: { code: 'conflict', message: 'IP address 10.9.9.9 is already allocated', field: 'vipAddress' },
      });
      expect(await statusOf(node, two)).toBeUndefined();
    });
  });

  test('recovers from snapshot and entries when its actor was stopped', async () => {
    await withNode(new FakeWorld(), async (node) => {
      const id = newLoadBalancerId();
      await send(node, id, createLoadBalancer(id));
      for (let port = 1; port <= 25; port++) {
        await send(node, id, { type: 'createListener', listener: listener(port) });
      }
      await untilStatus(node, id, 'ACTIVE');
      const before = await stateOf(node, id);
      await waitFor(
        async () => (await node.pool.query('select 1 from snapshots where entity_id = $1', [id])).rowCount,
        {
          describe: 'a snapshot',
        },
      );
      await node.tree.loadBalancers.restart(id);
      expect(await stateOf(node, id)).toEqual(before);
    });
  });
});
