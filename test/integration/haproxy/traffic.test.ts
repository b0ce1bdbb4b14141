// What listeners, pools and monitors mean for traffic, with a real haproxy.
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer, request as tlsRequest } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { deriveId } from '../../../src/domain/ids.ts';
import { createLocalCertificateDriver } from '../../../src/drivers/certificate/local/local.ts';
import { randomVip } from '../../support/agent.ts';
import { type Answer, type Ask, ask, serveTree, type TestMember, testMembers } from '../../support/haproxy.ts';
import { processes } from '../../support/processes.ts';
import { servedTree, type TreeParts } from '../../support/served-tree.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { undoAfterEach } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

const folder = tempFolder('traffic');
const undo = undoAfterEach();
const startProcess = processes();
const startMember = testMembers();

let one: TestMember;
let other: TestMember;
beforeAll(async () => {
  [one, other] = await Promise.all([
    startMember('one', { 'set-cookie': 'sid=from-one' }),
    startMember('other', { 'set-cookie': 'sid=from-other' }),
  ]);
});

type Request = Omit<Ask, 'host' | 'port'>;

/** Serves a tree with these members, and gives how to ask it. */
async function serve(parts: TreeParts, ports = [one.port, other.port], edit?: (text: string) => string) {
  const vip = randomVip();
  const members = ports.map((protocolPort) => ({ address: '127.0.0.1', protocolPort }));
  const tree = servedTree({
    ...parts,
    vipAddresses: [vip],
    members,
    listener: { protocolPort: 8080, ...parts.listener },
  });
  undo.push(await serveTree(folder, startProcess, tree, edit));
  return { vip, get: (request: Request = {}) => ask({ host: vip, port: 8080, ...request }) };
}

async function bodies(count: number, get: () => Promise<Answer>): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  for (let index = 0; index < count; index++) seen.add((await get()).body);
  return seen;
}

describe('session persistence', () => {
  test('by address keeps a client at its member, and lets others go elsewhere', async () => {
    const { get } = await serve({ pool: { sessionPersistence: { type: 'SOURCE_IP', cookieName: null } } });
    expect((await bodies(6, () => get({ localAddress: '127.0.0.21' }))).size).toBe(1);
    let host = 30;
    expect((await bodies(6, () => get({ localAddress: `127.0.0.${host++}` }))).size).toBe(2);
  });

  test('by a cookie of haproxy keeps who brings it back', async () => {
    const { get } = await serve({ pool: { sessionPersistence: { type: 'HTTP_COOKIE', cookieName: null } } });
    const { cookies, body } = await get();
    const cookie = cookies.find((text) => text.startsWith('SRV=')) ?? 'none';
    const kept = await bodies(6, () => get({ headers: { cookie } }));
    expect([...kept]).toEqual([body]);
    expect((await bodies(6, () => get())).size).toBe(2);
  });

  test('by a cookie of the members keeps who brings theirs back', async () => {
    const { get } = await serve({ pool: { sessionPersistence: { type: 'APP_COOKIE', cookieName: 'sid' } } });
    expect((await bodies(4, () => get())).size).toBe(2);
    for (const name of ['one', 'other']) {
      const headers = { cookie: `a=b; sid=from-${name}` };
      expect([...(await bodies(4, () => get({ headers })))]).toEqual([name]);
    }
  });

  test('without any there is none', async () => {
    const { get } = await serve({});
    expect((await bodies(4, () => get())).size).toBe(2);
  });
});

test('only clients that are allowed may connect', async () => {
  const { get } = await serve({ listener: { allowedCidrs: ['127.0.0.41', '127.1.0.0/16'] } });
  expect((await get({ localAddress: '127.0.0.41' })).status).toBe(200);
  expect((await get({ localAddress: '127.1.9.9' })).status).toBe(200);
  await expect(get({ localAddress: '127.0.0.42' })).rejects.toThrow();
});

test('headers are inserted as asked for, and are not taken from clients', async () => {
  const insertHeaders = { 'X-Forwarded-For': true, 'X-Forwarded-Port': true, 'X-Forwarded-Proto': true };
  const { get } = await serve({ listener: { insertHeaders } }, [one.port]);
  await get({ path: '/headers', localAddress: '127.0.0.51', headers: { 'x-forwarded-proto': 'https' } });
  const seen = one.seen.find(({ url }) => url === '/headers');
  expect(seen?.headers).toMatchObject({
    'x-forwarded-for': '127.0.0.51',
    'x-forwarded-port': '8080',
    'x-forwarded-proto': 'http',
  });
});

