// UDP through a real agent, told by the REST driver what to serve.
import { type Socket, createSocket } from 'node:dgram';
import { beforeAll, expect, test } from '@jest/globals';
import { type LoadBalancerId, deriveId } from '../../../src/domain/ids.ts';
import { renderLvs } from '../../../src/domain/lvs/render.ts';
import type { AmphoraDriver, ServeResult } from '../../../src/drivers/amphora/driver.ts';
import { createRestAmphoraDriver } from '../../../src/drivers/amphora/rest/rest.ts';
import { type TestAgent, randomVip, useTestAgents } from '../../support/agent.ts';
import type { HeartbeatReceiver } from '../../support/heartbeats.ts';
import { type TreeParts, servedTree } from '../../support/served-tree.ts';
import { undoAfterEach } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

const loadBalancerId = deriveId<LoadBalancerId>('udp-test');
const listenerId = deriveId('listener');
const poolId = deriveId('pool');

const undo = undoAfterEach();
const agents = useTestAgents('udp', undo);
let driver: AmphoraDriver;
beforeAll(() => {
  driver = createRestAmphoraDriver({
    credentials: agents.certificates.controllerCredentials(),
    connectTimeoutMs: 2000,
    readTimeoutMs: 5000,
  });
});

interface Amphora {
  readonly agent: TestAgent;
  readonly vip: string;
  readonly heartbeats: HeartbeatReceiver;
}

async function amphora(): Promise<Amphora> {
  return { ...(await agents.start()), vip: randomVip() };
}

async function socketAt(address: string, port = 0): Promise<Socket> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(port, address, resolve));
  return socket;
}

const closed = (socket: Socket): Promise<void> => new Promise((resolve) => void socket.close(() => resolve()));

/** A member that answers every datagram with its name and what it got. */
async function member(name: string): Promise<{ readonly port: number; readonly socket: Socket }> {
  const socket = await socketAt('127.0.0.1');
  socket.on('message', (packet, from) => socket.send(`${name} ${packet.toString()}`, from.port, from.address));
  return { port: socket.address().port, socket };
}

/** What comes back for a datagram, from one socket; undefined when nothing does. */
async function ask({ vip }: Amphora, from: Socket, word: string): Promise<string | undefined> {
  const answer = new Promise<string | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), 2000);
    from.once('message', (packet) => {
      clearTimeout(timer);
      resolve(packet.toString());
    });
  });
  from.send(word, 5300, vip);
  return answer;
}

async function client(address = '127.0.0.1'): Promise<Socket> {
  const socket = await socketAt(address);
  undo.push(() => closed(socket));
  return socket;
}

function serve({ agent, vip }: Amphora, parts: TreeParts | null): Promise<ServeResult> {
  const tree = servedTree({
    loadBalancerId,
    vipAddresses: [vip],
    ...parts,
    listener: { protocol: 'UDP', protocolPort: 5300, ...parts?.listener },
    pool: { protocol: 'UDP', ...parts?.pool },
  });
  const request = {
    loadBalancerId,
    vipAddress: vip,
    port: {
      subnetCidr: '127.90.0.0/16',
      gateway: null,
      macAddress: 'fa:16:3e:00:00:01',
      vrrpAddress: vip,
      portId: null,
      mtu: null,
    },
    configuration: null,
    files: [],
    lvs: parts === null ? [] : renderLvs(tree),
  };
  return driver.serve(agent.address, request, new AbortController().signal);
}

const at = (port: number, more: object = {}) => ({ address: '127.0.0.1', protocolPort: port, ...more });
const words = ({ heartbeats }: Amphora) => heartbeats.messages.at(-1)?.pools[poolId]?.members ?? {};

