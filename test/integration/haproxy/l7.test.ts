// L7 policies as a real haproxy carries them out.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PoolId } from '../../../src/domain/ids.ts';
import { deriveId } from '../../../src/domain/ids.ts';
import type {
  L7RuleAttributes,
  ServedL7Policy,
  ServedListener,
  ServedTree,
} from '../../../src/domain/load-balancer/attributes.ts';
import { randomVip } from '../../support/agent.ts';
import { type Ask, ask, serveTree, testMembers } from '../../support/haproxy.ts';
import { processes } from '../../support/processes.ts';
import { l7Policy, listener, member, pool } from '../../support/served-tree.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const folder = tempFolder('l7');
let endServing = async () => {};
// Before the hook that wants no process left.
afterAll(() => endServing());
const startProcess = processes();
const startMember = testMembers();
const vip = randomVip();

type Request = Pick<Ask, 'path' | 'headers'>;
type Rule = Partial<L7RuleAttributes>;

const host = (name: string): Request => ({ headers: { host: name } });
const path = (text: string): Request => ({ path: text });
const header = (value: string): Request => ({ headers: { 'x-kind': value } });
const cookie = (value: string): Request => ({ headers: { cookie: `a=b; kind=${value}; c=d` } });

/** Type, comparison, value; a request that matches, and one that does not. */
const comparisons: readonly (readonly [
  L7RuleAttributes['type'],
  L7RuleAttributes['compareType'],
  string,
  Request,
  Request,
])[] = [
  ['HOST_NAME', 'EQUAL_TO', 'www.example.org', host('WWW.example.org'), host('www.example.org.evil')],
  ['HOST_NAME', 'STARTS_WITH', 'www.', host('www.example.org'), host('api.www.example.org')],
  ['HOST_NAME', 'ENDS_WITH', '.example.org', host('a.EXAMPLE.org'), host('a.example.org.evil')],
  ['HOST_NAME', 'CONTAINS', 'example', host('an-example.org'), host('exam.ple.org')],
  ['HOST_NAME', 'REGEX', String.raw`^(api|www)\d?\.`, host('api2.example.org'), host('apix.example.org')],
  ['PATH', 'EQUAL_TO', '/exact', path('/exact?q=1'), path('/exact/more')],
  ['PATH', 'STARTS_WITH', '/api/', path('/api/v1'), path('/v1/api/')],
  ['PATH', 'ENDS_WITH', '/end', path('/the/end'), path('/end/not')],
  ['PATH', 'CONTAINS', '/mid/', path('/a/mid/z'), path('/a/MID/z')],
  ['PATH', 'REGEX', String.raw`^/user/[0-9]{1,3}/(?:a|b)$`, path('/user/42/b'), path('/user/4242/b')],
  ['FILE_TYPE', 'EQUAL_TO', 'jpg', path('/a.b/picture.jpg?x=y.png'), path('/jpg')],
  ['FILE_TYPE', 'REGEX', '^(jpe?g|png)$', path('/picture.jpeg'), path('/picture.jpeg.zip')],
  ['HEADER', 'EQUAL_TO', 'big blue', header('big blue'), header('big  blue')],
  ['HEADER', 'STARTS_WITH', 'big', header('bigger'), header('not big')],
  ['HEADER', 'ENDS_WITH', 'blue', header('so blue'), header('bluer')],
  ['HEADER', 'CONTAINS', 'g b', header('big blue'), header('bigblue')],
  ['HEADER', 'REGEX', String.raw`^big\s+(blue|red)$`, header('big   red'), header('big green')],
  ['COOKIE', 'EQUAL_TO', 'session-1', cookie('session-1'), cookie('session-11')],
  ['COOKIE', 'STARTS_WITH', 'session', cookie('session-1'), cookie('a-session')],
  ['COOKIE', 'ENDS_WITH', '-1', cookie('session-1'), cookie('session-1x')],
  ['COOKIE', 'CONTAINS', 'ess', cookie('session-1'), cookie('e-s-s')],
  ['COOKIE', 'REGEX', '^s.{5,}1$', cookie('session-1'), cookie('s1')],
];

