import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { type CommandClient, connectCommandChannel } from '../../../src/channels/command/client.ts';
import { type CommandHandlers } from '../../../src/channels/command/methods.ts';
import { type ControlServer, startControlServer } from '../../../src/channels/control-server.ts';
import { inspectHandlers } from '../../../src/channels/inspect/methods.ts';
import type { ConnectOptions } from '../../../src/channels/rpc/client.ts';
import { type ClientTls, readCertificates, readKeyPair } from '../../../src/channels/tls.ts';
import { controlTls } from '../../../src/composition/control.ts';
import { type PemFiles, type TestAuthority, testAuthority } from '../../support/certificates.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { undoAfterEach } from '../../support/undo.ts';

const folder = tempFolder('tls');
const token = 'the-token-of-this-test';
const info = { name: 'amphitheatre', version: 'test', nodeId: 'node', driver: 'fake' } as const;
let ours: TestAuthority;
let clients: TestAuthority;
let others: TestAuthority;
let shown: PemFiles;

beforeAll(async () => {
  ours = await testAuthority(folder);
  clients = await testAuthority(folder, 'client-ca');
  others = await testAuthority(join(folder, 'others'));
  shown = await ours.sign('server', 'localhost');
});

const undo = undoAfterEach();

async function serve(wanted: { readonly token?: string } = { token }, host = '127.0.0.1'): Promise<ControlServer> {
  const server = await startControlServer({
    host,
    port: 0,
    token: wanted.token,
    tls: controlTls({ ...shown, clientCa: clients.file }),
    command: { 'server.info': async () => info } as unknown as CommandHandlers,
    inspect: inspectHandlers({
      sweep: async () => ({ instances: 0, removed: [], due: [], waiting: [], stopped: null }),
      drain: async () => false,
      restoreCheck: () => Promise.reject(new Error('nobody asks for it')),
      orders: { give: async () => undefined, end: async () => false, list: async () => [] },
      amphoraeIn: () => 0,
      budget: () => ({ perMinute: 60, left: 60 }),
      actors: {} as never,
      reads: {} as never,
    }),
    metrics: new Registry(),
    unready: async () => [],
    log: { error: () => undefined },
  });
  undo.push(() => server.close());
  return server;
}

function keyPair({ certificate, key }: PemFiles): ClientTls {
  return readKeyPair({ name: 'certificate', path: certificate }, { name: 'key', path: key });
}

const trusting = (authority = ours): ClientTls => ({ ca: readCertificates({ name: 'ca', path: authority.file }) });

async function client(server: ControlServer, options: Omit<ConnectOptions, 'url'>): Promise<CommandClient> {
  const made = await connectCommandChannel({ url: `wss://localhost:${server.port}/command`, ...options });
  undo.push(() => made.close());
  return made;
}

