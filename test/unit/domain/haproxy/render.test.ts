import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { peerName } from '../../../../src/domain/haproxy/peer-name.ts';
import { ownerOfLine, renderHaproxy } from '../../../../src/domain/haproxy/render.ts';
import { deriveId } from '../../../../src/domain/ids.ts';
import type { ServedTree } from '../../../../src/domain/load-balancer/attributes.ts';
import { l7Policy, listener, servedTree } from '../../../support/served-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'amphi-render-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const listenerId = deriveId('listener');
const poolId = deriveId('pool');

function section(tree: ServedTree, header: string): string[] {
  const lines = (renderHaproxy(tree) ?? '').split('\n');
  const begin = lines.indexOf(header);
  const end = lines.indexOf('', begin);
  return begin < 0 ? [] : lines.slice(begin + 1, end).map((line) => line.trim());
}

const frontend = (tree: ServedTree): string[] => section(tree, `frontend ${listenerId}`);
const backend = (tree: ServedTree): string[] => section(tree, `backend ${poolId}:${listenerId}`);
const server = (tree: ServedTree): string => backend(tree).find((line) => line.startsWith('server ')) ?? '';

describe('what is rendered', () => {
  test('a listener becomes a frontend of its id, bound to every VIP address', () => {
    const lines = frontend(
      servedTree({ vipAddresses: ['192.0.2.1', '2001:db8::1'], listener: { protocolPort: 8080 } }),
    );
    expect(lines).toEqual(
      expect.arrayContaining([
        'bind 192.0.2.1:8080',
        'bind [2001:db8::1]:8080',
        'mode http',
        `default_backend ${poolId}:${listenerId}`,
        'timeout client 50000',
      ]),
    );
  });

  test('a pool is rendered once for each listener that uses it', () => {
    const tree = servedTree();
    const second = {
      id: deriveId<typeof listenerId & ServedTree['listeners'][number]['id']>('second'),
      ...listener(),
      l7Policies: [],
    };
    const text = renderHaproxy({ ...tree, listeners: [...tree.listeners, second] });
    expect(text).toContain(`\nbackend ${poolId}:${listenerId}\n`);
    expect(text).toContain(`\nbackend ${poolId}:${second.id}\n`);
  });

  test('nothing is rendered for a load balancer that is down or has no listener that is up', () => {
    expect(renderHaproxy(servedTree({ adminStateUp: false }))).toBeNull();
    expect(renderHaproxy(servedTree({ listener: { adminStateUp: false } }))).toBeNull();
  });

  test('a pool that is down is left out together with the reference to it', () => {
    const text = renderHaproxy(servedTree({ pool: { adminStateUp: false } }));
    expect(text).not.toContain(poolId);
  });

  test('a monitor that is down checks nothing', () => {
    const tree = servedTree({ members: [{}], healthMonitor: { adminStateUp: false } });
    expect(server(tree)).not.toContain('check');
    expect(backend(tree).join()).not.toContain('httpchk');
  });

  test('an unlimited listener counts for 50,000 connections and the sum is capped at a million', () => {
    const lines = (limits: readonly number[]): string | null => {
      const listeners = limits.map((connectionLimit, index) => ({
        id: deriveId<ServedTree['listeners'][number]['id']>('limited', index),
        ...listener({ connectionLimit }),
        l7Policies: [],
      }));
      return renderHaproxy({ ...servedTree(), listeners });
    };
    expect(lines([-1, 100])).toContain('\n    maxconn 50100\n');
    expect(lines([900_000, 900_000])).toContain('\n    maxconn 1000000\n');
  });

  test.each([
    [{ weight: 0 }, `server ${deriveId('member', 0)} 192.0.2.10:8080 weight 0`],
    [{ backup: true, adminStateUp: false }, `server ${deriveId('member', 0)} 192.0.2.10:8080 weight 1 backup disabled`],
    [{ address: '2001:db8::5' }, `server ${deriveId('member', 0)} [2001:db8::5]:8080 weight 1`],
  ])('a member %j', (values, line) => {
    expect(server(servedTree({ members: [values] }))).toBe(line);
  });

  test('a monitored member is checked at its own monitor address and port', () => {
    const tree = servedTree({
      members: [{ monitorAddress: '192.0.2.99', monitorPort: 9 }],
      healthMonitor: { type: 'TCP' },
    });
    expect(server(tree)).toMatch(/weight 1 check inter 5s fall 3 rise 2 addr 192\.0\.2\.99 port 9$/);
    expect(backend(tree)).toContain('timeout check 3s');
  });

  test.each([
    ['200', '200'],
    ['200,202', '200|202'],
    ['200-203', '200|201|202|203'],
  ])('expected codes %s are matched by %s', (expectedCodes, pattern) => {
    expect(backend(servedTree({ healthMonitor: { expectedCodes } }))).toContain(`http-check expect rstatus ${pattern}`);
  });

  test('a domain name is sent as Host header with HTTP/1.1', () => {
    const lines = backend(
      servedTree({ healthMonitor: { httpVersion: 1.1, domainName: 'example.org', httpMethod: 'HEAD' } }),
    );
    expect(lines).toEqual(
      expect.arrayContaining(['option httpchk HEAD / HTTP/1.1', 'http-check send hdr Host example.org']),
    );
  });

  test.each([
    ['ROUND_ROBIN', 'roundrobin'],
    ['LEAST_CONNECTIONS', 'leastconn'],
    ['SOURCE_IP', 'source'],
  ] as const)('%s is balanced by %s', (lbAlgorithm, word) => {
    expect(backend(servedTree({ pool: { lbAlgorithm } }))).toContain(`balance ${word}`);
  });

  test('a PROXY pool speaks the listener’s protocol after the PROXY header', () => {
    const tree = servedTree({ listener: { protocol: 'TCP' }, pool: { protocol: 'PROXYV2' }, members: [{}] });
    expect(backend(tree)).toContain('mode tcp');
    expect(server(tree)).toMatch(/ send-proxy-v2$/);
  });

  test('headers asked for are inserted, those switched off are not', () => {
    const lines = backend(
      servedTree({ listener: { insertHeaders: { 'X-Forwarded-For': true, 'X-Forwarded-Proto': false } } }),
    );
    expect(lines).toContain('option forwardfor');
    expect(lines.join()).not.toContain('X-Forwarded-Proto');
  });

  test('a pair of amphorae shares a peers section', () => {
    const amphora = '6be730e5-8034-44c2-b1e6-e38abf7dfe44';
    const text = renderHaproxy(servedTree(), { peers: [{ amphoraId: amphora, address: '192.0.2.7' }] });
    expect(text).toContain('\n    peer S2ytQMRTCDD-9YvNI-LYt176hFU 192.0.2.7:1025\n');
  });

  test('a line of the file leads back to the object it came from', () => {
    const tree = servedTree({ members: [{}, {}], healthMonitor: {} });
    const lines = (renderHaproxy(tree) ?? '').split('\n');
    const owner = (part: string): string | undefined =>
      ownerOfLine(tree, lines.findIndex((line) => line.includes(part)) + 1);
    expect(owner(`server ${deriveId('member', 1)}`)).toBe(deriveId('member', 1));
    expect(owner('option httpchk')).toBe(deriveId('monitor'));
    expect(owner('bind ')).toBe(listenerId);
    expect(owner('stats socket')).toBe(tree.loadBalancerId);
    expect(ownerOfLine(tree, 1000)).toBeUndefined();
  });
});

