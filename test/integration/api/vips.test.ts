// Load balancers with more than one VIP, and what may be asked of the network for them.
import { beforeAll, describe, expect, test } from '@jest/globals';
import { localNetwork } from '../../../src/drivers/network/local/driver.ts';
import { useTestApi } from '../../support/api.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { waitFor } from '../../support/wait-for.ts';

const network = localNetwork({
  cidr: '127.88.0.0/16',
  additionalCidr: '127.87.0.0/16',
  vrrpSubnet: '127.90.0.0/16',
  managementSubnet: '127.89.0.0/16',
});
const world = Object.assign(new FakeWorld(), { network });
const { api, node } = useTestApi(world, { spares: 3 });
let [first, second] = ['', ''];

beforeAll(async () => {
  [first, second] = (await network.subnets(new AbortController().signal)).map(({ id }) => id) as [string, string];
});

const path = '/v2/lbaas/loadbalancers';
const create = (more: object) =>
  api.request('POST', path, {
    loadbalancer: { vip_subnet_id: first, listeners: [{ protocol: 'HTTP', protocol_port: 80 }], ...more },
  });

async function active(id: string) {
  return waitFor(
    async () => {
      const { body } = await api.request('GET', `${path}/${id}`);
      return body.loadbalancer.provisioning_status === 'ACTIVE' ? body.loadbalancer : undefined;
    },
    { describe: 'the load balancer to be ACTIVE' },
  );
}

describe('additional VIPs', () => {
  test('are allocated, shown, and served by every listener', async () => {
    const made = await create({ additional_vips: [{ subnet_id: second }] });
    expect(made.status).toBe(201);
    expect(made.body.loadbalancer.additional_vips).toMatchObject([{ subnet_id: second }]);
    const { id, vip_address: vip, vip_port_id: port, additional_vips: more } = await active(made.body.loadbalancer.id);
    expect(more).toEqual([{ subnet_id: second, ip_address: expect.stringMatching(/^127\.87\./), port_id: port }]);
    const request = [...world.served.values()].find(({ loadBalancerId }) => loadBalancerId === id);
    expect(request?.configuration).toContain(`bind ${vip}:80\n`);
    expect(request?.configuration).toContain(`bind ${more[0].ip_address}:80\n`);
    expect(request?.port.additional).toEqual([
      { address: more[0].ip_address, subnetCidr: '127.87.0.0/16', gateway: null },
    ]);
  });

  test('that were asked for are given, to one load balancer only', async () => {
    const additional_vips = [{ subnet_id: second, ip_address: '127.87.7.7' }];
    const made = await create({ additional_vips });
    expect(made.status).toBe(201);
    expect((await active(made.body.loadbalancer.id)).additional_vips).toMatchObject(additional_vips);
    const again = await create({ additional_vips });
    expect([again.status, again.body.faultstring]).toEqual([409, expect.stringContaining('127.87.7.7')]);
  });

  test('that others hold are not offered twice', async () => {
    const one = await create({ additional_vips: [{ subnet_id: second }] });
    const address = (await active(one.body.loadbalancer.id)).additional_vips[0].ip_address;
    expect(address).toMatch(/^127\.87\./);
    const { rows } = await node.pool.query<{ n: string }>('select count(*) as n from claims where value like $1', [
      `%/${address}`,
    ]);
    expect(rows[0]?.n).toBe('1');
  });

  test.each<[string, () => unknown, string]>([
    ['on the subnet of the VIP', () => [{ subnet_id: first }], 'additional_vips[0]: '],
    ['twice on a subnet', () => [{ subnet_id: second }, { subnet_id: second }], 'additional_vips[1]: '],
    ['on a subnet that is not there', () => [{ subnet_id: 'nowhere' }], 'additional_vips[0]: '],
    ['outside of their subnet', () => [{ subnet_id: second, ip_address: '10.0.0.1' }], 'additional_vips[0]: '],
    ['without a subnet', () => [{ ip_address: '127.87.0.9' }], 'additional_vips'],
    ['that are no list', () => ({ subnet_id: second }), 'additional_vips'],
  ])('%s are refused', async (_, additional, field) => {
    const refused = await create({ additional_vips: additional() });
    expect(refused.status).toBe(400);
    expect(refused.body.faultstring).toContain(field);
  });

  test('cannot be changed', async () => {
    const made = await create({});
    const { id } = await active(made.body.loadbalancer.id);
    const refused = await api.request('PUT', `${path}/${id}`, { loadbalancer: { additional_vips: [] } });
    expect(refused.status).toBe(400);
  });
});

test.each([
  ['vip_qos_policy_id', '0b0e5b1c-9d3a-4b8e-8f57-0c2f6a1d7e11', 'The network driver local has no QoS policies.'],
  ['vip_sg_ids', ['0b0e5b1c-9d3a-4b8e-8f57-0c2f6a1d7e11'], 'The network driver local has no security groups.'],
])('%s is refused where the network has nothing of the kind, at create and later', async (name, value, message) => {
  const refused = await create({ [name]: value });
  expect([refused.status, refused.body.faultstring]).toEqual([501, message]);
  const { id } = await active((await create({})).body.loadbalancer.id);
  const update = await api.request('PUT', `${path}/${id}`, { loadbalancer: { [name]: value } });
  expect([update.status, update.body.faultstring]).toEqual([501, message]);
});

test('ports of SR-IOV are no capability where the network has none, and profiles cannot ask for them', async () => {
  const { body } = await api.get('/v2/lbaas/providers/amphora/flavor_capabilities');
  const names = body.flavor_capabilities.map(({ name }: { readonly name: string }) => name);
  expect(names).toEqual(['loadbalancer_topology']);
  for (const key of ['sriov_vip', 'allow_member_sriov']) {
    const flavorprofile = { name: 'p', provider_name: 'amphora', flavor_data: `{"${key}":true}` };
    const refused = await api.request('POST', '/v2/lbaas/flavorprofiles', { flavorprofile });
    expect(refused.status).toBe(400);
    expect(refused.body.faultstring).toContain(`the network driver does not know ${key}`);
  }
  expect((await create({})).body.loadbalancer.vip_vnic_type).toBe('normal');
});
