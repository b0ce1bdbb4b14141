import { describe, expect, test } from '@jest/globals';
import { commandMethods } from '../../../src/channels/command/methods.ts';
import { RpcError } from '../../../src/channels/rpc/errors.ts';
import { type Call, CallReader } from '../../../src/channels/rpc/request.ts';

const reader = new CallReader(commandMethods);
const id = '5c6f1d2e-0000-4000-8000-000000000001';

function read(method: string, params: Record<string, unknown>): Call {
  return reader.read({ id: 1, method, params });
}

function refusal(method: string, params: Record<string, unknown>): RpcError {
  try {
    read(method, params);
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
  throw new Error(`${method} took ${JSON.stringify(params)}`);
}

/** What a create needs at least. */
const least: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  loadBalancer: { projectId: 'p', vipSubnetId: 's' },
  listener: { loadBalancerId: id, protocol: 'HTTP', protocolPort: 80 },
  pool: { loadBalancerId: id, protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' },
  member: { poolId: id, address: '10.0.0.1', protocolPort: 80 },
  healthMonitor: { poolId: id, type: 'HTTP', delay: 5, timeout: 3, maxRetries: 2 },
  l7Policy: { listenerId: id, action: 'REJECT' },
  l7Rule: { l7PolicyId: id, type: 'PATH', compareType: 'EQUAL_TO', value: '/' },
};

interface Row {
  readonly valid: readonly unknown[];
  readonly invalid: readonly unknown[];
  /** Absent: it must be given. */
  readonly initial?: unknown;
  readonly reset?: unknown;
  readonly isImmutable?: true;
  /** Known, and refused as such. */
  readonly unsupported?: readonly string[];
}

const text: Row = {
  valid: ['', 'a'.repeat(255), 'ü'],
  invalid: [1, 'a'.repeat(256), 'a\0', '\ud800', {}],
  initial: '',
};
const flag: Row = { valid: [true, false], invalid: ['true', 0, []], initial: true, reset: false };
const tags: Row = {
  valid: [[], ['a', 'b']],
  invalid: ['a', [1], ['a'.repeat(256)], Array.from({ length: 101 }, () => 'a')],
  initial: [],
};
const timeout = (initial: number): Row => ({
  valid: [0, 2_073_600_000],
  invalid: [-1, 2_073_600_001, 1.5, '5'],
  initial,
});
const port: Row = { valid: [1, 65_535], invalid: [0, 65_536, '80', 80.5, null], isImmutable: true };

const url: Row = {
  valid: ['http://example.org', 'HTTPS://example.org:8443/a?b=c#d', 'http://[2001:db8::1]/'],
  invalid: ['', 'example.org', 'ftp://example.org', 'http://', 'http:///a', 'http://a/b c', 'http://a/\n', 5],
  initial: null,
};

const ref: Row = {
  valid: ['file:web', 'https://barbican.example/v1/containers/x', 'x'.repeat(255)],
  invalid: ['', 'file:a b', 'x'.repeat(256), 'fïle:a', 5],
  initial: null,
};
const off: Row = { valid: [true, false], invalid: ['true', 0], initial: false };
const terms: Readonly<Record<string, Row>> = {
  tlsCiphers: {
    valid: ['ECDHE-RSA-AES256-GCM-SHA384:TLS_AES_128_GCM_SHA256', 'HIGH:!aNULL@SECLEVEL=1'],
    invalid: ['', 'a b', 'a;b', 'x'.repeat(2049), 5],
    initial: null,
  },
  tlsVersions: {
    valid: [[], ['SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']],
    invalid: ['TLSv1.2', ['TLSv1.4'], ['TLSv1.2', 'TLSv1.2']],
    initial: [],
  },
  alpnProtocols: {
    valid: [[], ['h2', 'http/1.1', 'http/1.0']],
    invalid: ['h2', ['http/2'], ['h2', 'h2']],
    initial: [],
  },
};

const table: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  loadBalancer: { name: text, description: text, adminStateUp: flag, tags },
  listener: {
    name: text,
    description: text,
    adminStateUp: flag,
    tags,
    protocol: {
      valid: ['TCP', 'HTTP', 'HTTPS', 'TERMINATED_HTTPS', 'PROMETHEUS', 'UDP', 'SCTP'],
      invalid: ['http', null],
      isImmutable: true,
    },
    protocolPort: port,
    defaultPoolId: { valid: [id], invalid: ['x', id.toUpperCase(), 5], initial: null },
    connectionLimit: { valid: [-1, 0, 1_000_000], invalid: [-2, 1_000_001, '5'], initial: -1 },
    timeoutClientData: timeout(50_000),
    timeoutMemberConnect: timeout(5_000),
    timeoutMemberData: timeout(50_000),
    timeoutTcpInspect: timeout(0),
    insertHeaders: {
      valid: [
        {},
        { 'X-Forwarded-For': true },
        { 'X-SSL-Client-CN': true },
        { 'X-Forwarded-Port': false, 'X-Forwarded-Proto': true },
      ],
      invalid: [{ 'X-Other': true }, { 'X-Forwarded-For': 1 }, [], 'yes'],
      initial: {},
    },
    allowedCidrs: {
      valid: [[], ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '::1']],
      invalid: ['10.0.0.0/8', ['10.0.0.0/33'], ['10.0.0/8'], ['::/129'], ['10.0.0.1/8/8'], ['fe80::1%eth0'], ['a']],
      initial: [],
    },
    ...terms,
    defaultTlsContainerRef: ref,
    sniContainerRefs: {
      valid: [[], ['file:a', 'https://barbican.example/v1/secrets/x']],
      invalid: ['file:a', [''], ['a b'], [1], Array.from({ length: 251 }, () => 'file:a')],
      initial: [],
    },
    clientAuthentication: {
      valid: ['NONE', 'OPTIONAL', 'MANDATORY'],
      invalid: ['none', true],
      initial: 'NONE',
    },
    clientCaTlsContainerRef: ref,
    clientCrlContainerRef: ref,
    hstsMaxAge: { valid: [0, 31_536_000], invalid: [-1, 1.5, '5'], initial: null },
    hstsIncludeSubdomains: off,
    hstsPreload: off,
  },
  pool: {
    name: text,
    description: text,
    adminStateUp: flag,
    tags,
    protocol: {
      valid: ['TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2', 'UDP', 'SCTP'],
      invalid: ['TERMINATED_HTTPS', 1],
      isImmutable: true,
    },
    lbAlgorithm: {
      valid: ['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP'],
      invalid: ['source_ip', null],
      unsupported: ['SOURCE_IP_PORT'],
    },
    sessionPersistence: {
      valid: [
        { type: 'SOURCE_IP', cookieName: null },
        { type: 'APP_COOKIE', cookieName: 'sid' },
        { type: 'SOURCE_IP', cookieName: null, persistenceTimeout: 5, persistenceGranularity: '255.255.0.0' },
      ],
      invalid: [
        'SOURCE_IP',
        {},
        { type: 'COOKIE' },
        { type: 'APP_COOKIE', cookieName: 'a b' },
        { type: 'APP_COOKIE', cookieName: '' },
        { type: 'SOURCE_IP', persistenceTimeout: 0 },
        { type: 'SOURCE_IP', persistenceTimeout: 2_678_401 },
        { type: 'SOURCE_IP', persistenceGranularity: '255.0.255.0' },
        { type: 'SOURCE_IP', other: null },
      ],
      initial: null,
    },
    ...terms,
    tlsEnabled: off,
    tlsContainerRef: ref,
    caTlsContainerRef: ref,
    crlContainerRef: ref,
  },
  member: {
    name: text,
    adminStateUp: flag,
    tags,
    address: {
      valid: ['10.0.0.1', '2001:db8::1'],
      invalid: ['169.254.169.254', '::ffff:169.254.169.254', 'host', '10.0.0.256', 'fe80::1%eth0', 5],
      isImmutable: true,
    },
    protocolPort: port,
    subnetId: { valid: ['s', null], invalid: ['', 5, 'a'.repeat(37)], initial: null, isImmutable: true },
    weight: { valid: [0, 256], invalid: [-1, 257, '1'], initial: 1 },
    backup: { ...flag, initial: false, reset: false },
    monitorAddress: { valid: ['10.0.0.2'], invalid: ['x', 1], initial: null },
    monitorPort: { valid: [1, 65_535], invalid: [0, 'x'], initial: null },
  },
  healthMonitor: {
    name: text,
    adminStateUp: flag,
    tags,
    type: {
      valid: ['HTTP', 'HTTPS', 'PING', 'TCP', 'TLS-HELLO', 'UDP-CONNECT', 'SCTP'],
      invalid: ['ping', 1],
      isImmutable: true,
    },
    delay: { valid: [1, 86_400], invalid: [0, -1, 1.5, null] },
    timeout: { valid: [0, 3], invalid: [-1, 'x', null] },
    maxRetries: { valid: [1, 10], invalid: [0, 11, null] },
    maxRetriesDown: { valid: [1, 10], invalid: [0, 11], initial: 3 },
    httpMethod: { valid: ['GET', 'HEAD', 'CONNECT'], invalid: ['get', 'BREW'], initial: 'GET' },
    urlPath: { valid: ['/', '/a?b=c'], invalid: ['', 'a', '/a b', '/a\n', '/ü', `/${'a'.repeat(255)}`], initial: '/' },
    expectedCodes: { valid: ['200', '200,202', '200-204'], invalid: ['2', '200-', '200 ok', 200], initial: '200' },
    httpVersion: { valid: [1, 1.1], invalid: [2, '1.1'], initial: 1 },
    domainName: { valid: ['example.org', 'a'], invalid: ['', 'a b', '-a', 'a\n'], initial: null },
  },
  l7Policy: {
    name: text,
    description: text,
    adminStateUp: flag,
    tags,
    action: { valid: ['REJECT', 'REDIRECT_TO_POOL', 'REDIRECT_TO_URL', 'REDIRECT_PREFIX'], invalid: ['reject', null] },
    redirectPoolId: { valid: [id], invalid: ['x', 5], initial: null },
    redirectUrl: url,
    redirectPrefix: url,
    redirectHttpCode: { valid: [301, 302, 303, 307, 308], invalid: [300, 304, '301'], initial: null },
    position: { valid: [1, 2_147_483_647], invalid: [0, 2_147_483_648, 1.5, '1'], initial: 2_147_483_647 },
  },
  l7Rule: {
    adminStateUp: flag,
    tags,
    type: { valid: ['HOST_NAME', 'PATH', 'FILE_TYPE', 'HEADER', 'COOKIE'], invalid: ['path', 'QUERY', null] },
    compareType: {
      valid: ['REGEX', 'STARTS_WITH', 'ENDS_WITH', 'CONTAINS', 'EQUAL_TO'],
      invalid: ['EQUALS', null],
    },
    key: { valid: ['X-Kind', `x'#~`], invalid: ['', 'a b', 'a:b', 'a\n', 'ü', 'a'.repeat(256), 1], initial: null },
    value: {
      valid: ['a', ' ü "\'#', 'a'.repeat(255)],
      invalid: ['', 'a\nb', 'a\r', 'a\0', '\ud800', 'a'.repeat(256), 1],
    },
    invert: { ...flag, initial: false, reset: false },
  },
};