test('the peer name of an amphora must not change', () => {
  expect(peerName('6be730e5-8034-44c2-b1e6-e38abf7dfe44')).toBe('S2ytQMRTCDD-9YvNI-LYt176hFU');
});

describe('what users write stays where it belongs', () => {
  const nasty = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(...Array.from('\n\r\t \\"\'#$%{}[];,|@/\0a1é\u2028')), maxLength: 40 }),
    fc.constantFrom(
      '/\nglobal\n  nbthread 64',
      "/' \n frontend x",
      '/ HTTP/1.1\r\nHost: evil',
      '"${HOME}"',
      '\\',
      '\ud800',
    ),
  );

  /** The words of each line as haproxy splits them, whatever their content: what the text asks haproxy to do. */
  function shape(text: string): string[] {
    return text.split('\n').map((line) => {
      const words = line.trim().replaceAll(/\\./g, 'x').split(' ');
      return `${words[0]} ${words.length}`;
    });
  }

  test('no text of a user adds a line or a word', () => {
    const build = (path: string, domain: string, project: string): string =>
      renderHaproxy(
        servedTree({
          projectId: project,
          members: [{ monitorAddress: domain }],
          healthMonitor: { urlPath: path, domainName: domain, httpVersion: 1.1 },
        }),
      ) ?? '';
    const plain = shape(build('/path', 'domain', 'project'));
    fc.assert(
      fc.property(nasty, nasty, nasty, (path, domain, project) => {
        const text = build(path, domain, project);
        expect(text).toMatch(/^[\x20-\x7e\n]*$/);
        expect(text).not.toMatch(/(?<!\\)(\\\\)*["'](?!')(?<!'')/);
        expect(shape(text)).toEqual(plain);
      }),
      { numRuns: 500 },
    );
  });

  test('haproxy accepts whatever a path and a host name may hold', () => {
    const check = (text: string): void => {
      const file = join(folder, 'haproxy.cfg');
      writeFileSync(file, text);
      execFileSync('/usr/sbin/haproxy', ['-c', '-q', '-f', file], { stdio: 'pipe' });
    };
    fc.assert(
      fc.property(nasty, nasty, nasty, (path, domain, project) => {
        const tree = servedTree({
          projectId: project,
          members: [{}],
          healthMonitor: { urlPath: `/${path}`, domainName: `a${domain}`, httpVersion: 1.1 },
        });
        check(renderHaproxy(tree, { basePath: folder }) ?? '');
      }),
      { numRuns: 40 },
    );
  });

  test('no text of a user adds a line or a word to a policy, and haproxy accepts it', () => {
    const build = (value: string, key: string, url: string): string => {
      const rules = (['PATH', 'HEADER', 'COOKIE', 'HOST_NAME', 'FILE_TYPE'] as const).map((type) => ({
        type,
        compareType: 'CONTAINS' as const,
        key,
        value: value.replaceAll(',', ';'),
      }));
      const l7Policies = [
        l7Policy('url', { action: 'REDIRECT_TO_URL', redirectUrl: `http://x/${url}` }, rules),
        l7Policy('prefix', { action: 'REDIRECT_PREFIX', redirectPrefix: `http://x/${url}` }, rules),
      ];
      return renderHaproxy(servedTree({ l7Policies }), { basePath: folder }) ?? '';
    };
    const plain = shape(build('value', 'key', 'url'));
    fc.assert(
      fc.property(nasty, nasty, nasty, (value, key, url) => {
        const text = build(value, key, url);
        expect(text).toMatch(/^[\x20-\x7e\n]*$/);
        expect(shape(text)).toEqual(plain);
        const file = join(folder, 'policies.cfg');
        writeFileSync(file, text);
        execFileSync('/usr/sbin/haproxy', ['-c', '-q', '-f', file], { stdio: 'pipe' });
      }),
      { numRuns: 60 },
    );
  });

  test('haproxy accepts every combination of kinds', () => {
    const protocols = fc.constantFrom(
      'HTTP HTTP',
      'HTTP PROXY',
      'TCP TCP',
      'TCP HTTP',
      'TCP HTTPS',
      'HTTPS HTTPS',
      'HTTPS PROXYV2',
      'PROMETHEUS',
    );
    const tree = fc.record({
      listener: fc.record({
        allowedCidrs: fc.constantFrom([], ['10.0.0.0/8', '::1', '2001:db8::/32']),
        connectionLimit: fc.integer({ min: -1, max: 2_000_000 }),
        timeoutClientData: fc.integer({ min: 0, max: 2_073_600_000 }),
        timeoutTcpInspect: fc.integer({ min: 0, max: 2_073_600_000 }),
        insertHeaders: fc.record({ 'X-Forwarded-For': fc.boolean(), 'X-Forwarded-Port': fc.boolean() }),
      }),
      pool: fc.record({
        lbAlgorithm: fc.constantFrom('ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP'),
        sessionPersistence: fc.constantFrom(
          null,
          { type: 'SOURCE_IP', cookieName: null },
          { type: 'HTTP_COOKIE', cookieName: null },
          { type: 'APP_COOKIE', cookieName: `it's~#%` },
        ),
      }),
      members: fc.array(
        fc.record({
          address: fc.oneof(fc.ipV4(), fc.ipV6()),
          weight: fc.integer({ min: 0, max: 256 }),
          backup: fc.boolean(),
          adminStateUp: fc.boolean(),
          monitorPort: fc.option(fc.integer({ min: 1, max: 65_535 })),
          monitorAddress: fc.option(fc.ipV6()),
        }),
        { maxLength: 3 },
      ),
      healthMonitor: fc.record({
        type: fc.constantFrom('HTTP', 'HTTPS', 'PING', 'TCP', 'TLS-HELLO'),
        delay: fc.integer({ min: 1, max: 86_400 }),
        timeout: fc.integer({ min: 1, max: 86_400 }),
        maxRetries: fc.integer({ min: 1, max: 10 }),
        httpMethod: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'OPTIONS', 'PATCH', 'CONNECT'),
        expectedCodes: fc.constantFrom('200', '200,404', '200-299'),
      }),
    });
    fc.assert(
      fc.property(tree, protocols, (made, pair) => {
        const [protocol, poolProtocol] = pair.split(' ');
        const own = poolProtocol === undefined ? { defaultPoolId: null } : {};
        const parts = {
          ...made,
          listener: { ...made.listener, protocol, ...own },
          pool: { ...made.pool, protocol: poolProtocol ?? 'TCP' },
        };
        const text = renderHaproxy(servedTree(parts as Parameters<typeof servedTree>[0]), { basePath: folder });
        const file = join(folder, 'kinds.cfg');
        writeFileSync(file, text ?? '');
        execFileSync('/usr/sbin/haproxy', ['-c', '-q', '-f', file], { stdio: 'pipe' });
      }),
      { numRuns: 60 },
    );
  });
});
