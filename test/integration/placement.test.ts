// What flavors, availability zones and settings say about where amphorae are, from the command channel to the world.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { CommandClient } from '../../src/channels/command/client.ts';
import { WorldClient } from '../../src/drivers/noop-world/client.ts';
import type { WorldState } from '../../src/drivers/noop-world/protocol.ts';
import { type StartedWorld, startNoopWorld } from '../../src/drivers/noop-world/start.ts';
import { untilActive, useAmphi } from '../support/amphi.ts';
import { built } from '../support/built.ts';
import { waitFor } from '../support/wait-for.ts';

const amphi = useAmphi('placement');
let started: StartedWorld;
let world: WorldClient;
let client: CommandClient;
let apiPort: number | null;

beforeAll(async () => {
  started = await startNoopWorld({ main: built('drivers/noop-world/main.js') });
  world = new WorldClient({ address: started.address, node: 'test' });
  await world.control('hosts', { count: 3 });
  const running = await amphi.up({
    AMPHI_DRIVER: 'noop',
    AMPHI_NOOP_WORLD: started.address,
    AMPHI_HEARTBEAT_INTERVAL: '0.2',
    AMPHI_SPARES_SIZE: '3',
    AMPHI_LOAD_BALANCERS_ANTI_AFFINITY: 'hard',
    AMPHI_ROLES: 'worker,health,housekeeping,api',
  });
  apiPort = running.apiPort;
  client = await running.connect();
}, 90_000);
afterAll(async () => {
  await world.close();
  await started.stop();
});

async function flavor(name: string, data: object): Promise<string> {
  const flavorData = JSON.stringify(data);
  const { flavorProfile } = await client.call('flavorProfile.create', { name, providerName: 'amphora', flavorData });
  return (await client.call('flavor.create', { name, flavorProfileId: flavorProfile?.id ?? '' })).flavor?.id ?? '';
}

async function zone(name: string, data: object): Promise<string> {
  const availabilityZoneData = JSON.stringify(data);
  const profile = { name, providerName: 'amphora' as const, availabilityZoneData };
  const made = (await client.call('availabilityZoneProfile.create', profile)).availabilityZoneProfile;
  await client.call('availabilityZone.create', { name, availabilityZoneProfileId: made?.id ?? '' });
  return name;
}

async function create(more: { readonly flavorId?: string; readonly availabilityZone?: string }): Promise<string> {
  const vipSubnetId = (await client.call('subnet.list', {})).items[0]?.id ?? '';
  const { loadBalancer } = await client.call('loadBalancer.create', { projectId: 'p', vipSubnetId, ...more });
  const id = loadBalancer?.id ?? '';
  await untilActive(client, id, false);
  return id;
}

async function instancesOf(loadBalancerId: string): Promise<WorldState['instances']> {
  const { items } = await client.call('amphora.list', { loadBalancerId });
  const ids = new Set(items.filter(({ status }) => status === 'ALLOCATED').map(({ id }) => id));
  return (await world.control('state', {})).instances.filter(({ amphoraId }) => ids.has(amphoraId));
}

const hostsOf = async (id: string) => new Set((await instancesOf(id)).map(({ host }) => host));

test('the two of a pair are on different machines, from the beginning and after failovers', async () => {
  const flavorId = await flavor('pair', { loadbalancer_topology: 'ACTIVE_STANDBY' });
  const ids = await Promise.all(Array.from({ length: 4 }, () => create({ flavorId })));
  for (const id of ids) expect((await hostsOf(id)).size).toBe(2);
  for (const id of ids) {
    await client.call('loadBalancer.failover', { id });
    await untilActive(client, id, false);
    expect((await hostsOf(id)).size).toBe(2);
  }
}, 60_000);

test('load balancers of a flavor that lets them share have an amphora together, and each is found by it', async () => {
  const flavorId = await flavor('shared', { loadbalancers_per_amphora: 2 });
  const ids = await Promise.all(Array.from({ length: 4 }, () => create({ flavorId })));
  const found = await Promise.all(
    ids.map(async (id) => (await client.call('amphora.list', { loadBalancerId: id })).items),
  );
  expect(found.map(({ length }) => length)).toEqual([1, 1, 1, 1]);
  expect(new Set(found.flat().map(({ id }) => id)).size).toBe(2);
  for (const [index, id] of ids.entries()) {
    const [view] = found[index] ?? [];
    expect([view?.loadBalancerId, ...(view?.otherLoadBalancerIds ?? [])]).toContain(id);
    const response = await fetch(`http://127.0.0.1:${apiPort}/v2/octavia/amphorae?loadbalancer_id=${id}`);
    const { amphorae } = (await response.json()) as { readonly amphorae: readonly Record<string, unknown>[] };
    const { vipAddress } = await client.call('loadBalancer.show', { id });
    expect(amphorae).toMatchObject([{ id: view?.id, loadbalancer_id: id, ha_ip: vipAddress, role: 'STANDALONE' }]);
  }
});

