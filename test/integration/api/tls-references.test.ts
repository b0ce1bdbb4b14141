// References to certificates in requests: looked behind before they are taken, as the user, and once.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../../src/config/load.ts';
import type { SecretRequest } from '../../../src/drivers/certificate-manager/driver.ts';
import { TransientFailure } from '../../../src/drivers/failure.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { type FakeKeystone, servicePassword, startFakeKeystone } from '../../support/fake-keystone.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { startTestNode, type TestNode } from '../../support/tree.ts';

const world = new FakeWorld();
let node: TestNode;
let api: TestApi;
let keystone: FakeKeystone;
let guarded: TestApi;
let loadBalancerId = '';
const asked: SecretRequest[] = [];
const { tls: settings } = loadConfig({ env: {} }).config;

afterAll(async () => {
  await api.close();
  await guarded.close();
  await keystone.close();
  await node.close();
});
const database = useTestDatabase();

beforeAll(async () => {
  node = await startTestNode({ url: database.url, world, spares: 2 });
  const { certificateManager } = world;
  const remembering = {
    ...certificateManager,
    fetch: (request: SecretRequest, signal: AbortSignal) => {
      asked.push(request);
      if (request.ref === 'file:unreachable') throw new TransientFailure('it is away', { call: 'test' });
      return certificateManager.fetch(request, signal);
    },
  };
  const withManager = { network: world.network, certificateManager: remembering };
  // A request that nobody can answer now is repeated until then.
  api = await startTestApi(node, withManager, { deadline: 2 });
  keystone = await startFakeKeystone();
  keystone.tokens.set('token-of-alice', { projectId: 'alices', roles: ['member'] });
  const account = { user: 'octavia', userDomain: 'Default', project: 'service', projectDomain: 'Default' };
  guarded = await startTestApi(node, withManager, {
    auth: 'keystone',
    keystone: { ...account, url: keystone.url, password: servicePassword, cacheSeconds: 60 },
  });
  const { body } = await api.request('POST', '/v2/lbaas/loadbalancers', { loadbalancer: { vip_subnet_id: 'subnet' } });
  loadBalancerId = body.loadbalancer.id;
});

beforeEach(() => {
  asked.length = 0;
  world.missing.clear();
});

let port = 1000;

function post(more: object, headers: Readonly<Record<string, string>> = {}, to = api) {
  const listener = { loadbalancer_id: loadBalancerId, protocol: 'TERMINATED_HTTPS', protocol_port: port++, ...more };
  return to.request('POST', '/v2/lbaas/listeners', { listener }, headers);
}