const keys: Partial<Record<L7RuleAttributes['type'], string>> = { HEADER: 'X-Kind', COOKIE: 'kind' };

/** Values that would be something else to haproxy if they were not written as they are. */
const strange = [
  '-f /etc/passwd',
  '-i',
  '--',
  '#comment',
  `it's "quoted"`,
  String.raw`back\slash\n\x41`,
  '${HOME} $HOME %[src] %%',
  'a, b) or (c, {d} [e]',
  'or || !x',
  'grüße ☃',
  "'",
  '"',
  '\\',
];

let nextPort = 20_000;
const listeners: ServedListener[] = [];
const mainPool = deriveId<PoolId>('l7', 'main');
const otherPool = deriveId<PoolId>('l7', 'other');
const offPool = deriveId<PoolId>('l7', 'off');

/** A listener with these policies, and the port it is at. */
function listening(l7Policies: readonly ServedL7Policy[]): number {
  const port = nextPort++;
  listeners.push({
    ...listener({ protocolPort: port, defaultPoolId: mainPool }),
    id: deriveId('l7', 'listener', port),
    l7Policies,
  });
  return port;
}

function rejecting(rules: readonly Rule[]): number {
  return listening([l7Policy(`reject-${nextPort}`, { action: 'REJECT' }, rules)]);
}

const statusOf = async (port: number, asked: Request) => (await ask({ host: vip, port, ...asked })).status;

const compared = comparisons.map(([type, compareType, value, hit, miss]) => {
  const rule: Rule = { type, compareType, value, key: keys[type] ?? null };
  return { type, compareType, hit, miss, plain: rejecting([rule]), inverted: rejecting([{ ...rule, invert: true }]) };
});
const strangely = strange.map((value) => ({
  value,
  port: rejecting([{ type: 'HEADER', key: 'X-Kind', compareType: 'EQUAL_TO', value }]),
}));
const strangeKey = rejecting([{ type: 'HEADER', key: `x'#&*!|~\`^$%`, compareType: 'EQUAL_TO', value: 'v' }]);
const strangeCookie = rejecting([{ type: 'COOKIE', key: `x'#&*!|~\`^$%`, compareType: 'EQUAL_TO', value: 'v' }]);

const startsWith = (value: string): Rule => ({ compareType: 'STARTS_WITH', value });
const strangeUrl = `https://example.org/a%20b/%[env(HOME)]?q="c'd#e\\f$HOME`;
const actions = listening([
  l7Policy('to-pool', { action: 'REDIRECT_TO_POOL', redirectPoolId: otherPool, position: 1 }, [startsWith('/a')]),
  l7Policy('off-pool', { action: 'REDIRECT_TO_POOL', redirectPoolId: offPool, position: 2 }, [startsWith('/off')]),
  l7Policy('to-url', { action: 'REDIRECT_TO_URL', redirectUrl: strangeUrl, redirectHttpCode: 302, position: 3 }, [
    startsWith('/ab'),
  ]),
  l7Policy(
    'prefix',
    { action: 'REDIRECT_PREFIX', redirectPrefix: 'https://other.example', redirectHttpCode: 308, position: 4 },
    [startsWith('/abc')],
  ),
  l7Policy('reject', { action: 'REJECT', position: 5 }, [startsWith('/abcd')]),
  l7Policy('down', { action: 'REJECT', adminStateUp: false, position: 6 }, [startsWith('/')]),
  l7Policy('without-rules', { action: 'REJECT', position: 7 }, []),
  l7Policy('with-rules-down', { action: 'REJECT', position: 8 }, [{ ...startsWith('/'), adminStateUp: false }]),
  l7Policy(
    'late-prefix',
    { action: 'REDIRECT_PREFIX', redirectPrefix: 'http://x', redirectHttpCode: 301, position: 9 },
    [startsWith('/p')],
  ),
]);
const both = rejecting([startsWith('/a'), { type: 'HEADER', key: 'X-Kind', value: 'yes' }]);
const codes = ([301, 302, 303, 307, 308] as const).map((redirectHttpCode) => ({
  code: redirectHttpCode,
  port: listening([
    l7Policy(`code-${redirectHttpCode}`, { action: 'REDIRECT_TO_URL', redirectUrl: 'http://x/', redirectHttpCode }),
  ]),
}));
const most = rejecting(Array.from({ length: 50 }, (_, index) => ({ ...startsWith(`/${index}`), invert: true })));

