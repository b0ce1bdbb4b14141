// Ports of SR-IOV, from a flavor to the world: who may ask, what is shown, and what the network is told.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CommandClient } from '../../src/channels/command/client.ts';
import { WorldClient } from '../../src/drivers/noop-world/client.ts';
import { type StartedWorld, startNoopWorld } from '../../src/drivers/noop-world/start.ts';
import { untilActive, useAmphi } from '../support/amphi.ts';
import { built } from '../support/built.ts';
import { waitFor } from '../support/wait-for.ts';

const amphi = useAmphi('sriov');
let started: StartedWorld;
let world: WorldClient;
let client: CommandClient;
let base = '';

beforeAll(async () => {
  started = await startNoopWorld({ main: built('drivers/noop-world/main.js'), isBoundless: true });
  world = new WorldClient({ address: started.address, node: 'test' });
  const running = await amphi.up({
    AMPHI_DRIVER: 'noop',
    AMPHI_NOOP_WORLD: started.address,
    AMPHI_SPARES_SIZE: '2',
    AMPHI_ROLES: 'worker,health,housekeeping,api',
  });
  base = `http://127.0.0.1:${running.apiPort}/v2/lbaas`;
  client = await running.connect();
}, 90_000);
afterAll(async () => {
  await world.close();
  await started.stop();
});

async function call(method: string, path: string, body?: object) {
  const init = { method, headers: { 'content-type': 'application/json' }, ...(body && { body: JSON.stringify(body) }) };
  const response = await fetch(`${base}/${path}`, init);
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of any shape
  return { status: response.status, body: (await response.json().catch(() => undefined)) as any };
}

async function flavor(name: string, data: object): Promise<string> {
  const flavorprofile = { name, provider_name: 'amphora', flavor_data: JSON.stringify(data) };
  const profile = (await call('POST', 'flavorprofiles', { flavorprofile })).body.flavorprofile;
  return (await call('POST', 'flavors', { flavor: { name, flavor_profile_id: profile.id } })).body.flavor.id;
}

async function create(more: object) {
  const vip_subnet_id = (await client.call('subnet.list', {})).items[0]?.id;
  return call('POST', 'loadbalancers', { loadbalancer: { vip_subnet_id, ...more } });
}

