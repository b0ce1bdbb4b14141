// What TLS of listeners and pools means for traffic, with a real haproxy.
import { readFileSync } from 'node:fs';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { connect as connectHttp2, createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ListenerAttributes, PoolAttributes } from '../../../src/domain/load-balancer/attributes.ts';
import { randomVip } from '../../support/agent.ts';
import { type PemFiles, type TestAuthority, testAuthority } from '../../support/certificates.ts';
import { ask, serveTree, type TestMember, testMembers } from '../../support/haproxy.ts';
import { processes } from '../../support/processes.ts';
import { revocations } from '../../support/revocations.ts';
import { l7Policy, servedTree, type TreeParts } from '../../support/served-tree.ts';
import { askTls, pemOf, type TlsAsk } from '../../support/tls.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { undoAfterEach } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

const folder = tempFolder('tls-traffic');
const undo = undoAfterEach();
const startProcess = processes();
const startMember = testMembers();

const read = (path: string) => readFileSync(path, 'utf8');
/** A client's credentials. */
const shown = ({ certificate, key }: PemFiles) => ({ cert: read(certificate), key: read(key) });

let authority: TestAuthority;
let member: TestMember;
let good: PemFiles;
let revoked: PemFiles;
let stranger: PemFiles;
const secrets = new Map<string, string>();

beforeAll(async () => {
  authority = await testAuthority(folder);
  const other = await testAuthority(tempFolderOf('strangers'));
  [member, good, revoked, stranger] = await Promise.all([
    startMember('member'),
    authority.sign('client', 'good'),
    authority.sign('client', 'revoked'),
    other.sign('client', 'stranger'),
  ]);
  for (const name of ['default.example', 'one.example', 'two.example']) {
    secrets.set(`certificate ${name}`, pemOf(await authority.sign('server', name)));
  }
  secrets.set('certificate client', pemOf(good));
  secrets.set('authority ca', read(authority.file));
  secrets.set('authority others', read(other.file));
  secrets.set('revocations crl', await revocations(folder, 'ca', [read(revoked.certificate)]));
});

function tempFolderOf(name: string): string {
  return `${folder}/${name}`;
}

interface Serve {
  readonly listener?: Partial<ListenerAttributes>;
  readonly pool?: Partial<PoolAttributes>;
  readonly more?: TreeParts;
  readonly port?: number;
}

/** Serves a TERMINATED_HTTPS listener with `default.example`, unless it says otherwise, and gives how to ask it. */
async function serve({ listener, pool, more, port = member.port }: Serve) {
  const vip = randomVip();
  const tree = servedTree({
    ...more,
    vipAddresses: [vip],
    members: [{ address: '127.0.0.1', protocolPort: port }],
    listener: {
      protocol: 'TERMINATED_HTTPS',
      protocolPort: 8443,
      defaultTlsContainerRef: 'default.example',
      ...listener,
    },
    ...(pool && { pool }),
  });
  undo.push(await serveTree(folder, startProcess, tree, undefined, secrets));
  return { vip, get: (request: Partial<TlsAsk> = {}) => askTls({ host: vip, port: 8443, ...request }) };
}

async function isRefused(asking: Promise<unknown>): Promise<boolean> {
  return asking.then(
    () => false,
    () => true,
  );
}

test('the name that a client asks for picks the certificate; without one, or for others, it is the default', async () => {
  const { get } = await serve({ listener: { sniContainerRefs: ['one.example', 'two.example'] } });
  const shownFor = async (name: string) => (await get({ name })).shown;
  expect([await shownFor(''), await shownFor('one.example'), await shownFor('two.example')]).toEqual([
    'default.example',
    'one.example',
    'two.example',
  ]);
  expect(await shownFor('nobody.example')).toBe('default.example');
});