for (const [kind, attributes] of Object.entries(table)) {
  describe(kind, () => {
    const given = least[kind] ?? {};
    const update = { id };

    for (const [name, row] of Object.entries(attributes)) {
      test(`${name} takes its valid values and refuses others, naming itself and the value`, () => {
        for (const value of row.valid) {
          expect(read(`${kind}.create`, { ...given, [name]: value }).params).toHaveProperty([name], value);
        }
        for (const value of row.unsupported ?? []) {
          const { code, data } = refusal(`${kind}.create`, { ...given, [name]: value });
          expect({ code, field: data.field }).toEqual({ code: 'unsupported', field: name });
        }
        for (const value of row.invalid) {
          const { code, message, data } = refusal(`${kind}.create`, { ...given, [name]: value });
          expect({ code, field: data.field }).toEqual({ code: 'invalid', field: name });
          expect(message).toMatch(
            new RegExp(`^Invalid input for field/attribute ${name}\\. Value: '.*'\\. [A-Zt].*\\.$`, 's'),
          );
        }
      });

      test(`${name}: ${'initial' in row ? 'its default' : 'it must be given'}`, () => {
        const { [name]: __, ...without } = given;
        if (!('initial' in row)) {
          expect(refusal(`${kind}.create`, without).message).toBe(
            `Invalid input for field/attribute ${name}. Value: 'None'. Mandatory field missing.`,
          );
          return;
        }
        expect(read(`${kind}.create`, without).params).toHaveProperty([name], row.initial);
        expect(read(`${kind}.create`, { ...without, [name]: null }).params).toHaveProperty([name], row.initial);
      });

      test(`${name} in an update`, () => {
        if (row.isImmutable === true) {
          const { code, data } = refusal(`${kind}.update`, { ...update, [name]: row.valid[0] });
          expect({ code, field: data.field }).toEqual({ code: 'immutable', field: name });
          return;
        }
        expect(read(`${kind}.update`, update).params[name]).toBeUndefined();
        for (const value of row.valid) {
          expect(read(`${kind}.update`, { ...update, [name]: value }).params).toHaveProperty([name], value);
        }
        if (!('initial' in row)) {
          expect(refusal(`${kind}.update`, { ...update, [name]: null }).data.field).toBe(name);
          return;
        }
        const reset = 'reset' in row ? row.reset : row.initial;
        expect(read(`${kind}.update`, { ...update, [name]: null }).params).toHaveProperty([name], reset);
      });
    }

    test('an unknown attribute is refused', () => {
      const { code, message, data } = refusal(`${kind}.create`, { ...given, bogus: 1 });
      expect({ code, message, field: data.field }).toEqual({
        code: 'invalid',
        message: 'Unknown attribute bogus',
        field: 'bogus',
      });
    });
  });
}