test('one connection beyond the limit waits for its turn', async () => {
  const { get } = await serve({ listener: { connectionLimit: 1 } }, [one.port]);
  const slow = get({ path: '/slow' });
  const held = await waitFor(() => one.slow.find(({ writableEnded }) => !writableEnded), {
    describe: 'a slow request',
  });
  let isAnswered = false;
  const next = get({ path: '/next' }).then((answer) => {
    isAnswered = true;
    return answer;
  });
  // Whoever is served at the same time overtakes: a request to another listener's port would be answered by now.
  await ask({ host: '127.0.0.1', port: one.port });
  expect([isAnswered, one.seen.some(({ url }) => url === '/next')]).toEqual([false, false]);
  held.end('at last');
  expect((await slow).body).toBe('at last');
  expect((await next).body).toBe('one');
});

describe('a time-out', () => {
  test('of a member that says nothing is answered 504', async () => {
    const { get } = await serve({ listener: { timeoutMemberData: 100 } }, [one.port]);
    expect((await get({ path: '/slow' })).status).toBe(504);
  });

  test('of a client that says nothing ends its connection', async () => {
    const { vip } = await serve({ listener: { timeoutClientData: 100 } }, [one.port]);
    const socket = connect({ host: vip, port: 8080 });
    let text = '';
    socket.setEncoding('utf8').on('data', (part: string) => (text += part));
    socket.write('GET / HTTP/1.1\r\nHost: ');
    await new Promise((resolve) => socket.on('close', resolve));
    expect(text).toMatch(/^HTTP\/1\.[01] 408 /);
  });
});

describe('encrypted members', () => {
  let port = 0;
  let ca = '';
  let end: (() => Promise<unknown>) | undefined;
  afterAll(() => end?.());
  beforeAll(async () => {
    const options = { folder: join(folder, 'pki'), keyType: 'p256', serverCertificateDays: 30 } as const;
    const authority = await createLocalCertificateDriver(options);
    const { certificatePem: cert, privateKeyPem: key } = await authority.issue(
      deriveId('tls-member'),
      new AbortController().signal,
    );
    ca = authority.controllerCredentials().serverCaPem;
    const server = createTlsServer({ cert, key }, (incoming, response) => {
      response.writeHead(incoming.url === '/ill' ? 500 : 200).end('encrypted');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
    end = () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    };
  });

  function getEncrypted(host: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const servername = deriveId<string>('tls-member');
      const call = tlsRequest({ host, port: 8080, ca, servername, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (part: string) => (body += part));
        response.on('end', () => resolve(body));
      });
      call.on('error', reject).end();
    });
  }

  const https = { listener: { protocol: 'HTTPS' }, pool: { protocol: 'HTTPS' } } as const;

  test('are reached through a listener that passes on what it cannot read', async () => {
    const { vip } = await serve(https, [port]);
    expect(await getEncrypted(vip)).toBe('encrypted');
  });

  test.each(['HTTPS', 'TLS-HELLO'] as const)('are known from others by a monitor of type %s', async (type) => {
    const healthMonitor = { type, delay: 1, timeout: 1, maxRetries: 1, maxRetriesDown: 1 };
    const { vip } = await serve({ ...https, healthMonitor }, [one.port, port]);
    await waitFor(
      async () => {
        const all = await Promise.all(Array.from({ length: 4 }, () => getEncrypted(vip)));
        return all.every((body) => body === 'encrypted');
      },
      { describe: 'the member that speaks no TLS to be found down' },
    );
  });

  test('that answer with an error are down to a monitor of type HTTPS', async () => {
    const healthMonitor = { type: 'HTTPS', urlPath: '/ill', delay: 1, timeout: 1, maxRetriesDown: 1 } as const;
    const { vip } = await serve({ ...https, healthMonitor }, [port]);
    const isServed = () =>
      getEncrypted(vip).then(
        () => true,
        () => false,
      );
    await waitFor(async () => !(await isServed()), { describe: 'the member to be found down' });
  });
});

test('a monitor of type PING asks a program about each member', async () => {
  const program = join(folder, 'ping-wrapper.sh');
  // This host may have no ping: it says that only one of them is there.
  writeFileSync(program, `#!/bin/sh\ntest "$HAPROXY_SERVER_ADDR:$HAPROXY_SERVER_PORT" = "127.0.0.1:${other.port}"\n`);
  chmodSync(program, 0o755);
  const healthMonitor = { type: 'PING', delay: 1, timeout: 1, maxRetries: 1, maxRetriesDown: 1 } as const;
  const edit = (text: string) => text.replace('/var/lib/octavia/ping-wrapper.sh', program);
  const { get } = await serve({ healthMonitor }, [one.port, other.port], edit);
  await waitFor(async () => [...(await bodies(4, () => get()))].join() === 'other', {
    describe: 'the member that does not answer to be found down',
  });
});

test('a PROMETHEUS listener gives metrics at /metrics and nothing else', async () => {
  const { get } = await serve({ listener: { protocol: 'PROMETHEUS', defaultPoolId: null } });
  expect((await get({ path: '/metrics' })).body).toContain(`haproxy_frontend_status{proxy="${deriveId('listener')}"`);
  expect((await get({ path: '/' })).status).toBe(404);
});
