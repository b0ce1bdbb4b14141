// What operators switch off for users, one setting at a time, in Octavia's words.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Config } from '../../../src/config/schema.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { startTestControl } from '../../support/control.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { startTestNode, type TestNode } from '../../support/tree.ts';

const world = new FakeWorld();
let node: TestNode;
let open: TestApi;
let loadBalancerId = '';
let poolId = '';
let listenerId = '';

afterAll(async () => {
  await open.close();
  await node.close();
});
const database = useTestDatabase();

const id = '5c6f1d2e-0000-4000-8000-000000000001';
const pool = { name: 'p', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' };
const times = { delay: 5, timeout: 3, max_retries: 2 };
const ping = { ...pool, healthmonitor: { type: 'PING', ...times } };
const terminated = { protocol: 'TERMINATED_HTTPS', protocol_port: 443, default_tls_container_ref: 'file:web' };
const prometheus = { protocol: 'PROMETHEUS', protocol_port: 9100 };

beforeAll(async () => {
  node = await startTestNode({ url: database.url, world, spares: 1 });
  open = await startTestApi(node, world);
  const made = await open.request('POST', '/v2/lbaas/loadbalancers', { loadbalancer: { vip_subnet_id: 'subnet' } });
  loadBalancerId = made.body.loadbalancer.id;
  const { body } = await open.request('POST', '/v2/lbaas/pools', {
    pool: { ...pool, loadbalancer_id: loadBalancerId },
  });
  poolId = body.pool.id;
  const listener = { loadbalancer_id: loadBalancerId, protocol: 'HTTP', protocol_port: 8080 };
  listenerId = (await open.request('POST', '/v2/lbaas/listeners', { listener })).body.listener.id;
});

/** Setting → requests that it is for, and their answer when it is off. */
type Row = readonly [keyof Config['api'], string, () => readonly (readonly [path: string, body: object])[]];

const inListener = (more: object) => ({
  loadbalancer_id: loadBalancerId,
  protocol: 'HTTP',
  protocol_port: 80,
  ...more,
});
const toPool = (redirect_pool: object) => [{ action: 'REDIRECT_TO_POOL', redirect_pool }];
const vip = (name: string) => `Validation failure: use of ${name} is disallowed by this deployment's configuration.`;
const rows: readonly Row[] = [
  ['allowVipSubnetId', vip('vip_subnet_id'), () => [['loadbalancers', { loadbalancer: { vip_subnet_id: 'subnet' } }]]],
  ['allowVipNetworkId', vip('vip_network_id'), () => [['loadbalancers', { loadbalancer: { vip_network_id: id } }]]],
  ['allowVipPortId', vip('vip_port_id'), () => [['loadbalancers', { loadbalancer: { vip_port_id: id } }]]],
  [
    'allowTlsTerminatedListeners',
    'The selected protocol is not allowed in this deployment: TERMINATED_HTTPS',
    () => [
      ['listeners', { listener: inListener(terminated) }],
      ['loadbalancers', { loadbalancer: { vip_subnet_id: 'subnet', listeners: [terminated] } }],
    ],
  ],
  [
    'allowTlsTerminatedListeners',
    'The selected protocol is not allowed in this deployment: PROMETHEUS with TLS',
    () => [['listeners', { listener: inListener({ ...terminated, ...prometheus }) }]],
  ],
  [
    'allowPrometheusListeners',
    'The selected protocol is not allowed in this deployment: PROMETHEUS',
    () => [
      ['listeners', { listener: inListener(prometheus) }],
      ['loadbalancers', { loadbalancer: { vip_subnet_id: 'subnet', listeners: [prometheus] } }],
    ],
  ],
  [
    'allowPingHealthMonitors',
    'The selected type is not allowed in this deployment: PING',
    () => [
      ['healthmonitors', { healthmonitor: { pool_id: poolId, type: 'PING', ...times } }],
      ['pools', { pool: { ...ping, loadbalancer_id: loadBalancerId } }],
      ['listeners', { listener: inListener({ default_pool: ping }) }],
      ['listeners', { listener: inListener({ l7policies: toPool(ping) }) }],
      ['loadbalancers', { loadbalancer: { vip_subnet_id: 'subnet', pools: [ping] } }],
      ['l7policies', { l7policy: { listener_id: listenerId, action: 'REDIRECT_TO_POOL', redirect_pool: ping } }],
    ],
  ],
];

test.each(rows)('%s off: %s', async (setting, words, requests) => {
  const closed = await startTestApi(node, world, { [setting]: false });
  for (const [path, body] of requests()) {
    const refused = await closed.request('POST', `/v2/lbaas/${path}`, body);
    expect([path, refused.status, refused.body.faultstring]).toEqual([path, 400, words]);
    const taken = await open.request('POST', `/v2/lbaas/${path}`, body);
    expect(taken.body.faultstring ?? '').not.toContain('allowed');
  }
  await closed.close();
});

test('who says nothing of the VIP is told what is left', async () => {
  const closed = await startTestApi(node, world, { allowVipNetworkId: false });
  const refused = await closed.request('POST', '/v2/lbaas/loadbalancers', { loadbalancer: { name: 'x' } });
  await closed.close();
  expect(refused.body.faultstring).toBe('Validation failure: VIP must contain one of: vip_port_id, vip_subnet_id.');
});

test('the command channel, which is the operators’ own, has everything', async () => {
  const control = await startTestControl(node, world);
  const client = await control.connect();
  const given = { loadBalancerId, protocol: 'PROMETHEUS', protocolPort: 9_101 };
  expect((await client.call('listener.create', given)).listener).toMatchObject({ protocol: 'PROMETHEUS' });
  await control.close();
});
