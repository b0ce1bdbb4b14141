// Every attribute that can be set: a valid value, one that is refused, its default, null in an update, and whether it can
// be changed. The attributes are those of the command channel; one that has no row here fails the last test.
import { beforeAll, describe, expect, test } from '@jest/globals';
import { commandMethods } from '../../../src/channels/command/methods.ts';
import { apiName } from '../../../src/api/names.ts';
import { resources } from '../../../src/api/resources.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { useTestApi } from '../../support/api.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';

const world = new FakeWorld();
const { api } = useTestApi(world, { spares: 2 });

interface Row {
  readonly valid: unknown;
  readonly invalid: readonly unknown[];
  /** Undefined: it must be given. */
  readonly initial?: unknown;
  /** What null in an update makes of it, where that is not the default; `refused` where null is refused. */
  readonly reset?: unknown;
  readonly isFixed?: true;
  /** What goes with the valid value. */
  readonly along?: Readonly<Record<string, unknown>>;
  /** What its object is created with. */
  readonly on?: Readonly<Record<string, unknown>>;
  /** What is read instead of the valid value. */
  readonly reads?: unknown;
  /** An update knows nothing of it. */
  readonly isUnknownLater?: true;
}

const text = (most: number): Row => ({ valid: 'some', invalid: [5, 'x'.repeat(most + 1), 'a\0b'], initial: '' });
const tags: Row = { valid: ['a', 'b'], invalid: ['a', [1], ['x'.repeat(256)]], initial: [] };
const adminStateUp: Row = { valid: false, invalid: ['maybe', 2], initial: true, reset: false };
const named = { name: text(255), admin_state_up: adminStateUp, tags };
const described = { ...named, description: text(255) };
const ms = (initial: number): Row => ({ valid: 1234, invalid: [-1, 2_073_600_001, 1.5, 'x'], initial });

const { tls: tlsSettings } = loadConfig({ env: {} }).config;
const terminated = { protocol: 'TERMINATED_HTTPS', default_tls_container_ref: 'file:some' };
const withAuthority = { ...terminated, client_ca_tls_container_ref: 'file:authority' };
const aRef = ['', 'a b', 'x'.repeat(256), 5];
const ref = (on: object = terminated): Row => ({ valid: 'file:other', invalid: aRef, initial: null, on: { ...on } });
const off = (along?: Record<string, unknown>): Row => ({
  valid: true,
  invalid: ['x'],
  initial: false,
  ...(along && { along }),
});
const terms = (side: 'listener' | 'pool', on: Record<string, unknown>): Readonly<Record<string, Row>> => ({
  tls_ciphers: {
    valid: 'ECDHE-RSA-AES256-GCM-SHA384',
    invalid: ['a b', '', 'x'.repeat(2049)],
    initial: tlsSettings[`${side}Ciphers`],
    on,
  },
  tls_versions: {
    valid: ['TLSv1.1', 'TLSv1.3'],
    invalid: ['TLSv1.2', ['TLSv1.4']],
    initial: tlsSettings[`${side}Versions`],
    on,
  },
  alpn_protocols: {
    valid: ['http/1.1'],
    invalid: ['h2', ['http/2']],
    initial: tlsSettings[`${side}Alpn`],
    on,
  },
});

const aPool: Row = {
  valid: { protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members: [{ address: '10.0.0.1', protocol_port: 80 }] },
  invalid: ['x', 5, [], { protocol: 'HTTP' }, { protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members: [{}] }],
  initial: null,
  reads: undefined,
  isUnknownLater: true,
};

