import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { WebSocket } from 'ws';
import { connectCommandChannel } from '../../../src/channels/command/client.ts';
import { type CommandHandlers, commandMethods } from '../../../src/channels/command/methods.ts';
import { type ControlServer, startControlServer } from '../../../src/channels/control-server.ts';
import { inspectHandlers } from '../../../src/channels/inspect/methods.ts';
import type { EndpointLimits } from '../../../src/channels/rpc/endpoint.ts';
import type { Peer } from '../../../src/channels/rpc/method.ts';
import { undoAfterEach } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

const token = 'the-token-of-this-test';
const info = { name: 'amphitheatre', version: 'test', nodeId: 'node', driver: 'fake' } as const;
const mistakes: unknown[] = [];

const undo = undoAfterEach();
afterEach(() => {
  mistakes.length = 0;
});

interface Served {
  readonly server: ControlServer;
  readonly url: string;
}

/** Methods that are not given fail, as a mistake of ours would. */
async function serve(
  handlers: Partial<CommandHandlers> = {},
  limits: Partial<EndpointLimits> = {},
  shown: string | null = token,
): Promise<Served> {
  const broken = Object.keys(commandMethods).map((name) => [name, () => Promise.reject(new Error('a secret detail'))]);
  const command = { ...Object.fromEntries(broken), 'server.info': async () => info, ...handlers } as CommandHandlers;
  const actors = {
    tree: async () => [],
    all: async () => [],
    show: async () => undefined,
    restart: async () => false,
    deadLetters: () => [],
  };
  const reads = {
    listHistory: async () => [],
    listNodes: async () => [],
    listHeld: async () => ({ counts: {}, held: [] }),
  };
  const server = await startControlServer({
    host: '127.0.0.1',
    port: 0,
    token: shown ?? undefined,
    command,
    inspect: inspectHandlers({
      sweep: async () => ({ instances: 0, removed: [], due: [], waiting: [], stopped: null }),
      drain: async () => false,
      restoreCheck: () => Promise.reject(new Error('nobody asks for it')),
      orders: { give: async () => undefined, end: async () => false, list: async () => [] },
      amphoraeIn: () => 0,
      budget: () => ({ perMinute: 60, left: 60 }),
      actors,
      reads,
    }),
    limits,
    metrics: new Registry(),
    unready: async () => ['the database is away'],
    log: { error: (data) => mistakes.push(data) },
  });
  undo.push(() => server.close());
  return { server, url: `ws://127.0.0.1:${server.port}/command` };
}

/** A client that sends what it likes. */
async function rawClient(url: string, headers: Record<string, string> = { authorization: `Bearer ${token}` }) {
  const socket = new WebSocket(url, { headers });
  undo.push(() => socket.terminate());
  const replies: unknown[] = [];
  socket.on('message', (data: Buffer) => replies.push(JSON.parse(data.toString())));
  const closed = once(socket, 'close') as Promise<[number, Buffer]>;
  closed.catch(() => undefined);
  await once(socket, 'open');
  return {
    socket,
    replies,
    closed,
    ask: async (text: string | Buffer): Promise<unknown> => {
      const count = replies.length;
      socket.send(text);
      await waitFor(() => replies.length > count, { describe: `a reply to ${String(text).slice(0, 100)}` });
      return replies[count];
    },
  };
}

const request = (method: string, params?: unknown, id: unknown = 1) =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params });
const failed = (id: unknown, number: number, code: string) => ({ id, error: { code: number, data: { code } } });

describe('what is no request', () => {
  const nonsense: readonly (readonly [string, string | Buffer, object])[] = [
    ['malformed JSON', '{"jsonrpc":', failed(null, -32_700, 'parse')],
    ['a binary message', Buffer.from([1, 2, 3]), failed(null, -32_700, 'parse')],
    ['deeply nested JSON', '['.repeat(200_000), failed(null, -32_700, 'parse')],
    ['a number', '5', failed(null, -32_600, 'request')],
    ['null', 'null', failed(null, -32_600, 'request')],
    ['another version', '{"jsonrpc":"1.0","id":7,"method":"server.info"}', failed(7, -32_600, 'request')],
    ['a method that is no string', '{"jsonrpc":"2.0","id":7,"method":7}', failed(7, -32_600, 'request')],
    ['an unknown member', '{"jsonrpc":"2.0","id":7,"method":"server.info","extra":1}', failed(7, -32_600, 'request')],
    ['an empty batch', '[]', failed(null, -32_600, 'request')],
    [
      'a batch that is too long',
      `[${Array.from({ length: 101 }, () => '1').join()}]`,
      failed(null, -32_600, 'request'),
    ],
    ['an unknown method', request('loadBalancer.explode'), failed(1, -32_601, 'method')],
    ['a method of every object', request('constructor'), failed(1, -32_601, 'method')],
    ['parameters by position', request('server.info', [1]), failed(1, -32_602, 'invalid')],
    ['an unknown parameter', request('server.info', { bogus: 1 }), failed(1, -32_602, 'invalid')],
    ['a command id where nothing changes', request('server.info', { commandId: 'x' }), failed(1, -32_602, 'invalid')],
    ['a parameter of a wrong type', request('loadBalancer.show', { id: { $ne: 1 } }), failed(1, -32_602, 'invalid')],
  ];
  test.each(nonsense)('%s is answered with an error, and the connection goes on', async (_, text, expected) => {
    const { url } = await serve();
    const client = await rawClient(url);
    expect(await client.ask(text)).toMatchObject(expected);
    expect(await client.ask(request('server.info'))).toMatchObject({ id: 1, result: info });
  });
});