test('without a default, the first of the others takes its place', async () => {
  const { get } = await serve({
    listener: { defaultTlsContainerRef: null, sniContainerRefs: ['two.example', 'one.example'] },
  });
  expect([(await get()).shown, (await get({ name: 'one.example' })).shown]).toEqual(['two.example', 'one.example']);
});

describe('client certificates', () => {
  const asked = { clientCaTlsContainerRef: 'ca', clientCrlContainerRef: 'crl' };

  test('are not asked for unless the listener says so', async () => {
    const { get } = await serve({ listener: asked });
    expect((await get()).status).toBe(200);
  });

  test('that are mandatory must be there, be of the authority, and not be revoked', async () => {
    const { get } = await serve({ listener: { ...asked, clientAuthentication: 'MANDATORY' } });
    expect((await get(shown(good))).status).toBe(200);
    for (const wrong of [{}, shown(revoked), shown(stranger)]) expect(await isRefused(get(wrong))).toBe(true);
  });

  test('that are optional may be missing, and must be right when they are there', async () => {
    const { get } = await serve({ listener: { ...asked, clientAuthentication: 'OPTIONAL' } });
    expect([(await get()).status, (await get(shown(good))).status]).toEqual([200, 200]);
    expect(await isRefused(get(shown(revoked)))).toBe(true);
  });

  test('are told to members in headers that clients cannot write themselves', async () => {
    const insertHeaders = {
      'X-Forwarded-Proto': true,
      'X-Forwarded-Port': true,
      'X-SSL-Client-Verify': true,
      'X-SSL-Client-Has-Cert': true,
      'X-SSL-Client-DN': true,
      'X-SSL-Client-CN': true,
      'X-SSL-Issuer': true,
      'X-SSL-Client-SHA1': true,
      'X-SSL-Client-Not-Before': true,
      'X-SSL-Client-Not-After': true,
    };
    const { get } = await serve({ listener: { ...asked, clientAuthentication: 'OPTIONAL', insertHeaders } });
    await get({ ...shown(good), path: '/with' });
    await get({ path: '/without', headers: { 'x-ssl-client-cn': 'forged', 'x-ssl-client-has-cert': '1' } });
    const headersOf = (url: string) => member.seen.find((seen) => seen.url === url)?.headers ?? {};
    expect(headersOf('/with')).toMatchObject({
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '8443',
      'x-ssl-client-verify': '0',
      'x-ssl-client-has-cert': '1',
      'x-ssl-client-dn': expect.stringContaining('CN=good'),
      'x-ssl-client-cn': expect.stringContaining('good'),
      'x-ssl-issuer': expect.stringContaining('CN=test'),
      'x-ssl-client-sha1': expect.stringMatching(/[0-9A-F]{40}/),
      'x-ssl-client-not-before': expect.stringMatching(/\d{12}Z/),
      'x-ssl-client-not-after': expect.stringMatching(/\d{12}Z/),
    });
    expect(headersOf('/without')).toMatchObject({ 'x-ssl-client-has-cert': '0' });
    expect(JSON.stringify(headersOf('/without'))).not.toContain('forged');
  });

  test('decide about requests by L7 rules', async () => {
    const rule = { compareType: 'EQUAL_TO' } as const;
    const l7Policies = [
      l7Policy('named', { action: 'REDIRECT_TO_URL', redirectUrl: 'http://named.example' }, [
        { ...rule, type: 'SSL_DN_FIELD', key: 'CN', value: 'good' },
        { ...rule, type: 'SSL_VERIFY_RESULT', value: '0' },
      ]),
      l7Policy('nameless', { action: 'REJECT' }, [{ ...rule, type: 'SSL_CONN_HAS_CERT', value: 'true', invert: true }]),
    ];
    const { get } = await serve({
      listener: { clientAuthentication: 'OPTIONAL', clientCaTlsContainerRef: 'ca' },
      more: { l7Policies },
    });
    expect((await get()).status).toBe(403);
    expect(await get(shown(good))).toMatchObject({ status: 302, headers: { location: 'http://named.example' } });
    expect((await get(shown(revoked))).status).toBe(200);
  });
});