describe('a control port with TLS', () => {
  test('takes the token over wss', async () => {
    const server = await serve();
    expect(await (await client(server, { token, tls: trusting() })).call('server.info')).toEqual(info);
    await expect(client(server, { token: 'wrong', tls: trusting() })).rejects.toThrow('the token was not accepted');
    await expect(client(server, { tls: trusting() })).rejects.toThrow('it wants a token');
  });

  test('takes a certificate of its authority for clients instead of the token, every time', async () => {
    const server = await serve();
    const tls = { ...trusting(), ...keyPair(await clients.sign('client', 'operator')) };
    for (let time = 1; time <= 3; time++) {
      expect(await (await client(server, { tls })).call('server.info')).toEqual(info);
    }
  });

  test('takes no certificate of another authority, its own included', async () => {
    const server = await serve();
    for (const authority of [others, ours]) {
      const tls = { ...trusting(), ...keyPair(await authority.sign('client', 'intruder')) };
      await expect(client(server, { tls })).rejects.toThrow('the client certificate was not accepted');
      // It does no harm to whoever has the token.
      expect(await (await client(server, { token, tls })).call('server.info')).toEqual(info);
    }
  });

  test('may want certificates only', async () => {
    const server = await serve({});
    const tls = { ...trusting(), ...keyPair(await clients.sign('client', 'operator')) };
    expect(await (await client(server, { tls })).call('server.info')).toEqual(info);
    await expect(client(server, { tls: trusting() })).rejects.toThrow('cannot connect');
    await expect(client(server, { token, tls: trusting() })).rejects.toThrow('cannot connect');
  });

  test('is asked for metrics with a certificate too, and says what it expects without', async () => {
    const server = await serve();
    const get = (tls: object) =>
      new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
        const options = {
          host: '127.0.0.1',
          servername: 'localhost',
          port: server.port,
          path: '/metrics',
          agent: false,
        };
        const asked = request({ ...options, ca: trusting().ca, ...tls }, (response) => {
          let body = '';
          response.on('data', (text: Buffer) => (body += text.toString()));
          response.on('end', () => resolve({ status: response.statusCode, body }));
        });
        asked.on('error', reject).end();
      });
    const { certificate: cert, key } = keyPair(await clients.sign('client', 'scraper'));
    expect(await get({ cert, key })).toMatchObject({ status: 200 });
    expect(await get({})).toMatchObject({
      status: 401,
      body: expect.stringContaining('expected a client certificate'),
    });
  });

  test('is not believed when its certificate is of an unknown authority or for another name', async () => {
    const server = await serve();
    await expect(client(server, { token })).rejects.toThrow('not signed by a trusted authority');
    await expect(client(server, { token, tls: trusting(others) })).rejects.toThrow('not signed by a trusted authority');
    const url = `wss://127.0.0.1:${server.port}/command`;
    await expect(connectCommandChannel({ url, token, tls: trusting() })).rejects.toThrow(
      "does not match certificate's",
    );
  });

  test('can be pinned by the very certificate, whatever its name', async () => {
    const server = await serve();
    const url = `wss://127.0.0.1:${server.port}/command`;
    const pinned = readFileSync(shown.certificate, 'utf8');
    const made = await connectCommandChannel({ url, token, tls: { pinned } });
    undo.push(() => made.close());
    expect(await made.call('server.info')).toEqual(info);
    const other = readFileSync((await ours.sign('server', 'other')).certificate, 'utf8');
    await expect(connectCommandChannel({ url, token, tls: { pinned: other } })).rejects.toThrow('cannot connect');
    // Not even one that the pinned certificate could be taken to vouch for.
    const authority = readFileSync(ours.file, 'utf8');
    const impostor = connectCommandChannel({ url, token, tls: { pinned: authority } });
    await expect(impostor).rejects.toThrow('another certificate than it started with');
  });

  test('outlives clear text and random bytes, and a client that speaks clear text learns why', async () => {
    const server = await serve();
    const url = `ws://127.0.0.1:${server.port}/command`;
    await expect(connectCommandChannel({ url, token })).rejects.toThrow('wss:');
    const socket = connect(server.port, '127.0.0.1')
      .on('error', () => undefined)
      .resume();
    socket.write(Buffer.from('\x16\x03\x01\xff\xff\x00\x01garbage'.repeat(100), 'latin1'));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(await (await client(server, { token, tls: trusting() })).call('server.info')).toEqual(info);
  });
});

describe('beyond loopback', () => {
  const options = {
    port: 0,
    command: {} as never,
    inspect: {} as never,
    metrics: new Registry(),
    unready: async () => [],
    log: { error: () => undefined },
  };

  test('a token in clear text is refused', async () => {
    const refused = startControlServer({ ...options, host: '0.0.0.0', token });
    await expect(refused).rejects.toThrow('a token must not travel in clear text: set control.tls.certificate');
  });

  test('with TLS a token does, and so do client certificates', async () => {
    const server = await serve({ token }, '0.0.0.0');
    expect(await (await client(server, { token, tls: trusting() })).call('server.info')).toEqual(info);
    await serve({}, '0.0.0.0');
    const tls = controlTls({ ...shown, clientCa: undefined });
    const open2 = startControlServer({ ...options, host: '0.0.0.0', token: undefined, tls });
    await expect(open2).rejects.toThrow('there is no token');
  });
});

describe('files of TLS', () => {
  const problem = (files: Partial<PemFiles & { clientCa: string }>) => {
    try {
      controlTls({ ...shown, clientCa: undefined, ...files });
    } catch (error) {
      return (error as Error).message;
    }
    return 'none';
  };

  test('that are missing, of another kind or no pair are named with their setting', async () => {
    const text = join(folder, 'text');
    writeFileSync(text, 'a secret that nobody shall read');
    const other = await ours.sign('server', 'elsewhere');
    expect(problem({ certificate: '/nowhere.pem' })).toMatch(
      /^control\.tls\.certificate: \/nowhere\.pem cannot be read: ENOENT/,
    );
    expect(problem({ key: '/nowhere.key' })).toMatch(/^control\.tls\.key: \/nowhere\.key cannot be read/);
    expect(problem({ clientCa: text })).toBe(
      `control.tls.clientCa: expected certificates in PEM, ${text} holds something else`,
    );
    expect(problem({ certificate: text })).toContain('control.tls.certificate: expected certificates in PEM');
    expect(problem({ key: text })).toContain('control.tls.key: expected a private key in PEM');
    expect(problem({ key: other.key })).toBe(
      `control.tls.key: ${other.key} is not the key of the certificate in ${shown.certificate}`,
    );
    expect(problem({})).toBe('none');
  });
});