describe('batches and notifications', () => {
  test('a batch is answered as one, good and bad together; notifications in it are not answered', async () => {
    const { url } = await serve();
    const client = await rawClient(url);
    const notification = '{"jsonrpc":"2.0","method":"server.info"}';
    const reply = await client.ask(
      `[${request('server.info', {}, 'a')},${notification},5,${request('no.such', {}, 'b')}]`,
    );
    expect(reply).toMatchObject([
      { id: 'a', result: info },
      failed(null, -32_600, 'request'),
      failed('b', -32_601, 'method'),
    ]);
  });
});

describe('a mistake of ours', () => {
  test('is logged, and the client is told nothing of it but the command id to repeat with', async () => {
    const { url } = await serve();
    const client = await rawClient(url);
    const params = { id: '5c6f1d2e-0000-4000-8000-000000000001', commandId: 'mine' };
    const reply = await client.ask(request('loadBalancer.delete', params));
    expect(reply).toMatchObject({ error: { code: -32_603, data: { code: 'internal', commandId: 'mine' } } });
    expect(JSON.stringify(reply)).not.toContain('secret');
    expect(mistakes).toMatchObject([{ err: new Error('a secret detail'), method: 'loadBalancer.delete' }]);
  });
});

describe('bounds', () => {
  test('a message that is too big ends its connection with 1009, and no other', async () => {
    const { url } = await serve({}, { maxMessageBytes: 2_000 });
    const [greedy, other] = [await rawClient(url), await rawClient(url)];
    greedy.socket.send('x'.repeat(2_001));
    expect((await greedy.closed)[0]).toBe(1009);
    expect(await other.ask(request('server.info'))).toMatchObject({ result: info });
  });

  test('calls beyond those that may be in flight are answered busy, and the others all the same', async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const { url } = await serve({ 'server.info': () => gate.then(() => info) }, { maxInFlight: 2 });
    const client = await connectCommandChannel({ url, token });
    undo.push(() => client.close());
    const calls = [client.call('server.info'), client.call('server.info')];
    await expect(client.call('server.info')).rejects.toMatchObject({ code: 'busy', data: { retryAfterMs: 200 } });
    release();
    expect(await Promise.all(calls)).toEqual([info, info]);
    expect(await client.call('server.info')).toEqual(info);
  });

  test('a call without an answer in time is answered unavailable, with the command id', async () => {
    let wasAborted = false;
    const { url } = await serve(
      {
        'loadBalancer.delete': (_, { signal }) =>
          new Promise(() => signal.addEventListener('abort', () => (wasAborted = true))),
      },
      { deadlineMs: 50 },
    );
    const client = await connectCommandChannel({ url, token });
    undo.push(() => client.close());
    const params = { id: '5c6f1d2e-0000-4000-8000-000000000001', commandId: 'mine' };
    await expect(client.call('loadBalancer.delete', params)).rejects.toMatchObject({
      code: 'unavailable',
      data: { commandId: 'mine' },
    });
    expect(wasAborted).toBe(true);
  });

  test('connections beyond the bound are refused with 503', async () => {
    const { url } = await serve({}, { maxConnections: 1 });
    await rawClient(url);
    await expect(connectCommandChannel({ url, token })).rejects.toThrow('HTTP status 503');
  });

  test('a client that answers no ping is disconnected', async () => {
    const { url } = await serve({}, { pingMs: 30 });
    const other = await connectCommandChannel({ url, token });
    undo.push(() => other.close());
    const mute = new WebSocket(url, { headers: { authorization: `Bearer ${token}` }, autoPong: false });
    undo.push(() => mute.terminate());
    expect((await once(mute, 'close'))[0]).toBe(1006);
    expect(await other.call('server.info')).toEqual(info);
  });

  test('a subscriber that does not read loses notifications, is told how many, and gets every reply', async () => {
    let peer: Peer | undefined;
    const { url } = await serve(
      {
        'status.subscribe': async (_, context) => {
          peer = context.peer;
          return { subscribed: true };
        },
      },
      { maxBuffered: 100_000 },
    );
    const client = await rawClient(url);
    await client.ask(request('status.subscribe'));
    const socket = (client.socket as unknown as { _socket: Socket })._socket;
    socket.pause();
    client.socket.send(request('server.info', {}, 'during'));
    const filler = 'x'.repeat(10_000);
    const sent = 3_000;
    for (let count = 0; count < sent; count++) peer?.notify('status.changed', { count, filler });
    socket.resume();
    const gap = await waitFor(
      () => client.replies.find((reply) => (reply as { method?: string }).method === 'status.gap'),
      { describe: 'the report of the gap' },
    );
    const { dropped } = (gap as { params: { dropped: number } }).params;
    const arrived = client.replies.filter((reply) => (reply as { method?: string }).method === 'status.changed').length;
    expect(dropped).toBeGreaterThan(0);
    expect(arrived + dropped).toBe(sent);
    await waitFor(() => client.replies.some((reply) => (reply as { id?: string }).id === 'during'), {
      describe: 'the reply',
    });
  });
});