test('browsers are told to come by HTTPS only, also with what haproxy answers itself', async () => {
  const l7Policies = [l7Policy('shut', { action: 'REJECT' }, [{ value: '/shut' }])];
  const { get } = await serve({
    listener: { hstsMaxAge: 300, hstsIncludeSubdomains: true, hstsPreload: true },
    more: { l7Policies },
  });
  for (const path of ['/', '/shut']) {
    expect((await get({ path })).headers['strict-transport-security']).toBe('max-age=300; includeSubDomains; preload');
  }
});

test('a PROMETHEUS listener with a certificate gives its metrics by TLS only', async () => {
  const { vip, get } = await serve({ listener: { protocol: 'PROMETHEUS', defaultPoolId: null } });
  expect((await get({ path: '/metrics' })).body).toContain('haproxy_frontend_status');
  expect(await isRefused(ask({ host: vip, port: 8443, path: '/metrics' }))).toBe(true);
});

describe('a listener', () => {
  test('speaks HTTP/2 with whoever offers it, and no protocol that it does not name', async () => {
    const { vip, get } = await serve({ listener: { alpnProtocols: ['h2', 'http/1.1'] } });
    const session = connectHttp2(`https://${vip}:8443`, { rejectUnauthorized: false });
    const body = await new Promise<string>((resolve, reject) => {
      const stream = session.request({ ':path': '/' });
      let text = '';
      stream.setEncoding('utf8').on('data', (part: string) => (text += part));
      stream.on('end', () => resolve(text)).on('error', reject);
    });
    expect([body, session.alpnProtocol]).toEqual(['member', 'h2']);
    session.close();
    expect((await get({ ALPNProtocols: ['http/1.1'] })).alpn).toBe('http/1.1');
  });

  test('refuses versions of TLS that it does not have', async () => {
    const { get } = await serve({ listener: { tlsVersions: ['TLSv1.3'] } });
    expect((await get()).protocol).toBe('TLSv1.3');
    expect(await isRefused(get({ maxVersion: 'TLSv1.2' }))).toBe(true);
  });

  test('takes its ciphers only, and offers no version that they are not for', async () => {
    const chosen = 'ECDHE-ECDSA-AES256-GCM-SHA384';
    const both = await serve({
      listener: { tlsCiphers: `${chosen}:TLS_AES_256_GCM_SHA384`, tlsVersions: ['TLSv1.2', 'TLSv1.3'] },
    });
    const old = { maxVersion: 'TLSv1.2' } as const;
    expect((await both.get({ ...old, ciphers: chosen })).status).toBe(200);
    expect(await isRefused(both.get({ ...old, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }))).toBe(true);
    expect((await both.get()).protocol).toBe('TLSv1.3');
    const onlyNew = await serve({
      listener: { tlsCiphers: 'TLS_AES_256_GCM_SHA384', tlsVersions: ['TLSv1.2', 'TLSv1.3'] },
    });
    expect((await onlyNew.get()).protocol).toBe('TLSv1.3');
    expect(await isRefused(onlyNew.get(old))).toBe(true);
  });
});