test('clients are shared out among members, keep theirs, and are counted; afterwards nobody answers', async () => {
  const [it, one, two] = await Promise.all([amphora(), member('one'), member('two')]);
  undo.push(() => Promise.all([closed(one.socket), closed(two.socket)]));
  expect(await serve(it, { members: [at(one.port), at(two.port)] })).toEqual({ accepted: true });
  const clients = await Promise.all(Array.from({ length: 4 }, () => client()));
  const first: (string | undefined)[] = [];
  for (const socket of clients) first.push(await ask(it, socket, 'a'));
  expect(first).toEqual(['one a', 'two a', 'one a', 'two a']);
  const again = await Promise.all(clients.map((socket) => ask(it, socket, 'b')));
  expect(again).toEqual(first.map((text) => text?.replace(' a', ' b')));
  await waitFor(() => it.heartbeats.total(listenerId, 'totconns') === 4, { describe: 'four clients to be counted' });
  const bytes = () => [it.heartbeats.total(listenerId, 'rx'), it.heartbeats.total(listenerId, 'tx')].join(' in, ');
  await waitFor(() => bytes() === `8 in, ${8 * 'one a'.length}`, { describe: 'all bytes to be counted' });
  expect(words(it)).toEqual({ [deriveId('member', 0)]: 'no check', [deriveId('member', 1)]: 'no check' });

  expect(await serve(it, null)).toEqual({ accepted: true });
  expect((await it.agent.call('GET', `/1.0/listeners/${listenerId}/udp_listener`)).status).toBe(404);
  expect(await ask(it, clients[0] ?? (await client()), 'c')).toBeUndefined();
});

test('a member that refuses is found down and left out, and is back when it answers', async () => {
  const [it, one, two] = await Promise.all([amphora(), member('one'), member('two')]);
  undo.push(() => closed(one.socket));
  const healthMonitor = { type: 'UDP-CONNECT', delay: 1, timeout: 1, maxRetriesDown: 1 } as const;
  await serve(it, { members: [at(one.port), at(two.port)], healthMonitor });
  await closed(two.socket);
  const downs = () => Object.values(words(it)).toSorted().join();
  await waitFor(() => downs() === 'DOWN,UP', { describe: 'the second member to be down' });
  for (let round = 0; round < 4; round++) expect(await ask(it, await client(), 'x')).toBe('one x');
  const back = await socketAt('127.0.0.1', two.port);
  undo.push(() => closed(back));
  await waitFor(() => downs() === 'UP,UP', { describe: 'the second member to be up' });
});

test('clients of one network are one client for as long as they are remembered; weight 0 takes no new ones', async () => {
  const [it, one, two] = await Promise.all([amphora(), member('one'), member('two')]);
  undo.push(() => Promise.all([closed(one.socket), closed(two.socket)]));
  const sessionPersistence = {
    type: 'SOURCE_IP',
    cookieName: null,
    persistenceTimeout: 600,
    persistenceGranularity: '255.255.255.0',
  } as const;
  await serve(it, { members: [at(one.port), at(two.port)], pool: { sessionPersistence } });
  const near = await Promise.all([1, 2, 3].map((host) => client(`127.0.7.${host}`)));
  const answers: (string | undefined)[] = [];
  for (const socket of near) answers.push(await ask(it, socket, 'x'));
  expect(new Set(answers)).toEqual(new Set(['one x']));
  await serve(it, { members: [at(one.port, { weight: 0 }), at(two.port)], pool: { sessionPersistence } });
  expect(await ask(it, await client('127.0.7.9'), 'y')).toBe('one y');
  expect(await ask(it, await client('127.0.8.1'), 'y')).toBe('two y');
  await waitFor(() => words(it)[deriveId('member', 0)] === 'DRAIN', { describe: 'the drained member to be reported' });
});

test('an agent that is killed serves again when it is started, by the configuration it had', async () => {
  const [it, one] = await Promise.all([amphora(), member('one')]);
  undo.push(() => closed(one.socket));
  await serve(it, { members: [at(one.port)] });
  expect(await ask(it, await client(), 'x')).toBe('one x');
  await it.agent.stop('SIGKILL');
  await it.agent.start();
  expect(await ask(it, await client(), 'y')).toBe('one y');
});

test('SCTP, and a port that somebody else has, are refused with the reason', async () => {
  const it = await amphora();
  const sctp = await serve(it, { listener: { protocol: 'SCTP' }, pool: { protocol: 'SCTP' } });
  expect(sctp).toEqual({ accepted: false, reason: expect.stringContaining('balances UDP only') });
  const other = await socketAt(it.vip, 5300);
  expect(await serve(it, {})).toEqual({ accepted: false, reason: expect.stringContaining('EADDRINUSE') });
  await closed(other);
  expect(await serve(it, {})).toEqual({ accepted: true });
});