beforeAll(async () => {
  const [main, other] = await Promise.all([startMember('main'), startMember('other')]);
  const pools = [
    { id: mainPool, ...pool(), at: main.port },
    { id: otherPool, ...pool(), at: other.port },
    { id: offPool, ...pool({ adminStateUp: false }), at: other.port },
  ].map(({ at, ...more }) => ({
    ...more,
    members: [
      {
        id: deriveId<ServedTree['pools'][number]['members'][number]['id']>(more.id),
        ...member({ address: '127.0.0.1', protocolPort: at }),
      },
    ],
    healthMonitor: undefined,
  }));
  const tree: ServedTree = {
    loadBalancerId: deriveId('l7'),
    projectId: 'p',
    vipAddresses: [vip],
    vipPolicy: { qosPolicyId: null, securityGroupIds: [] },
    adminStateUp: true,
    listeners,
    pools,
  };
  endServing = await serveTree(folder, startProcess, tree);
});

describe('a rule of type', () => {
  test.each(compared)('$type, $compareType, matches what it says, and inverted the rest', async (one) => {
    const { plain, inverted, hit, miss } = one;
    expect([await statusOf(plain, hit), await statusOf(plain, miss)]).toEqual([403, 200]);
    expect([await statusOf(inverted, hit), await statusOf(inverted, miss)]).toEqual([200, 403]);
  });

  test.each(strangely)('HEADER matches %j to the byte', async ({ port, value }) => {
    const sent = Buffer.from(value, 'utf8').toString('latin1');
    expect(await statusOf(port, header(sent))).toBe(403);
    expect(await statusOf(port, header(`${sent}x`))).toBe(200);
    expect(await statusOf(port, {})).toBe(200);
  });

  test('HEADER and COOKIE take any name that a header can have', async () => {
    expect(await statusOf(strangeKey, { headers: { [`x'#&*!|~\`^$%`]: 'v' } })).toBe(403);
    expect(await statusOf(strangeKey, { headers: { x: 'v' } })).toBe(200);
    expect(await statusOf(strangeCookie, { headers: { cookie: `x'#&*!|~\`^$%=v` } })).toBe(403);
    expect(await statusOf(strangeCookie, { headers: { cookie: 'x=v' } })).toBe(200);
  });
});

describe('a policy', () => {
  const at = (asked: Request) => ask({ host: vip, port: actions, ...asked });

  test('needs all of its rules', async () => {
    expect(await statusOf(both, { path: '/a', headers: { 'x-kind': 'yes' } })).toBe(403);
    expect(await statusOf(both, { path: '/b', headers: { 'x-kind': 'yes' } })).toBe(200);
    expect(await statusOf(both, { path: '/a' })).toBe(200);
  });

  test('may have fifty', async () => {
    expect([await statusOf(most, { path: '/a' }), await statusOf(most, { path: '/49' })]).toEqual([403, 200]);
  });

  test('leads to its pool, and not to one that is down', async () => {
    expect((await at({ path: '/a' })).body).toBe('other');
    expect((await at({ path: '/off' })).body).toBe('main');
    expect((await at({ path: '/' })).body).toBe('main');
  });

  test('sends clients to a URL, to the letter', async () => {
    expect(await at({ path: '/ab' })).toMatchObject({ status: 302, location: strangeUrl });
  });

  test('puts a prefix before path and query', async () => {
    const { status, location } = await at({ path: '/p/q?r=s' });
    expect({ status, location }).toEqual({ status: 301, location: 'http://x/p/q?r=s' });
  });

  test('that rejects comes first, then those that redirect by position, then those to pools', async () => {
    expect((await at({ path: '/abcd' })).status).toBe(403);
    expect((await at({ path: '/abc' })).status).toBe(302);
  });

  test.each(codes)('redirects with code $code', async ({ code, port }) => {
    expect(await statusOf(port, {})).toBe(code);
  });
});
