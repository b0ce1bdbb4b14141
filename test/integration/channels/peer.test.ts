import { randomBytes, randomUUID } from 'node:crypto';
import { get } from 'node:http';
import { connect } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { type ControlServer, startControlServer } from '../../../src/channels/control-server.ts';
import { type PeerCredentials, PeerLinks } from '../../../src/channels/peer/links.ts';
import { type PeerHandlers, type PeerMethods, peerServerName } from '../../../src/channels/peer/methods.ts';
import { RpcClient } from '../../../src/channels/rpc/client.ts';
import type { ServerTls } from '../../../src/channels/tls.ts';
import { peerCredentials } from '../../../src/composition/peers.ts';
import { PeerUnreachableError } from '../../../src/domain/cluster/peers.ts';
import type { AmphoraId, LoadBalancerId } from '../../../src/domain/ids.ts';
import type { ClusterNode } from '../../../src/domain/ownership.ts';
import { testAuthority } from '../../support/certificates.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { waitFor } from '../../support/wait-for.ts';
import { readKeyPair } from '../../../src/channels/tls.ts';
import { plainKind } from '../../../src/domain/amphora/kind.ts';
import { undoAfterEach } from '../../support/undo.ts';

const folder = tempFolder('peers');
const node = randomUUID();
const loadBalancerId = randomUUID() as LoadBalancerId;
const amphoraId = randomUUID() as AmphoraId;
const suggestion = {
  loadBalancerId,
  excluded: [],
  kind: plainKind,
  sharing: { projectId: 'p', most: 2 },
  antiAffinity: 'soft',
} as const;
let ours: PeerCredentials;
let others: PeerCredentials;
let shown: ServerTls;

beforeAll(async () => {
  ours = await peerCredentials(`${folder}/ours`);
  others = await peerCredentials(`${folder}/others`);
  const { certificate, key } = await (await testAuthority(folder)).sign('server', 'localhost');
  const pair = readKeyPair({ name: 'certificate', path: certificate }, { name: 'key', path: key });
  shown = { ...pair, clientCa: undefined };
});

const undo = undoAfterEach();

async function serve(handlers: Partial<PeerHandlers>, tls?: ServerTls): Promise<ControlServer> {
  const server = await startControlServer({
    host: '127.0.0.1',
    port: 0,
    token: 'secret',
    tls,
    command: {} as never,
    inspect: {} as never,
    peer: { credentials: ours, handlers: handlers as PeerHandlers },
    metrics: new Registry(),
    unready: async () => [],
    log: { error: () => undefined },
  });
  undo.push(() => server.close());
  return server;
}

function linksTo(port: number, credentials = ours) {
  const seen = { lost: 0, problems: [] as string[] };
  const links = new PeerLinks({
    nodeId: randomUUID(),
    credentials,
    onLost: () => seen.lost++,
    log: { warn: (data) => seen.problems.push(String((data as { err: Error }).err.message)) },
  });
  undo.push(() => links.close());
  const known = { address: `127.0.0.1:${port}`, heartbeatAddress: null, version: 'test', dataVersion: 1, families: [] };
  const member: ClusterNode = { id: node, ...known, isDraining: false, isDead: false };
  links.update([member]);
  return { links, seen };
}

const soon = () => AbortSignal.timeout(10_000);

describe.each([
  ['clear text', false],
  ['TLS', true],
])('a node whose control port speaks %s', (_, hasTls) => {
  test('answers other nodes, and hears what they tell', async () => {
    const heard: unknown[] = [];
    const handlers: Partial<PeerHandlers> = {
      'spares.suggest': async (given) => (heard.push(given), { type: 'amphora', amphoraId }),
      'heartbeats.seen': async (given) => (heard.push(given), {}),
    };
    const { port } = await serve(handlers, hasTls ? shown : undefined);
    const { links } = linksTo(port);
    const answer = await links.call(node, 'spares.suggest', suggestion, soon());
    expect(answer).toEqual({ type: 'amphora', amphoraId });
    links.tellAll('heartbeats.seen', { ids: [amphoraId], seqs: [7], news: [] });
    await waitFor(() => heard.length === 2, { describe: 'both messages' });
    expect(heard).toEqual([suggestion, { ids: [amphoraId], seqs: [7], news: [] }]);
  });

  test('refuses whoever shows a certificate of another cluster, or none', async () => {
    const { port } = await serve({}, hasTls ? shown : undefined);
    // They trust us, we do not trust them.
    const { links, seen } = linksTo(port, { ...others, ca: ours.ca });
    await expect(links.call(node, 'spares.show', {}, soon())).rejects.toThrow(PeerUnreachableError);
    expect(seen.problems[0]).toMatch(/certificate|closed the connection|socket|alert/i);
    const tls = { ca: ours.ca, serverName: peerServerName };
    const withoutCertificate = RpcClient.connect({ url: `wss://127.0.0.1:${port}/peer`, tls });
    await expect(withoutCertificate).rejects.toThrow(/cannot connect/);
  });

  test('refuses a node that speaks a later version, and says which one it knows', async () => {
    const { port } = await serve({}, hasTls ? shown : undefined);
    const headers = { 'x-amphi-peer-version': '2', 'x-amphi-node': node };
    const tls = { ...ours, serverName: peerServerName };
    const reason = await refusalOf(
      RpcClient.connect<PeerMethods>({ url: `wss://127.0.0.1:${port}/peer`, tls, headers }),
    );
    expect(reason).toContain('this node speaks version 1 of the peer protocol');
  });
});