describe('who may connect', () => {
  test.each([
    ['a wrong token', { authorization: 'Bearer wrong' }],
    ['no token', {}],
    ['another scheme', { authorization: `Basic ${token}` }],
  ])('%s is refused with 401 on both channels and on /metrics', async (_, headers) => {
    const { url, server } = await serve();
    for (const path of ['/command', '/inspect']) {
      const socket = new WebSocket(url.replace('/command', path), { headers });
      undo.push(() => socket.terminate());
      expect(await once(socket, 'error')).toMatchObject([{ message: 'Unexpected server response: 401' }]);
    }
    const response = await fetch(`http://127.0.0.1:${server.port}/metrics`, { headers });
    expect(response.status).toBe(401);
  });

  test('without a token everybody on this machine may, except web pages', async () => {
    const { url } = await serve({}, {}, null);
    const client = await connectCommandChannel({ url });
    undo.push(() => client.close());
    expect(await client.call('server.info')).toEqual(info);
    const page = new WebSocket(url, { origin: 'http://evil.example' });
    undo.push(() => page.terminate());
    expect(await once(page, 'error')).toMatchObject([{ message: 'Unexpected server response: 401' }]);
  });

  test('nothing listens beyond loopback without a token', async () => {
    const options = {
      port: 0,
      token: undefined,
      command: {} as never,
      inspect: {} as never,
      metrics: new Registry(),
      unready: async () => [],
      log: { error: () => undefined },
    };
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org']) {
      await expect(startControlServer({ ...options, host })).rejects.toThrow(`control.host is ${host}`);
    }
  });
});

describe('the HTTP side', () => {
  test('says whether it lives and whether it serves, and what is where', async () => {
    const { server } = await serve();
    const get = (path: string) => fetch(`http://127.0.0.1:${server.port}${path}`);
    expect((await get('/healthz')).status).toBe(200);
    const ready = await get('/readyz');
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'unready', reasons: ['the database is away'] }]);
    expect(await (await get('/')).text()).toContain('/command');
  });

  test('an occupied port is named', async () => {
    const { server } = await serve();
    await expect(
      startControlServer({
        host: '127.0.0.1',
        port: server.port,
        token,
        command: {} as never,
        inspect: {} as never,
        metrics: new Registry(),
        unready: async () => [],
        log: { error: () => undefined },
      }),
    ).rejects.toThrow(
      `control.port: cannot listen on 127.0.0.1 port ${server.port}: another process listens there already`,
    );
  });

  test('bytes that are no HTTP hurt nobody', async () => {
    const { server, url } = await serve();
    const socket = connect(server.port, '127.0.0.1');
    undo.push(() => socket.destroy());
    socket.on('error', () => undefined).resume();
    socket.write(Buffer.from('\x16\x03\x01\x02\x00garbage\r\n\r\n'));
    await once(socket, 'close');
    for (const path of ['//', '/constructor', '/command/x', 'http://[']) {
      const upgrade = connect(server.port, '127.0.0.1');
      undo.push(() => upgrade.destroy());
      upgrade.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
      expect(String((await once(upgrade, 'data'))[0])).toMatch(/^HTTP\/1\.1 404 /);
    }
    const client = await connectCommandChannel({ url, token });
    undo.push(() => client.close());
    expect(await client.call('server.info')).toEqual(info);
  });
});