describe('a reference', () => {
  test('that leads nowhere is refused with its attribute, wherever it stands', async () => {
    world.missing.add('file:none');
    const ca = { client_ca_tls_container_ref: 'file:ca' };
    for (const [attribute, value, along] of [
      ['default_tls_container_ref', 'file:none', {}],
      ['sni_container_refs', ['file:a', 'file:none'], {}],
      ['client_ca_tls_container_ref', 'file:none', { default_tls_container_ref: 'file:a' }],
      ['client_crl_container_ref', 'file:none', { default_tls_container_ref: 'file:a', ...ca }],
    ] as const) {
      const { status, body } = await post({ ...along, [attribute]: value });
      const message = 'Validation failure: Could not retrieve certificate: file:none is not there';
      expect([attribute, status, body.faultstring]).toEqual([attribute, 400, message]);
    }
    const made = await post({ default_tls_container_ref: 'file:a' });
    const path = `/v2/lbaas/listeners/${made.body.listener.id}`;
    const changed = await api.request('PUT', path, { listener: { sni_container_refs: ['file:none'] } });
    expect([changed.status, (await api.get(path)).body.listener.sni_container_refs]).toEqual([400, []]);
    const pool = { loadbalancer_id: loadBalancerId, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' };
    const refused = { ...pool, ca_tls_container_ref: 'file:none' };
    expect((await api.request('POST', '/v2/lbaas/pools', { pool: refused })).status).toBe(400);
  });

  test('in a tree is refused before anything is made', async () => {
    world.missing.add('file:none');
    const listeners = [
      { protocol: 'HTTP', protocol_port: 80 },
      { protocol: 'TERMINATED_HTTPS', protocol_port: 443, default_tls_container_ref: 'file:none' },
    ];
    const tree = { vip_subnet_id: 'subnet', name: 'never', listeners };
    const { status } = await api.request('POST', '/v2/lbaas/loadbalancers', { loadbalancer: tree });
    const { body } = await api.get('/v2/lbaas/loadbalancers?name=never');
    expect([status, body.loadbalancers]).toEqual([400, []]);
  });

  test('that nobody can say anything of now is answered 503', async () => {
    const { status, body } = await post(
      { default_tls_container_ref: 'file:unreachable' },
      { 'Idempotency-Key': 'away' },
    );
    expect([status, body.faultstring]).toEqual([503, expect.stringContaining('it is away')]);
  });

  test('that is gone since does not change the answer to a request that is sent again', async () => {
    const key = { 'Idempotency-Key': 'once' };
    const request = { default_tls_container_ref: 'file:passing', protocol_port: 9_999 };
    const first = await post(request, key);
    world.missing.add('file:passing');
    const again = await post(request, key);
    expect([first.status, again.status, again.body.listener.id]).toEqual([201, 201, first.body.listener.id]);
  });

  test('is looked behind for the project of the load balancer, with the token of the user and of nobody else', async () => {
    const headers = { 'x-auth-token': 'token-of-alice' };
    const tree = {
      vip_subnet_id: 'subnet',
      listeners: [{ protocol: 'TERMINATED_HTTPS', protocol_port: 443, default_tls_container_ref: 'file:own' }],
    };
    const { status } = await guarded.request('POST', '/v2/lbaas/loadbalancers', { loadbalancer: tree }, headers);
    expect([status, asked]).toEqual([
      201,
      [{ ref: 'file:own', kind: 'certificate', projectId: 'alices', userToken: 'token-of-alice' }],
    ]);
    asked.length = 0;
    await post({ default_tls_container_ref: 'file:a' });
    expect(asked.map(({ userToken }) => userToken)).toEqual([undefined]);
  });
});

describe('what is not said', () => {
  test('follows from the settings where TLS is spoken, and is nothing elsewhere', async () => {
    const terminated = (await post({ default_tls_container_ref: 'file:a' })).body.listener;
    expect(terminated).toMatchObject({
      tls_ciphers: settings.listenerCiphers,
      tls_versions: ['TLSv1.2', 'TLSv1.3'],
      alpn_protocols: ['h2', 'http/1.1', 'http/1.0'],
    });
    const plain = (await post({ protocol: 'HTTP', tls_versions: [], alpn_protocols: null })).body.listener;
    expect(plain).toMatchObject({
      default_tls_container_ref: null,
      sni_container_refs: [],
      client_authentication: 'NONE',
      tls_ciphers: null,
      tls_versions: [],
      alpn_protocols: [],
      hsts_max_age: null,
      hsts_include_subdomains: false,
      hsts_preload: false,
    });
    const pool = { loadbalancer_id: loadBalancerId, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' };
    const made = (await api.request('POST', '/v2/lbaas/pools', { pool })).body.pool;
    expect(made).toMatchObject({ tls_enabled: false, tls_ciphers: null, tls_versions: [] });
    const path = `/v2/lbaas/pools/${made.id}`;
    const enabled = (await api.request('PUT', path, { pool: { tls_enabled: true } })).body.pool;
    expect(enabled).toMatchObject({ tls_ciphers: settings.poolCiphers, tls_versions: ['TLSv1.2', 'TLSv1.3'] });
  });
});
