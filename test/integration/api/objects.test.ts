import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { readsOf } from '../../../src/db/repositories/reads.ts';
import { startTestApi, useTestApi } from '../../support/api.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer, listener } from '../../support/load-balancer-commands.ts';
import { newLoadBalancerId, send, untilStatus } from '../../support/tree.ts';
import { waitFor } from '../../support/wait-for.ts';

const world = new FakeWorld();
const { api, node } = useTestApi(world, { spares: 2 });

afterEach(() => world.gates.clear());

const base = '/v2/lbaas';
const timeless = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/;

const tree = {
  name: 'web',
  vip_subnet_id: 'subnet',
  tags: ['one'],
  listeners: [
    {
      name: 'web',
      protocol: 'HTTP',
      protocol_port: 80,
      default_pool: { name: 'site' },
      l7policies: [
        {
          name: 'api',
          action: 'REDIRECT_TO_POOL',
          redirect_pool: { name: 'api', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' },
          rules: [{ type: 'PATH', compare_type: 'STARTS_WITH', value: '/api' }],
        },
      ],
    },
    {
      protocol: 'TCP',
      protocol_port: 443,
      insert_headers: null,
      default_pool: { protocol: 'TCP', lb_algorithm: 'SOURCE_IP' },
    },
  ],
  pools: [
    {
      name: 'site',
      protocol: 'HTTP',
      lb_algorithm: 'ROUND_ROBIN',
      members: [
        { address: '10.0.0.1', protocol_port: 8080 },
        { address: '10.0.0.2', protocol_port: 8080, weight: 5 },
      ],
      healthmonitor: { type: 'HTTP', delay: 5, timeout: 3, max_retries: 2, url_path: '/health' },
    },
  ],
};

async function created(body: object = { vip_subnet_id: 'subnet' }): Promise<string> {
  const { status, body: answer } = await api.request('POST', `${base}/loadbalancers`, { loadbalancer: body });
  expect([status, answer.faultstring]).toEqual([201, undefined]);
  await api.untilStatus(answer.loadbalancer.id, 'ACTIVE');
  return answer.loadbalancer.id as string;
}

describe('a load balancer over the REST API', () => {
  test('is created as a tree in one request, shown, and gone after a cascading delete', async () => {
    const made = await api.request('POST', `${base}/loadbalancers`, { loadbalancer: tree });
    expect(made.status).toBe(201);
    const { loadbalancer } = made.body;
    const [site] = loadbalancer.pools;
    const [policy] = loadbalancer.listeners[0].l7policies;
    expect(policy).toMatchObject({ name: 'api', position: 1, rules: [{ value: '/api', invert: false }] });
    expect(loadbalancer.pools.map(({ name }: { name: string }) => name)).toContain('api');
    expect(loadbalancer).toMatchObject({
      name: 'web',
      project_id: 'default',
      tenant_id: 'default',
      admin_state_up: true,
      provider: 'amphora',
      flavor_id: null,
      tags: ['one'],
      created_at: expect.stringMatching(timeless),
    });
    expect(loadbalancer.listeners[0]).toMatchObject({ default_pool_id: site.id, protocol_port: 80 });
    expect(site.members.map((member: { weight: number }) => member.weight)).toEqual([1, 5]);
    expect(site.healthmonitor).toMatchObject({ url_path: '/health', http_method: 'GET', pools: [{ id: site.id }] });

    const { id } = loadbalancer;
    await api.untilStatus(id, 'ACTIVE');
    const shown = await api.get(`${base}/loadbalancers/${id}`);
    expect(shown.body.loadbalancer.listeners).toEqual(
      loadbalancer.listeners.map((listener: { id: string }) => ({ id: listener.id })),
    );
    const pool = await api.get(`/v2.0/lbaas/pools/${site.id}`);
    expect(pool.body.pool).toMatchObject({
      loadbalancers: [{ id }],
      listeners: [{ id: loadbalancer.listeners[0].id }],
      healthmonitor_id: site.healthmonitor.id,
      members: site.members.map((member: { id: string }) => ({ id: member.id })),
      session_persistence: null,
    });

    const shownListener = (await api.get(`${base}/listeners/${loadbalancer.listeners[0].id}`)).body.listener;
    expect(shownListener.l7policies).toEqual([{ id: policy.id }]);

    const status = await api.get(`${base}/loadbalancers/${id}/status`);
    const [listener] = status.body.statuses.loadbalancer.listeners;
    const keys = ['id', 'listeners', 'name', 'operating_status', 'provisioning_status'];
    expect(Object.keys(status.body.statuses.loadbalancer).toSorted()).toEqual(keys);
    expect(listener.pools[0]).toMatchObject({ name: 'site', health_monitor: { type: 'HTTP' } });
    expect(listener.pools[0].members).toHaveLength(2);
    expect((await api.get(`${base}/loadbalancers/${id}/statuses`)).body).toEqual(status.body);

    const refused = await api.request('DELETE', `${base}/loadbalancers/${id}`);
    expect([refused.status, refused.body.faultstring]).toEqual([
      400,
      `Validation failure: Cannot delete Load Balancer ${id} - it has children`,
    ]);
    const deleted = await api.request('DELETE', `${base}/loadbalancers/${id}?cascade=True`);
    expect([deleted.status, deleted.body]).toEqual([204, undefined]);
    await api.untilStatus(id, undefined);
    const gone = await api.get(`${base}/loadbalancers/${id}`);
    expect([gone.status, gone.body.faultstring]).toEqual([404, `Load Balancer ${id} not found.`]);
  });

  test('has monitors, policies and rules that are ONLINE as soon as amphorae have them, heard or not', async () => {
    const id = await created({ ...tree, name: 'unheard' });
    const statusOf = async (path: string, envelope: string) =>
      (await api.get(`${base}/${path}`)).body[envelope].operating_status;
    const [{ id: policyId, rules }] = (await api.get(`${base}/l7policies?loadbalancer_id=${id}`)).body.l7policies;
    const [{ id: monitorId }] = (await api.get(`${base}/healthmonitors?loadbalancer_id=${id}`)).body.healthmonitors;
    expect(await statusOf(`l7policies/${policyId}`, 'l7policy')).toBe('ONLINE');
    expect(await statusOf(`l7policies/${policyId}/rules/${rules[0].id}`, 'rule')).toBe('ONLINE');
    expect(await statusOf(`healthmonitors/${monitorId}`, 'healthmonitor')).toBe('ONLINE');
    expect(await statusOf(`loadbalancers/${id}`, 'loadbalancer')).toBe('OFFLINE');
    await api.request('PUT', `${base}/l7policies/${policyId}`, { l7policy: { admin_state_up: false } });
    await waitFor(async () => (await statusOf(`l7policies/${policyId}`, 'l7policy')) === 'OFFLINE', {
      describe: 'the policy to be OFFLINE',
    });
    await api.request('DELETE', `${base}/loadbalancers/${id}?cascade=true`);
  });

  test('is answered with the address of its VIP, or without one where the network is slow or fails', async () => {
    const asked = { loadbalancer: { vip_subnet_id: 'subnet' } };
    const make = async () => (await api.request('POST', `${base}/loadbalancers`, asked)).body.loadbalancer;
    expect(await make()).toMatchObject({
      vip_address: expect.stringMatching(/^10\./),
      vip_port_id: expect.stringContaining('port'),
      provisioning_status: expect.stringMatching(/^(PENDING_CREATE|ACTIVE)$/),
    });
    let open: () => void = () => undefined;
    world.gates.set('network.allocateVip', new Promise((resolve) => (open = resolve)));
    const slow = await make();
    expect(slow).toMatchObject({ vip_address: null, provisioning_status: 'PENDING_CREATE' });
    world.gates.clear();
    open();
    await api.untilStatus(slow.id, 'ACTIVE');
    expect((await api.get(`${base}/loadbalancers/${slow.id}`)).body.loadbalancer.vip_address).toMatch(/^10\./);
    world.misbehave.set('network.allocateVip', ['fail']);
    expect(await make()).toMatchObject({ vip_address: null });
  });

  test('has children that are made, changed and removed one by one', async () => {
    const id = await created();
    const listener = (
      await api.request('POST', `${base}/listeners`, {
        listener: { loadbalancer_id: id, protocol: 'HTTP', protocol_port: '8080', project_id: 'ignored' },
      })
    ).body.listener;
    expect(listener).toMatchObject({ protocol_port: 8080, project_id: 'default', loadbalancers: [{ id }] });
    const pool = (
      await api.request('POST', `${base}/pools`, {
        pool: { listener_id: listener.id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' },
      })
    ).body.pool;
    const members = `${base}/pools/${pool.id}/members`;
    const member = (await api.request('POST', members, { member: { address: '10.0.0.9', protocol_port: 80 } })).body
      .member;
    expect(member).toMatchObject({ weight: 1, operating_status: 'NO_MONITOR' });
    const monitor = { pool_id: pool.id, type: 'TCP', delay: 5, timeout: 3, max_retries: 2 };
    const made = await api.request('POST', `${base}/healthmonitors`, { healthmonitor: monitor });
    expect(made.body.healthmonitor).toMatchObject({ type: 'TCP', http_method: null, pools: [{ id: pool.id }] });
    const second = await api.request('POST', `${base}/healthmonitors`, { healthmonitor: monitor });
    expect([second.status, second.body.faultstring]).toEqual([409, 'This pool already has a health monitor']);

    const changed = await api.request('PUT', `${members}/${member.id}`, { member: { weight: 9 } });
    expect([changed.status, changed.body.member.weight]).toEqual([200, 9]);
    expect((await api.get(`${members}/${member.id}`)).body.member.weight).toBe(9);
    const elsewhere = await api.get(`${base}/pools/${randomUUID()}/members/${member.id}`);
    expect(elsewhere.status).toBe(404);

    expect((await api.request('DELETE', `${members}/${member.id}`)).status).toBe(204);
    expect((await api.request('DELETE', `${base}/healthmonitors/${made.body.healthmonitor.id}`)).status).toBe(204);
    expect((await api.request('DELETE', `${base}/pools/${pool.id}`)).status).toBe(204);
    expect((await api.request('DELETE', `${base}/listeners/${listener.id}`)).status).toBe(204);
    await api.untilStatus(id, 'ACTIVE');
    expect((await api.get(`${base}/loadbalancers/${id}`)).body.loadbalancer).toMatchObject({
      listeners: [],
      pools: [],
    });
  });

  test('has L7 policies in order of their positions, with rules below them', async () => {
    const id = await created();
    const listener = { loadbalancer_id: id, protocol: 'HTTP', protocol_port: 80 };
    const listenerId = (await api.request('POST', `${base}/listeners`, { listener })).body.listener.id;
    const make = async (name: string, position?: number) =>
      (
        await api.request('POST', `${base}/l7policies`, {
          l7policy: { listener_id: listenerId, action: 'REJECT', name, position },
        })
      ).body.l7policy;
    const first = await make('first');
    expect(first).toMatchObject({ listener_id: listenerId, position: 1, rules: [], project_id: 'default' });
    await make('second');
    await make('new first', 1);
    const { l7policies } = (await api.get(`${base}/l7policies?listener_id=${listenerId}&sort=position`)).body;
    expect(l7policies.map(({ name }: { name: string }) => name)).toEqual(['new first', 'first', 'second']);
    const rules = `${base}/l7policies/${first.id}/rules`;
    const rule = { type: 'HEADER', key: 'X-Test', compare_type: 'EQUAL_TO', value: 'a' };
    const made = (await api.request('POST', rules, { rule })).body.rule;
    expect(made).toMatchObject({ ...rule, invert: false });
    expect((await api.get(`${base}/l7policies/${first.id}`)).body.l7policy.rules).toEqual([{ id: made.id }]);
    const changed = await api.request('PUT', `${rules}/${made.id}`, { rule: { value: 'b' } });
    expect([changed.status, changed.body.rule?.value]).toEqual([200, 'b']);
    expect((await api.get(rules)).body.rules).toMatchObject([{ value: 'b' }]);
    expect((await api.get(`${base}/l7policies/${l7policies[0].id}/rules/${made.id}`)).status).toBe(404);
    expect((await api.request('DELETE', `${rules}/${made.id}`)).status).toBe(204);
    expect((await api.request('DELETE', `${base}/l7policies/${first.id}`)).status).toBe(204);
  });

  test('gets the members of a pool in one request, all or additional ones', async () => {
    const id = await created(tree);
    const [pool] = (await api.get(`${base}/pools?loadbalancer_id=${id}&name=site`)).body.pools;
    const members = `${base}/pools/${pool.id}/members`;
    const addresses = async () =>
      (await api.get(`${members}?sort=address`)).body.members.map((member: { address: string; weight: number }) => [
        member.address,
        member.weight,
      ]);
    const batch = (last: number, weight: number) => ({ address: `10.0.0.${last}`, protocol_port: 8080, weight });
    const additional = await api.request('PUT', `${members}?additive_only=true`, { members: [batch(3, 7)] });
    expect([additional.status, additional.body]).toEqual([202, undefined]);
    expect((await addresses()).map(([, weight]: [string, number]) => weight).toSorted()).toEqual([1, 5, 7]);
    await api.untilStatus(id, 'ACTIVE');
    expect((await api.request('PUT', members, { members: [batch(2, 2), batch(4, 4)] })).status).toBe(202);
    await api.untilStatus(id, 'ACTIVE');
    expect(await addresses()).toEqual([
      ['10.0.0.2', 2],
      ['10.0.0.4', 4],
    ]);
    const twice = await api.request('PUT', members, { members: [batch(2, 2), batch(2, 3)] });
    expect(twice.status).toBe(400);
    const unknown = await api.request('PUT', members, { members: [{ ...batch(2, 2), bogus: 1 }] });
    expect(unknown.body.faultstring).toBe('Unknown attribute for argument members_.members: bogus');
  });

  test('takes no members of subnets that are not there, wherever a request names them', async () => {
    world.missingSubnets.add('gone');
    const member = (port: number, subnet: string) => ({
      address: '10.0.0.1',
      protocol_port: port,
      ...(subnet !== '' && { subnet_id: subnet }),
    });
    const members = [member(1, ''), member(2, 'there'), member(3, 'gone')];
    const pool = { protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members };
    const id = await created({ ...tree, pools: [{ ...tree.pools[0], members: [] }] });
    const listenerId = (await api.get(`${base}/listeners?loadbalancer_id=${id}&protocol=HTTP`)).body.listeners[0].id;
    const own = (await api.get(`${base}/pools?loadbalancer_id=${id}&name=site`)).body.pools[0].id;
    const listener = { loadbalancer_id: id, protocol: 'HTTP', protocol_port: 81, default_pool: pool };
    const policy = { listener_id: listenerId, action: 'REDIRECT_TO_POOL', redirect_pool: pool };
    const ask = async (method: string, path: string, body: object) => {
      const answer = await api.request(method, `${base}/${path}`, body);
      return [answer.status, answer.body?.faultstring];
    };
    const refused = [
      await ask('POST', 'loadbalancers', { loadbalancer: { ...tree, pools: [{ ...tree.pools[0], members }] } }),
      await ask('POST', 'listeners', { listener }),
      await ask('POST', 'pools', { pool: { ...pool, loadbalancer_id: id } }),
      await ask('POST', 'l7policies', { l7policy: policy }),
      await ask('POST', `pools/${own}/members`, { member: member(3, 'gone') }),
      await ask('PUT', `pools/${own}/members`, { members }),
    ];
    expect(refused).toEqual(refused.map(() => [400, 'Subnet gone not found.']));
    world.missingSubnets.clear();
    expect(await ask('PUT', `pools/${own}/members`, { members })).toEqual([202, undefined]);
    // Members that are there already keep a subnet that has gone since.
    world.missingSubnets.add('gone');
    const kept = [...members, member(4, 'there')];
    expect(await ask('PUT', `pools/${own}/members`, { members: kept })).toEqual([202, undefined]);
    world.missingSubnets.clear();
  });

  test('fails over, and its amphorae are shown to administrators', async () => {
    const id = await created();
    const before = (await api.get(`/v2/octavia/amphorae?loadbalancer_id=${id}`)).body.amphorae;
    expect(before).toMatchObject([{ loadbalancer_id: id, status: 'ALLOCATED', role: 'STANDALONE', cert_busy: false }]);
    expect(before[0].ha_ip).toMatch(/^10\./);
    expect((await api.request('PUT', `${base}/loadbalancers/${id}/failover`)).status).toBe(202);
    await api.untilStatus(id, 'ACTIVE');
    const [after] = (await api.get(`/v2/octavia/amphorae?loadbalancer_id=${id}`)).body.amphorae;
    expect(after.id).not.toBe(before[0].id);
    const refused = await api.request('DELETE', `/v2/octavia/amphorae/${after.id}`);
    expect([refused.status, refused.body.faultstring]).toEqual([
      409,
      `Invalid state ALLOCATED of amphora resource ${after.id}`,
    ]);
    expect((await api.request('PUT', `/v2/octavia/amphorae/${after.id}/config`)).status).toBe(202);
    expect((await api.request('PUT', `/v2/octavia/amphorae/${after.id}/failover`)).status).toBe(202);
    expect((await api.get(`/v2/octavia/amphorae/${after.id}`)).body.amphora.id).toBe(after.id);
  });

  test('has statistics, zero for now', async () => {
    const id = await created();
    const zero = { bytes_in: 0, bytes_out: 0, active_connections: 0, total_connections: 0, request_errors: 0 };
    expect((await api.get(`${base}/loadbalancers/${id}/stats`)).body).toEqual({ stats: zero });
    expect((await api.get(`${base}/loadbalancers/${randomUUID()}/stats`)).status).toBe(404);
  });
});

describe('a request that is sent twice', () => {
  test('with the same Idempotency-Key happens once and is answered alike', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { loadbalancer: { vip_subnet_id: 'subnet', name: headers['idempotency-key'] } };
    const [first, second] = await Promise.all([
      api.request('POST', `${base}/loadbalancers`, body, headers),
      api.request('POST', `${base}/loadbalancers`, body, headers),
    ]);
    expect(second.body.loadbalancer.id).toBe(first.body.loadbalancer.id);
    const { loadbalancers } = (await api.get(`${base}/loadbalancers?name=${headers['idempotency-key']}`)).body;
    expect(loadbalancers).toHaveLength(1);
    const other = await api.request('POST', `${base}/loadbalancers`, { loadbalancer: { vip_subnet_id: 'x' } }, headers);
    expect(other.status).toBe(409);
  });

  test('to create is answered alike though its flavor and its subnet are there no more', async () => {
    const profile = { name: 'p', provider_name: 'amphora', flavor_data: '{}' };
    const made = await api.request('POST', `${base}/flavorprofiles`, { flavorprofile: profile });
    const flavor = { name: 'f', flavor_profile_id: made.body.flavorprofile.id };
    const { id: flavorId } = (await api.request('POST', `${base}/flavors`, { flavor })).body.flavor;
    const key = randomUUID();
    const loadbalancer = { vip_subnet_id: 'going', flavor_id: flavorId };
    const create = (of: string) =>
      api.request('POST', `${base}/loadbalancers`, { loadbalancer }, { 'idempotency-key': of });
    const first = await create(key);
    const again = async () => {
      const { status, body } = await create(key);
      return [status, body.loadbalancer?.id];
    };
    await api.request('PUT', `${base}/flavors/${flavorId}`, { flavor: { enabled: false } });
    expect(await again()).toEqual([201, first.body.loadbalancer.id]);
    world.missingSubnets.add('going');
    expect(await again()).toEqual([201, first.body.loadbalancer.id]);
    const other = await create(randomUUID());
    expect([other.status, other.body.faultstring]).toEqual([400, 'Validation failure: there is no subnet going']);
    world.missingSubnets.clear();
  });

  test('to delete is answered alike though nothing is left, and without a key finds nothing', async () => {
    const id = await created();
    const headers = { 'idempotency-key': randomUUID() };
    expect((await api.request('DELETE', `${base}/loadbalancers/${id}`, undefined, headers)).status).toBe(204);
    await api.untilStatus(id, undefined);
    expect((await api.request('DELETE', `${base}/loadbalancers/${id}`, undefined, headers)).status).toBe(204);
    expect((await api.request('DELETE', `${base}/loadbalancers/${id}`)).status).toBe(404);
  });

  test('carries its id to the calls of drivers, also when the actor begins anew in between', async () => {
    const id = await created({ ...tree, name: 'traced' });
    const [amphora] = (await api.get(`/v2/octavia/amphorae?loadbalancer_id=${id}`)).body.amphorae;
    const [listener] = (await api.get(`${base}/listeners?loadbalancer_id=${id}&protocol=HTTP`)).body.listeners;
    let open: () => void = () => undefined;
    world.gates.set('amphora.serve', new Promise((resolve) => (open = resolve)));
    const ids = [1, 2].map(() => `req-${randomUUID()}`);
    for (const [index, requestId] of ids.entries()) {
      const body = { listener: { connection_limit: 100 + index } };
      const headers = { 'x-openstack-request-id': requestId };
      expect((await api.request('PUT', `${base}/listeners/${listener.id}`, body, headers)).status).toBe(200);
    }
    const requestsOf = (commands: readonly string[] | undefined) => commands?.map((command) => command.split('/')[0]);
    const called = async (expected: readonly string[]) => {
      const call = `amphora.serve ${amphora.id}`;
      await waitFor(() => String(requestsOf(world.madeFor.get(call))) === String(expected), { describe: 'the call' });
    };
    // The second one waits for the end of the push that the first one has begun.
    await called(ids.slice(0, 1));
    expect(requestsOf((await readsOf(node.pool).explainLoadBalancer(id))?.commands)).toEqual(ids);
    world.madeFor.clear();
    await node.tree.loadBalancers.restart(id);
    await called(ids);
    open();
    await api.untilStatus(id, 'ACTIVE');
    expect((await readsOf(node.pool).explainLoadBalancer(id))?.commands).toEqual([]);
  });

  test('carries its id into the journal', async () => {
    const id = await created();
    const requestId = `req-${randomUUID()}`;
    const headers = { 'x-openstack-request-id': requestId };
    const answer = await api.request('PUT', `${base}/loadbalancers/${id}`, { loadbalancer: { name: 'new' } }, headers);
    expect(answer.headers.get('x-openstack-request-id')).toBe(requestId);
    const { rows } = await node.pool.query('select 1 from commands where id like $1', [`${requestId}/%`]);
    expect(rows).toHaveLength(1);
  });
});

describe('changes to a load balancer that is being changed', () => {
  test('queue: each is taken, and in the end all are carried out', async () => {
    const id = await created();
    let open: () => void = () => undefined;
    world.gates.set('amphora.serve', new Promise((resolve) => (open = resolve)));
    for (const port of [81, 82]) {
      const body = { listener: { loadbalancer_id: id, protocol: 'TCP', protocol_port: port } };
      expect((await api.request('POST', `${base}/listeners`, body)).status).toBe(201);
    }
    const { body } = await api.get(`${base}/loadbalancers/${id}`);
    expect(body.loadbalancer.provisioning_status).toBe('PENDING_UPDATE');
    open();
    await api.untilStatus(id, 'ACTIVE');
    expect(
      (await api.get(`${base}/listeners?loadbalancer_id=${id}&provisioning_status=ACTIVE`)).body.listeners,
    ).toHaveLength(2);
  });

  test('reject: they are refused in Octavia’s words', async () => {
    const strict = await startTestApi(node, world, { changes: 'reject' });
    try {
      const id = await created();
      const made = await strict.request('POST', `${base}/listeners`, {
        listener: { loadbalancer_id: id, protocol: 'TCP', protocol_port: 80 },
      });
      await strict.untilStatus(id, 'ACTIVE');
      let open: () => void = () => undefined;
      world.gates.set('amphora.serve', new Promise((resolve) => (open = resolve)));
      const listener = `${base}/listeners/${made.body.listener.id}`;
      expect((await strict.request('PUT', listener, { listener: { name: 'a' } })).status).toBe(200);
      const immutable = [409, `Load Balancer ${id} is immutable and cannot be updated.`];
      const child = await strict.request('PUT', listener, { listener: { name: 'b' } });
      expect([child.status, child.body.faultstring]).toEqual(immutable);
      const sibling = await strict.request('POST', `${base}/listeners`, {
        listener: { loadbalancer_id: id, protocol: 'TCP', protocol_port: 81 },
      });
      expect([sibling.status, sibling.body.faultstring]).toEqual(immutable);
      const [amphora] = (await strict.get(`/v2/octavia/amphorae?loadbalancer_id=${id}`)).body.amphorae;
      const failover = await strict.request('PUT', `/v2/octavia/amphorae/${amphora.id}/failover`);
      expect([failover.status, failover.body.faultstring]).toEqual(immutable);
      const self = await strict.request('DELETE', `${base}/loadbalancers/${id}?cascade=true`);
      expect([self.status, self.body.faultstring]).toEqual([
        409,
        `Invalid state PENDING_UPDATE of loadbalancer resource ${id}`,
      ]);
      open();
      await strict.untilStatus(id, 'ACTIVE');
      expect((await strict.request('PUT', listener, { listener: { name: 'b' } })).status).toBe(200);
    } finally {
      await strict.close();
    }
  });

  test('reject: an amphora is not failed over while one of those that share it is being changed', async () => {
    const strict = await startTestApi(node, world, { changes: 'reject' });
    try {
      const projectId = randomUUID();
      const [one, two] = [newLoadBalancerId(), newLoadBalancerId()];
      for (const id of [one, two]) {
        await send(node, id, createLoadBalancer(id, { projectId, perAmphora: 2, listeners: [listener(80)] }));
        await untilStatus(node, id, 'ACTIVE');
      }
      const [amphora] = (await strict.get(`/v2/octavia/amphorae?loadbalancer_id=${two}`)).body.amphorae;
      expect((await strict.get(`/v2/octavia/amphorae/${amphora.id}`)).body.amphora.loadbalancer_id).toBe(one);
      let open: () => void = () => undefined;
      world.gates.set('amphora.serve', new Promise((resolve) => (open = resolve)));
      await send(node, two, { type: 'createListener', listener: listener(81) });
      const failover = await strict.request('PUT', `/v2/octavia/amphorae/${amphora.id}/failover`);
      expect([failover.status, failover.body.faultstring]).toEqual([
        409,
        `Load Balancer ${two} is immutable and cannot be updated.`,
      ]);
      open();
      await untilStatus(node, two, 'ACTIVE');
      expect((await strict.request('PUT', `/v2/octavia/amphorae/${amphora.id}/failover`)).status).toBe(202);
    } finally {
      await strict.close();
    }
  });
});