const table: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  listener: {
    ...described,
    protocol: { valid: 'TCP', invalid: ['tcp', 5], isFixed: true },
    protocol_port: { valid: 8080, invalid: [0, 65_536, 'http'], isFixed: true },
    default_pool_id: { valid: 'POOL', invalid: ['x', 5], initial: null },
    default_pool: aPool,
    l7policies: {
      valid: [{ action: 'REJECT', rules: [{ type: 'PATH', compare_type: 'EQUAL_TO', value: '/' }] }],
      invalid: ['x', [5], [{ action: 'x' }], [{ action: 'REJECT', rules: [{}] }]],
      initial: [],
      reads: [{ id: expect.any(String) }],
      isUnknownLater: true,
    },
    allowed_cidrs: { valid: ['10.0.0.0/8'], invalid: ['10.0.0.0/8', ['x']], initial: null },
    connection_limit: { valid: 5, invalid: [-2, 1_000_001, 'x'], initial: -1 },
    timeout_client_data: ms(50_000),
    timeout_member_connect: ms(5_000),
    timeout_member_data: ms(50_000),
    timeout_tcp_inspect: ms(0),
    insert_headers: {
      valid: { 'X-Forwarded-For': 'true' },
      invalid: [{ 'X-Other': true }, { 'X-Forwarded-For': 'perhaps' }, 'x'],
      initial: {},
      reads: { 'X-Forwarded-For': 'true' },
    },
    ...terms('listener', terminated),
    default_tls_container_ref: { ...ref({ ...terminated, sni_container_refs: ['file:sni'] }), initial: null },
    sni_container_refs: {
      valid: ['file:a', 'file:b'],
      invalid: ['file:a', ['a b']],
      initial: [],
      on: terminated,
    },
    client_authentication: { valid: 'MANDATORY', invalid: ['mandatory', 5], initial: 'NONE', on: withAuthority },
    client_ca_tls_container_ref: ref(),
    client_crl_container_ref: ref(withAuthority),
    hsts_max_age: { valid: 300, invalid: [-1, 1.5, 'x'], initial: null, on: terminated },
    hsts_include_subdomains: { ...off({ hsts_max_age: 5 }), on: terminated },
    hsts_preload: { ...off({ hsts_max_age: 5 }), on: terminated },
  },
  pool: {
    ...described,
    protocol: { valid: 'PROXY', invalid: ['x'], isFixed: true },
    session_persistence: {
      valid: { type: 'APP_COOKIE', cookie_name: 'who' },
      invalid: [{ type: 'x' }, { type: 'SOURCE_IP', bogus: 1 }, { type: 'APP_COOKIE', cookieName: 'who' }, 'x'],
      initial: null,
      reads: { type: 'APP_COOKIE', cookie_name: 'who', persistence_timeout: null, persistence_granularity: null },
    },
    lb_algorithm: { valid: 'LEAST_CONNECTIONS', invalid: ['x'], reset: 'refused' },
    ...terms('pool', { tls_enabled: true }),
    tls_enabled: off(),
    tls_container_ref: ref({}),
    ca_tls_container_ref: ref({}),
    crl_container_ref: ref({ ca_tls_container_ref: 'file:authority' }),
  },
  member: {
    ...named,
    address: { valid: '10.9.9.9', invalid: ['host', '169.254.169.254'], isFixed: true },
    protocol_port: { valid: 9, invalid: [0, 65_536], isFixed: true },
    subnet_id: { valid: 'some-subnet', invalid: [5, 'x'.repeat(37)], initial: null, isFixed: true },
    weight: { valid: 256, invalid: [-1, 257], initial: 1 },
    backup: { valid: true, invalid: ['x'], initial: false },
    monitor_address: { valid: '10.9.9.8', invalid: ['host'], initial: null },
    monitor_port: { valid: 99, invalid: [0, 65_536], initial: null },
    // Answers show what the port is then: vnic_type.
    request_sriov: { valid: true, invalid: ['x', 2], initial: false, isFixed: true, reads: undefined },
  },
  healthMonitor: {
    ...named,
    type: { valid: 'HTTP', invalid: ['x'], isFixed: true },
    delay: { valid: 7, invalid: [0, 'x'], reset: 'refused' },
    timeout: { valid: 4, invalid: [-1], reset: 'refused' },
    max_retries: { valid: 10, invalid: [0, 11], reset: 'refused' },
    max_retries_down: { valid: 10, invalid: [0, 11], initial: 3 },
    http_method: { valid: 'HEAD', invalid: ['get'], initial: 'GET' },
    url_path: { valid: '/a?b=c', invalid: ['a', '/a b'], initial: '/' },
    expected_codes: { valid: '200-204', invalid: ['2000', 'ok'], initial: '200' },
    http_version: { valid: 1.1, invalid: [2], initial: 1 },
    domain_name: { valid: 'a.example', invalid: ['', 'a b'], initial: null, along: { http_version: 1.1 } },
  },
  l7Policy: {
    ...described,
    action: { valid: 'REJECT', invalid: ['x'], reset: 'refused' },
    redirect_pool_id: {
      valid: 'POOL',
      invalid: ['x'],
      initial: null,
      along: { action: 'REDIRECT_TO_POOL' },
      reset: 'refused',
    },
    redirect_pool: { ...aPool, along: { action: 'REDIRECT_TO_POOL' } },
    redirect_url: {
      valid: 'https://a.example/b',
      invalid: ['/b', 'ftp://a', 5],
      initial: null,
      along: { action: 'REDIRECT_TO_URL' },
      reset: 'refused',
    },
    redirect_prefix: {
      valid: 'https://a.example',
      invalid: ['/b'],
      initial: null,
      along: { action: 'REDIRECT_PREFIX' },
      reset: 'refused',
    },
    redirect_http_code: {
      valid: 308,
      invalid: [200],
      initial: null,
      along: { action: 'REDIRECT_TO_URL', redirect_url: 'https://a.example' },
      reset: 302,
    },
    position: { valid: 1, invalid: [0, 2_147_483_648], initial: 1 },
  },
  l7Rule: {
    admin_state_up: adminStateUp,
    tags,
    type: { valid: 'HOST_NAME', invalid: ['x'], reset: 'refused' },
    compare_type: { valid: 'CONTAINS', invalid: ['x'], reset: 'refused' },
    key: { valid: 'X-Some', invalid: ['a b', ''], initial: null, along: { type: 'HEADER' }, reset: 'refused' },
    value: { valid: '/some', invalid: ['', 'a\nb'], reset: 'refused' },
    invert: { valid: true, invalid: ['x'], initial: false },
  },
  loadBalancer: {
    ...described,
    flavor_id: { valid: 'FLAVOR', invalid: ['x', 5], initial: null, isFixed: true },
    provider: { valid: 'octavia', invalid: [5, 'x'.repeat(65)], initial: 'amphora', isUnknownLater: true },
    availability_zone: { valid: 'zone', invalid: [5], initial: null, isFixed: true },
    vip_qos_policy_id: { valid: '0b0e5b1c-9d3a-4b8e-8f57-0c2f6a1d7e11', invalid: ['x', 5], initial: null },
    vip_sg_ids: {
      valid: ['0b0e5b1c-9d3a-4b8e-8f57-0c2f6a1d7e12'],
      invalid: [['x'], 'x', ['0b0e5b1c-9d3a-4b8e-8f57-0c2f6a1d7e12', '0b0e5b1c-9d3a-4b8e-8f57-0c2f6a1d7e12']],
      initial: [],
    },
  },
};