describe('a tree', () => {
  const { loadBalancer } = least;

  test('a mistake deep inside is named with its path', () => {
    const pools = [
      { name: 'a', protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN', members: [{ address: 'x', protocolPort: 1 }] },
    ];
    const listeners = [{ protocol: 'HTTP', protocolPort: 80, defaultPool: { ...pools[0], extra: 1 } }];
    expect(refusal('loadBalancer.create', { ...loadBalancer, pools }).data.field).toBe('pools[0].members[0].address');
    expect(refusal('loadBalancer.create', { ...loadBalancer, listeners }).data.field).toBe(
      'listeners[0].defaultPool.members[0].address',
    );
  });

  test('a pool with a name and nothing else refers to another one', () => {
    const listeners = [{ protocol: 'HTTP', protocolPort: 80, defaultPool: { name: 'a' } }];
    const call = read('loadBalancer.create', { ...loadBalancer, listeners });
    expect(call.params['listeners']).toMatchObject([{ defaultPool: { name: 'a', isReference: true } }]);
  });
});

test('a load balancer without project is refused in the words that clients know', () => {
  expect(refusal('loadBalancer.create', { vipSubnetId: 's' }).message).toMatch(
    /^Validation failure: Missing project ID/,
  );
});

describe('the digest of a command', () => {
  const digest = (params: Record<string, unknown>) => read('pool.delete', params).command?.digest;

  test('is the same in whatever order parameters are written, and does not cover the command id', () => {
    const params = { ...least['listener'], name: 'x' };
    const reversed = Object.fromEntries(Object.entries(params).reverse());
    const one = read('listener.create', { ...params, commandId: 'a' }).command;
    const other = read('listener.create', { commandId: 'b', ...reversed }).command;
    expect(one?.digest).toBe(other?.digest);
    expect([one?.id, other?.id]).toEqual(['a', 'b']);
  });

  test('differs when parameters or the method differ', () => {
    expect(digest({ id })).not.toBe(digest({ id: id.replace(/1$/, '2') }));
    expect(digest({ id })).not.toBe(read('listener.delete', { id }).command?.digest);
  });

  test('a command id of a wrong type or length is refused', () => {
    for (const commandId of [1, '', 'a'.repeat(256)]) {
      expect(refusal('pool.delete', { id, commandId }).data.field).toBe('commandId');
    }
  });
});