const pool = { name: 'p', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' };
const member = (n: number, more: object = {}) => ({ address: `10.9.0.${n}`, protocol_port: 80, ...more });

/** How the VIP is plugged in, by amphora. */
async function plugsOf(id: string) {
  const { instances } = await world.control('state', {});
  return instances.flatMap(({ plugs }) => plugs[id] ?? []);
}

test('profiles may say so, and the capabilities tell', async () => {
  const { body } = await call('GET', 'providers/amphora/flavor_capabilities');
  const names = body.flavor_capabilities.map(({ name }: { readonly name: string }) => name);
  expect(names).toEqual(expect.arrayContaining(['sriov_vip', 'allow_member_sriov']));
  const wrong = { name: 'x', provider_name: 'amphora', flavor_data: '{"sriov_vip":"yes"}' };
  const refused = await call('POST', 'flavorprofiles', { flavorprofile: wrong });
  expect([refused.status, refused.body.faultstring]).toEqual([
    400,
    expect.stringContaining('sriov_vip: expected true or false, given "yes"'),
  ]);
});

describe('a VIP', () => {
  test.each(['SINGLE', 'ACTIVE_STANDBY'])(
    'is on such ports of its amphorae (%s), and shows it',
    async (topology) => {
      const flavor_id = await flavor(`vip ${topology}`, { sriov_vip: true, loadbalancer_topology: topology });
      const { body } = await create({ flavor_id, listeners: [{ protocol: 'UDP', protocol_port: 53 }] });
      const { id, vip_vnic_type } = body.loadbalancer;
      expect(vip_vnic_type).toBe('direct');
      await untilActive(client, id, false);
      // Nothing else comes in: no security group holds there.
      const rules = [{ protocol: 'UDP', cidr: null, port: 53 }];
      const peer = { cidr: expect.stringMatching(/^172\.\d+\.\d+\.\d+\/32$/) };
      const withPeer = [...rules, { ...peer, protocol: 'vrrp', port: 112 }, { ...peer, protocol: 'TCP', port: 1025 }];
      const direct = { vnicType: 'direct', sriovSubnetIds: [] };
      const pair = { ...direct, rules: withPeer };
      expect(await plugsOf(id)).toEqual(topology === 'SINGLE' ? [{ ...direct, rules }] : [pair, pair]);
      const listed = await call('GET', `loadbalancers?vip_vnic_type=direct&flavor_id=${flavor_id}`);
      expect(listed.body.loadbalancers).toMatchObject([{ id, vip_vnic_type: 'direct' }]);
    },
    30_000,
  );

  test('is not without the flavor', async () => {
    const { id, vip_vnic_type } = (await create({})).body.loadbalancer;
    expect(vip_vnic_type).toBe('normal');
    await untilActive(client, id, false);
    expect(await plugsOf(id)).toEqual([{ vnicType: 'normal', sriovSubnetIds: [] }]);
  }, 30_000);

  test('takes no security groups there, at create or later', async () => {
    const flavor_id = await flavor('no groups', { sriov_vip: true });
    const vip_sg_ids = ['0b0e5b1c-9d3a-4b8e-8f57-0c2f6a1d7e12'];
    const words = [400, 'Validation failure: VIP Security Groups are not allowed with VNIC direct type'];
    const refused = await create({ flavor_id, vip_sg_ids });
    expect([refused.status, refused.body.faultstring]).toEqual(words);
    const { id } = (await create({ flavor_id })).body.loadbalancer;
    const update = await call('PUT', `loadbalancers/${id}`, { loadbalancer: { vip_sg_ids } });
    expect([update.status, update.body.faultstring]).toEqual(words);
  });
});

describe('a member', () => {
  test('is reached by such a port of its subnet when it asks and its flavor allows', async () => {
    const flavor_id = await flavor('members', { allow_member_sriov: true });
    const members = [
      member(1, { subnet_id: 'inner', request_sriov: true }),
      member(2, { subnet_id: 'inner', request_sriov: true }),
      member(3, { subnet_id: 'other' }),
    ];
    const { body } = await create({ flavor_id, pools: [{ ...pool, members }] });
    const { id, pools } = body.loadbalancer;
    const kinds = pools[0].members.map(({ vnic_type }: { readonly vnic_type: string }) => vnic_type);
    expect([kinds, body.loadbalancer.vip_vnic_type]).toEqual([['direct', 'direct', 'normal'], 'normal']);
    expect(Object.keys(pools[0].members[0])).not.toContain('request_sriov');
    await untilActive(client, id, false);
    expect(await plugsOf(id)).toEqual([{ vnicType: 'normal', sriovSubnetIds: ['inner'] }]);

    // The batch keeps what known members were made with.
    const again = [
      member(1, { subnet_id: 'inner' }),
      member(3, { subnet_id: 'other', request_sriov: true, weight: 2 }),
    ];
    const put = await call('PUT', `pools/${pools[0].id}/members`, { members: again });
    expect(put.status).toBe(202);
    await untilActive(client, id, false);
    const { members: after } = (await call('GET', `pools/${pools[0].id}/members`)).body;
    expect(after).toMatchObject([
      { address: '10.9.0.1', vnic_type: 'direct' },
      { address: '10.9.0.3', vnic_type: 'normal', weight: 2 },
    ]);
    const added = { member: member(4, { subnet_id: 'third', request_sriov: true }) };
    expect((await call('POST', `pools/${pools[0].id}/members`, added)).body.member.vnic_type).toBe('direct');
    await waitFor(async () => (await plugsOf(id))[0]?.sriovSubnetIds.join() === 'inner,third', {
      describe: 'the network to be told of the third subnet',
    });
  }, 30_000);

  test('is refused without, wherever it stands, and nothing of the request stays', async () => {
    const words = [400, 'The load balancer flavor does not allow SR-IOV member ports.'];
    const asking = { ...pool, members: [member(1, { request_sriov: true })] };
    const { id } = (await create({})).body.loadbalancer;
    const made = (await call('POST', 'pools', { pool: { ...pool, loadbalancer_id: id } })).body.pool;
    const listener = { loadbalancer_id: id, protocol: 'HTTP', protocol_port: 80, default_pool: asking };
    for (const refused of [
      await create({ pools: [asking] }),
      await create({ flavor_id: await flavor('vip only', { sriov_vip: true }), pools: [asking] }),
      await call('POST', 'pools', { pool: { ...asking, loadbalancer_id: id } }),
      await call('POST', 'listeners', { listener }),
      await call('POST', `pools/${made.id}/members`, { member: asking.members[0] }),
      await call('PUT', `pools/${made.id}/members`, { members: asking.members }),
    ]) {
      expect([refused.status, refused.body.faultstring]).toEqual(words);
    }
    expect((await call('GET', `listeners?loadbalancer_id=${id}`)).body.listeners).toEqual([]);
    const change = await call('POST', `pools/${made.id}/members`, { member: member(1, { request_sriov: null }) });
    expect(change.body.member.vnic_type).toBe('normal');
  });
});