test('an amphora that is shared is failed over with all that have it', async () => {
  const flavorId = await flavor('shared by three', { loadbalancers_per_amphora: 3 });
  const ids = await Promise.all(Array.from({ length: 3 }, () => create({ flavorId })));
  const amphoraOf = async (loadBalancerId: string) =>
    (await client.call('amphora.list', { loadBalancerId })).items.map(({ id }) => id);
  const [before] = await amphoraOf(ids[0] ?? '');
  const response = await fetch(`http://127.0.0.1:${apiPort}/v2/octavia/amphorae/${before}/failover`, { method: 'PUT' });
  expect(response.status).toBe(202);
  await waitFor(async () => (await client.call('amphora.list', {})).items.every(({ id }) => id !== before), {
    describe: 'the end of the amphora',
  });
  for (const id of ids) await untilActive(client, id, false);
  const after = await Promise.all(ids.map(amphoraOf));
  expect(after.map(({ length }) => length)).toEqual([1, 1, 1]);
}, 60_000);

test('an amphora that others may join is joined by nobody once its failover is asked for', async () => {
  const flavorId = await flavor('shared by two', { loadbalancers_per_amphora: 2 });
  const first = await create({ flavorId });
  const [before] = (await client.call('amphora.list', { loadBalancerId: first })).items;
  expect(before).toMatchObject({ otherLoadBalancerIds: [], mayBeJoined: true });
  const { amphora } = await client.call('amphora.failover', { id: before?.id ?? '' });
  expect(amphora ?? { mayBeJoined: false }).toMatchObject({ mayBeJoined: false });
  await create({ flavorId });
  await waitFor(async () => (await client.call('amphora.list', {})).items.every(({ id }) => id !== before?.id), {
    describe: 'the end of the amphora',
  });
  await untilActive(client, first, false);
}, 60_000);

test('an amphora is made as its flavor and availability zone say, and shows that', async () => {
  const flavorId = await flavor('large', { compute_flavor: 'm1.large', amp_image_tag: 'next' });
  const availabilityZone = await zone('east', { compute_zone: 'az-east', management_network: 'mgmt' });
  const id = await create({ flavorId, availabilityZone });
  const [instance] = await instancesOf(id);
  expect(instance?.kind).toMatchObject({
    computeFlavor: 'm1.large',
    imageTag: 'next',
    computeZone: 'az-east',
    managementNetwork: 'mgmt',
    volumeZone: null,
  });
  const response = await fetch(`http://127.0.0.1:${apiPort}/v2/octavia/amphorae?loadbalancer_id=${id}`);
  const { amphorae } = (await response.json()) as { readonly amphorae: readonly Record<string, unknown>[] };
  expect(amphorae).toEqual([
    expect.objectContaining({
      role: 'STANDALONE',
      compute_flavor: 'm1.large',
      cached_zone: 'az-east',
      image_id: expect.any(String),
      vrrp_ip: expect.any(String),
      vrrp_port_id: expect.any(String),
      vrrp_priority: null,
    }),
  ]);
}, 60_000);

test('amphorae of a pair show what VRRP is told', async () => {
  const flavorId = await flavor('pair of api', { loadbalancer_topology: 'ACTIVE_STANDBY' });
  const id = await create({ flavorId });
  const response = await fetch(`http://127.0.0.1:${apiPort}/v2/octavia/amphorae?loadbalancer_id=${id}`);
  const { amphorae } = (await response.json()) as { readonly amphorae: readonly Record<string, unknown>[] };
  const roles = new Map(amphorae.map(({ role, vrrp_priority: priority }) => [role, priority]));
  expect(roles).toEqual(
    new Map([
      ['MASTER', 100],
      ['BACKUP', 90],
    ]),
  );
  for (const amphora of amphorae) {
    expect(amphora).toMatchObject({ vrrp_id: 1, vrrp_ip: expect.any(String), vrrp_port_id: expect.any(String) });
    expect(amphora['ha_ip']).not.toBe(amphora['vrrp_ip']);
  }
}, 60_000);

test('a VIP is only on networks that the availability zone allows', async () => {
  const availabilityZone = await zone('nowhere', { valid_vip_networks: ['another network'] });
  await expect(create({ availabilityZone })).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringContaining('is not valid in availability zone nowhere'),
  });
}, 60_000);

test('a flavor says for its own pairs whether they must be apart', async () => {
  await world.control('hosts', { count: 1 });
  // Of a kind that no spare has.
  const pair = { loadbalancer_topology: 'ACTIVE_STANDBY', compute_flavor: 'of one machine' };
  const id = await create({ flavorId: await flavor('together', { ...pair, anti_affinity: 'soft' }) });
  expect(await hostsOf(id)).toEqual(new Set(['host-0']));
  await world.control('hosts', { count: 3 });
}, 60_000);