describe('a session that is resumed', () => {
  /** A GET over TLS; the answer's status, and the session as a client may keep it. */
  function ask(port: number, path: string, options: ConnectionOptions) {
    return new Promise<{ readonly status: number | undefined; readonly session: Buffer | undefined }>(
      (resolve, reject) => {
        const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
        let session: Buffer | undefined;
        let answer = '';
        socket.on('session', (given: Buffer) => (session = given));
        socket.on('data', (data: Buffer) => (answer += data.toString()));
        socket.on('error', reject);
        socket.on('close', () => resolve({ status: Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1]), session }));
        const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
        const key = `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nx-amphi-peer-version: 1\r\n`;
        socket.write(
          `GET ${path} HTTP/1.1\r\nHost: x\r\n${path === '/peer' ? upgrade + key : 'Connection: close\r\n'}\r\n`,
        );
        setTimeout(() => socket.end(), 500).unref();
      },
    );
  }

  test('proves nothing: whoever showed no certificate is no peer the second time either', async () => {
    const { port } = await serve({}, shown);
    const { status, session } = await ask(port, '/healthz', {});
    expect(status).toBe(200);
    const resumed = session === undefined ? {} : { session };
    expect((await ask(port, '/peer', { servername: peerServerName, ...resumed })).status).toBe(401);
    const { certificate: cert, key, ca } = ours;
    const peer = await ask(port, '/peer', { servername: peerServerName, cert, key, ca });
    expect(peer.status).toBe(101);
  });
});

describe('a call to another node', () => {
  test('that nobody waits for any more is ended there too', async () => {
    let waiting: AbortSignal | undefined;
    const never = new Promise<never>(() => undefined);
    const { port } = await serve({ 'spares.suggest': (_given, { signal }) => ((waiting = signal), never) });
    const { links } = linksTo(port);
    const impatience = new AbortController();
    const call = links.call(node, 'spares.suggest', suggestion, impatience.signal);
    call.catch(() => undefined);
    await waitFor(() => waiting !== undefined, { describe: 'the call to arrive' });
    impatience.abort(new Error('waited long enough'));
    await expect(call).rejects.toThrow('waited long enough');
    await waitFor(() => waiting?.aborted, { describe: 'the other side to hear of it' });
  });

  test('fails as unreachable when the node goes, which is noticed, and works again when it is back', async () => {
    const never = new Promise<never>(() => undefined);
    const first = await serve({ 'spares.suggest': () => never });
    const { links, seen } = linksTo(first.port);
    const call = links.call(node, 'spares.suggest', suggestion, soon());
    call.catch(() => undefined);
    await waitFor(() => links.connected === 1, { describe: 'the connection' });
    undo.pop();
    await links.call(randomUUID(), 'spares.show', {}, soon()).catch((error: unknown) => {
      expect(error).toBeInstanceOf(PeerUnreachableError);
    });
    await first.close();
    await expect(call).rejects.toThrow(PeerUnreachableError);
    expect(seen.lost).toBe(1);
    await links.close();
  });
});

test('a control port that nodes use too goes on serving HTTP in clear text to everybody else', async () => {
  const { port } = await serve({});
  const silent = connect(port, '127.0.0.1');
  undo.push(async () => silent.destroy());
  const status = await new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path: '/healthz', agent: false }, (response) => resolve(response.statusCode));
  });
  expect(status).toBe(200);
});

/** What a server says when it does not let a client in. */
async function refusalOf(connecting: Promise<unknown>): Promise<string> {
  try {
    await connecting;
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the connection was not refused');
}
