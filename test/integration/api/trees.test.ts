// Objects within single creates: a listener with its pool and policies, a policy with its pool. Each is one change.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { useTestApi } from '../../support/api.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';

const world = new FakeWorld();
const { api, node } = useTestApi(world, { spares: 2 });
let loadBalancerId = '';

beforeEach(async () => {
  const made = await api.request('POST', '/v2/lbaas/loadbalancers', { loadbalancer: { vip_subnet_id: 'subnet' } });
  loadBalancerId = made.body.loadbalancer.id;
});

const pool = (name: string, more: object = {}) => ({ name, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', ...more });
const rule = (value: string) => ({ type: 'PATH', compare_type: 'STARTS_WITH', value });
const monitor = { type: 'HTTP', delay: 5, timeout: 3, max_retries: 2 };
const member = (address: string) => ({ address, protocol_port: 80 });

const createListener = (more: object, headers = {}) => {
  const listener = { loadbalancer_id: loadBalancerId, protocol: 'HTTP', protocol_port: 80, ...more };
  return api.request('POST', '/v2/lbaas/listeners', { listener }, headers);
};
const show = async (path: string) => Object.values((await api.get(`/v2/lbaas/${path}`)).body)[0] as never;
/** How many objects of each kind the load balancer has. */
async function counts() {
  const text = ['listeners', 'pools', 'members', 'health_monitors', 'l7_policies', 'l7_rules']
    .map((table) => `select count(*)::int as n from ${table} where load_balancer_id = $1`)
    .join(' union all ');
  const { rows } = await node.pool.query<{ n: number }>(text, [loadBalancerId]);
  return rows.map(({ n }) => n);
}

const whole = {
  default_pool: pool('site', { members: [member('10.0.0.1'), member('10.0.0.2')], healthmonitor: monitor }),
  l7policies: [
    { action: 'REDIRECT_TO_POOL', redirect_pool: pool('api'), rules: [rule('/api'), rule('/v')], position: 2 },
    { action: 'REJECT', rules: [rule('/private')], position: 1 },
    { action: 'REDIRECT_TO_POOL', redirect_pool: { name: 'site' }, rules: [rule('/site')] },
  ],
};

describe('a listener', () => {
  test('comes with its pool, members, monitor, policies and rules, answered like any other', async () => {
    const made = await createListener(whole);
    expect(made.status).toBe(201);
    const { listener } = made.body;
    expect(Object.keys(listener).filter((name) => name === 'default_pool')).toEqual([]);
    expect(listener.l7policies).toEqual(Array.from({ length: 3 }, () => ({ id: expect.any(String) })));
    expect(await show(`listeners/${listener.id}`)).toMatchObject({ default_pool_id: listener.default_pool_id });
    expect(await show(`pools/${listener.default_pool_id}`)).toMatchObject({
      name: 'site',
      listeners: [{ id: listener.id }],
      members: [{ id: expect.any(String) }, { id: expect.any(String) }],
      healthmonitor_id: expect.any(String),
    });
    const policies = await Promise.all(
      listener.l7policies.map(({ id }: { readonly id: string }) => show(`l7policies/${id}`)),
    );
    expect(policies).toMatchObject([
      { action: 'REJECT', position: 1 },
      { position: 2, redirect_pool_id: expect.any(String), rules: [{}, {}] },
      { position: 3, redirect_pool_id: listener.default_pool_id },
    ]);
    await api.untilStatus(loadBalancerId, 'ACTIVE');
    const served = [...world.served.values()].find((request) => request.loadBalancerId === loadBalancerId);
    expect(served?.configuration).toContain(`default_backend ${listener.default_pool_id}:${listener.id}`);
    expect(served?.configuration).toContain('/private');
  });

  test('is one change: a repeat makes nothing new, and of one that is refused nothing stays', async () => {
    const headers = { 'idempotency-key': `tree-${loadBalancerId}` };
    const first = await createListener(whole, headers);
    const all = await counts();
    expect(all).toEqual([1, 2, 2, 1, 3, 4]);
    const again = await createListener(whole, headers);
    expect(again.body.listener.id).toBe(first.body.listener.id);
    const taken = await createListener(whole);
    expect(taken.status).toBe(409);
    const text = `select 1 from journal where entity_id = $1 and events::text like '%l7Rule%'`;
    const { rows } = await node.pool.query(text, [loadBalancerId]);
    expect(rows).toHaveLength(1);
    expect(await counts()).toEqual(all);
  });

  test('may lead to pools that are there already', async () => {
    const given = { pool: pool('shared', { loadbalancer_id: loadBalancerId }) };
    const { id } = (await api.request('POST', '/v2/lbaas/pools', given)).body.pool;
    const policy = { action: 'REDIRECT_TO_POOL', redirect_pool_id: id, rules: [rule('/a')] };
    const made = await createListener({ default_pool_id: id, l7policies: [policy] });
    expect(made.body.listener.default_pool_id).toBe(id);
    expect(await show(`l7policies/${made.body.listener.l7policies[0].id}`)).toMatchObject({ redirect_pool_id: id });
  });

  const two = [member('10.0.0.1'), { address: 'host', protocol_port: 80 }];
  const toPool = { action: 'REDIRECT_TO_POOL', rules: [rule('/')] };
  test.each([
    [400, 'default_pool.members[1].address', { default_pool: pool('p', { members: two }) }],
    [
      400,
      'default_pool.healthmonitor.delay',
      { default_pool: pool('p', { healthmonitor: { ...monitor, delay: 'x' } }) },
    ],
    [
      400,
      'l7policies[0].redirect_pool.protocol',
      { l7policies: [{ ...toPool, redirect_pool: { lb_algorithm: 'x' } }] },
    ],
    [400, 'l7policies[0].rules[1].value', { l7policies: [{ action: 'REJECT', rules: [rule('/'), rule('')] }] }],
    [400, `no pool with the name 'other'`, { default_pool: { name: 'other' } }],
    [
      400,
      `two pools with the name 'p'`,
      { default_pool: pool('p'), l7policies: [{ ...toPool, redirect_pool: pool('p') }] },
    ],
    [400, 'exclude each other', { default_pool: pool('p'), default_pool_id: '5c6f1d2e-0000-4000-8000-000000000001' }],
    [400, "The pool protocol 'TCP' is invalid", { default_pool: pool('p', { protocol: 'TCP' }) }],
    [400, 'redirect_pool_id is needed', { l7policies: [toPool] }],
    [400, 'default_pool: bogus', { default_pool: pool('p', { bogus: 1 }) }],
    [400, 'only, given TCP', { protocol: 'TCP', l7policies: [{ action: 'REJECT' }] }],
    [400, 'is invalid while the listener protocol', { protocol: 'PROMETHEUS', default_pool: pool('p') }],
    [
      409,
      'already using ip 10.0.0.1',
      { default_pool: pool('p', { members: [member('10.0.0.1'), member('10.0.0.1')] }) },
    ],
  ])('with a part that cannot be is refused (%i) and names the place: %s', async (status, words, more) => {
    const refused = await createListener(more);
    expect([refused.status, refused.body.faultstring]).toEqual([status, expect.stringContaining(words)]);
    expect(await counts()).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe('an L7 policy', () => {
  test('comes with its pool and rules', async () => {
    const { id: listener_id } = (await createListener({})).body.listener;
    const given = { listener_id, action: 'REDIRECT_TO_POOL', rules: [rule('/a')] };
    const l7policy = { ...given, redirect_pool: pool('', { members: [member('10.0.0.3')], healthmonitor: monitor }) };
    const made = await api.request('POST', '/v2/lbaas/l7policies', { l7policy });
    expect(made.body.l7policy).toMatchObject({ redirect_pool_id: expect.any(String), rules: [{}], position: 1 });
    expect(await show(`pools/${made.body.l7policy.redirect_pool_id}`)).toMatchObject({
      listeners: [{ id: listener_id }],
      members: [{}],
    });
    expect(await counts()).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test('that is refused leaves no pool behind', async () => {
    const { id: listener_id } = (await createListener({})).body.listener;
    const refused = async (more: object) => {
      const l7policy = { listener_id, action: 'REDIRECT_TO_POOL', ...more };
      return (await api.request('POST', '/v2/lbaas/l7policies', { l7policy })).body.faultstring;
    };
    expect(await refused({ redirect_pool: pool('p', { members: [{ address: 'x', protocol_port: 1 }] }) })).toContain(
      'redirect_pool.members[0].address',
    );
    expect(await refused({ redirect_pool: pool('p', { protocol: 'UDP' }) })).toContain("'UDP' is invalid");
    expect(await refused({ redirect_pool: pool('p'), action: 'REJECT' })).toContain('has no meaning for action REJECT');
    expect(await counts()).toEqual([1, 0, 0, 0, 0, 0]);
  });
});

test('quotas count everything that a listener brings', async () => {
  const made = await api.request('POST', '/v2/lbaas/loadbalancers', {
    loadbalancer: { vip_subnet_id: 'subnet', project_id: 'frugal' },
  });
  loadBalancerId = made.body.loadbalancer.id;
  await api.request('PUT', '/v2/lbaas/quotas/frugal', { quota: { member: 1 } });
  const refused = await createListener(whole);
  expect([refused.status, refused.body.faultstring]).toEqual([403, 'Quota has been met for resources: Member']);
  expect(await counts()).toEqual([0, 0, 0, 0, 0, 0]);
});