describe('members that speak TLS', () => {
  const servers: (() => Promise<unknown>)[] = [];
  afterAll(() => Promise.all(servers.map((end) => end())));
  const names: (string | false | null | undefined)[] = [];

  async function tlsMember(more: ServerOptions = {}): Promise<number> {
    const pem = secrets.get('certificate one.example') ?? '';
    const server = createTlsServer({ cert: pem, key: pem, ...more }, (request, response) => {
      const socket = request.socket as TLSSocket & { readonly servername?: string | false };
      names.push(socket.servername);
      const { subject } = socket.getPeerCertificate() as { readonly subject?: { readonly CN: string } };
      response.end(`encrypted for ${subject?.CN ?? 'anybody'}`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    return (server.address() as AddressInfo).port;
  }

  /** Speaks HTTP/2 with whoever offers it, and counts handshakes. */
  async function http2Member() {
    let handshakes = 0;
    const pem = secrets.get('certificate one.example') ?? '';
    const server = createSecureServer({ cert: pem, key: pem, allowHTTP1: true }, (_, response) => response.end('new'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    server.on('secureConnection', () => handshakes++);
    servers.push(() => new Promise((resolve) => server.close(resolve)));
    return { port: (server.address() as AddressInfo).port, handshakes: () => handshakes };
  }

  const plain = { protocol: 'HTTP', defaultTlsContainerRef: null } as const;
  const status = async (vip: string) => (await ask({ host: vip, port: 8443 })).status;

  test('are reached whoever signed their certificate, when no authority is given', async () => {
    const { vip } = await serve({ listener: plain, pool: { tlsEnabled: true }, port: await tlsMember() });
    expect((await ask({ host: vip, port: 8443 })).body).toBe('encrypted for anybody');
  });

  test('must be of the authority that is given, and not be revoked', async () => {
    const port = await tlsMember();
    const verified = (caTlsContainerRef: string) =>
      serve({ listener: plain, pool: { tlsEnabled: true, caTlsContainerRef }, port });
    expect(await status((await verified('ca')).vip)).toBe(200);
    expect(await status((await verified('others')).vip)).toBe(503);
    const certificate = secrets.get('certificate one.example') ?? '';
    secrets.set('revocations members', await revocations(folder, 'ca', [certificate]));
    const pool = { tlsEnabled: true, caTlsContainerRef: 'ca', crlContainerRef: 'members' };
    expect(await status((await serve({ listener: plain, pool, port })).vip)).toBe(503);
  });

  test('are asked for the name that the client asked for, and must have it', async () => {
    const pool = { tlsEnabled: true, caTlsContainerRef: 'ca' };
    const { get } = await serve({ pool, port: await tlsMember() });
    expect((await get({ name: 'one.example' })).body).toBe('encrypted for anybody');
    expect(names.at(-1)).toBe('one.example');
    expect((await get({ name: 'two.example' })).status).toBe(503);
  });

  test('are shown the certificate of the pool', async () => {
    const port = await tlsMember({ requestCert: true, ca: read(authority.file) });
    const without = await serve({ listener: plain, pool: { tlsEnabled: true }, port });
    // In TLS 1.3 a member refuses after haproxy has thought itself connected: the request may have been sent by then (502) or not (503).
    expect([502, 503]).toContain(await status(without.vip));
    const { vip } = await serve({ listener: plain, pool: { tlsEnabled: true, tlsContainerRef: 'client' }, port });
    expect((await ask({ host: vip, port: 8443 })).body).toBe('encrypted for good');
  });

  test.each(['HTTP', 'HTTPS', 'TCP', 'TLS-HELLO'] as const)(
    'are up to a monitor of type %s when their certificate is right, and down when it is not',
    async (type) => {
      const { port, handshakes } = await http2Member();
      const healthMonitor = { type, delay: 1, timeout: 1, maxRetries: 1, maxRetriesDown: 1 };
      const alpnProtocols = ['h2', 'http/1.1'] as const;
      const watched = async (caTlsContainerRef: string) =>
        serve({
          listener: plain,
          pool: { tlsEnabled: true, caTlsContainerRef, alpnProtocols },
          port,
          more: { healthMonitor },
        });
      const { vip } = await watched('others');
      await waitFor(async () => (await status(vip)) === 503, { describe: 'the stranger to be down' });
      const right = await watched('ca');
      const before = handshakes();
      // Until a check has failed a member is up.
      await waitFor(() => handshakes() >= before + 2, { describe: 'two checks' });
      expect(await status(right.vip)).toBe(200);
    },
  );
});