let poolId = '';
let policyId = '';
let flavorId = '';
let loadBalancerId = '';
let nextPort = 1000;

/** A body that is complete and unlike all others. */
function minimal(kind: string): Record<string, unknown> {
  nextPort++;
  const bodies: Readonly<Record<string, Record<string, unknown>>> = {
    loadBalancer: { vip_subnet_id: 'subnet' },
    listener: { loadbalancer_id: loadBalancerId, protocol: 'HTTP', protocol_port: nextPort },
    pool: { loadbalancer_id: loadBalancerId, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' },
    member: { address: '10.1.1.1', protocol_port: nextPort },
    healthMonitor: { type: 'HTTP', delay: 5, timeout: 3, max_retries: 2 },
    l7Policy: { action: 'REJECT' },
    l7Rule: { type: 'PATH', compare_type: 'STARTS_WITH', value: '/a' },
  };
  return { ...bodies[kind] };
}

const paths: Readonly<Record<string, () => string>> = {
  loadBalancer: () => '/v2/lbaas/loadbalancers',
  listener: () => '/v2/lbaas/listeners',
  pool: () => '/v2/lbaas/pools',
  member: () => `/v2/lbaas/pools/${poolId}/members`,
  healthMonitor: () => '/v2/lbaas/healthmonitors',
  l7Policy: () => '/v2/lbaas/l7policies',
  l7Rule: () => `/v2/lbaas/l7policies/${policyId}/rules`,
};

/** A monitor is the only one of its pool, and a policy of its listener: others would move it. */
async function complete(kind: string): Promise<Record<string, unknown>> {
  if (kind === 'l7Policy') {
    const { body } = await api.request('POST', '/v2/lbaas/listeners', { listener: minimal('listener') });
    return { ...minimal(kind), listener_id: body.listener.id };
  }
  if (kind !== 'healthMonitor') return minimal(kind);
  const { body } = await api.request('POST', '/v2/lbaas/pools', { pool: minimal('pool') });
  return { ...minimal(kind), pool_id: body.pool.id };
}

function envelope(kind: string): string {
  return resources.find((resource) => resource.kind === kind)?.singular ?? '';
}

async function post(kind: string, more: object) {
  const body = { ...(await complete(kind)), ...more };
  return api.request('POST', paths[kind]?.() ?? '', { [envelope(kind)]: body });
}

beforeAll(async () => {
  const offer = async (path: string, body: object) => (await api.request('POST', `/v2/lbaas/${path}`, body)).body;
  const flavor_data = '{"allow_member_sriov":true}';
  const flavorprofile = { name: 'p', provider_name: 'amphora', flavor_data };
  const profile = (await offer('flavorprofiles', { flavorprofile })).flavorprofile.id;
  flavorId = (await offer('flavors', { flavor: { name: 'f', flavor_profile_id: profile } })).flavor.id;
  const zoneProfile = { name: 'p', provider_name: 'amphora', availability_zone_data: '{}' };
  const { id } = (await offer('availabilityzoneprofiles', { availability_zone_profile: zoneProfile }))
    .availability_zone_profile;
  await offer('availabilityzones', { availability_zone: { name: 'zone', availability_zone_profile_id: id } });
  loadBalancerId = (await post('loadBalancer', { flavor_id: flavorId })).body.loadbalancer.id;
  poolId = (await post('pool', {})).body.pool.id;
  policyId = (await post('l7Policy', {})).body.l7policy.id;
});

const rows = Object.entries(table).flatMap(([kind, attributes]) =>
  Object.entries(attributes).map(([attribute, row]) => [kind, attribute, row] as const),
);

/** Values that stand for what is made in the test. */
function real(value: unknown): unknown {
  if (value === 'FLAVOR') return flavorId;
  return value === 'POOL' ? poolId : value;
}

describe('attributes', () => {
  test.each(rows)('%s %s', async (kind, attribute, row) => {
    const singular = envelope(kind);
    const { valid, invalid, initial, along = {}, on = {} } = row;
    const reads = 'reads' in row ? row.reads : valid;
    for (const wrong of invalid) {
      const refused = await post(kind, { ...on, [attribute]: wrong });
      const named = String(refused.body.faultstring).includes(`attribute ${attribute}`);
      expect([refused.status, named || refused.body.faultstring]).toEqual([400, true]);
    }
    const made = await post(kind, { ...on, ...along, [attribute]: real(valid) });
    expect([made.body.faultstring, made.body[singular]?.[attribute]]).toEqual([undefined, real(reads)]);
    const { [attribute]: _, ...others } = on;
    const plain = await post(kind, others);
    const object = `${paths[kind]?.() ?? ''}/${plain.body[singular].id}`;
    if (initial !== undefined) {
      const shown = 'reads' in row && reads === undefined ? undefined : initial;
      expect(plain.body[singular][attribute]).toEqual(shown);
      const nulled = await post(kind, { ...on, [attribute]: null });
      expect([nulled.status, nulled.body[singular]?.[attribute]]).toEqual([201, shown]);
    } else {
      const missing = await post(kind, { [attribute]: undefined });
      expect([missing.status, missing.body.faultstring]).toEqual([
        400,
        `Invalid input for field/attribute ${attribute}. Value: 'None'. Mandatory field missing.`,
      ]);
    }
    const put = (change: object) => api.request('PUT', object, { [singular]: change });
    const changed = await put({ ...along, [attribute]: real(valid) });
    if (row.isUnknownLater === true) {
      expect([changed.status, changed.body.faultstring]).toEqual([
        400,
        expect.stringMatching(`^Unknown .*: ${attribute}$`),
      ]);
      return;
    }
    if (row.isFixed === true) {
      expect([changed.status, changed.body.faultstring]).toEqual([
        400,
        expect.stringContaining(`attribute ${attribute}.`),
      ]);
      return;
    }
    expect([changed.body.faultstring, changed.body[singular]?.[attribute]]).toEqual([undefined, real(reads)]);
    const reset = await put({ [attribute]: null });
    if (row.reset === 'refused') expect(reset.status).toBe(400);
    else expect(reset.body[singular][attribute]).toEqual('reset' in row ? row.reset : initial);
  });

  test('all have a row, but for those that only a create has', () => {
    const onlyAtCreate =
      /^(loadbalancer_id|listener_id|pool_id|project_id|vip_(?:subnet_id|network_id|port_id|address)|additional_vips|listeners|pools|members|healthmonitor|rules|l7policy_id)$/;
    for (const { kind } of resources) {
      const known = Object.keys(commandMethods[`${kind}.create`].params).map(apiName);
      const wanted = known.filter((name) => !onlyAtCreate.test(name));
      expect(wanted.filter((name) => table[kind]?.[name] === undefined)).toEqual([]);
    }
  });
});

test('an algorithm that amphorae do not have is refused as that', async () => {
  const refused = await post('pool', { lb_algorithm: 'SOURCE_IP_PORT' });
  expect([refused.status, refused.body.faultstring]).toEqual([501, expect.stringContaining('SOURCE_IP_PORT')]);
});
