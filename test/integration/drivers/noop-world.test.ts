import { randomUUID } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type HeartbeatMessage, parseMessage } from '../../../src/domain/health/message.ts';
import { openPacket } from '../../../src/domain/health/packet.ts';
import type { AmphoraId, DeploymentId, LoadBalancerId } from '../../../src/domain/ids.ts';
import { noopAmphora } from '../../../src/drivers/amphora/noop/driver.ts';
import { noopCompute } from '../../../src/drivers/compute/noop/driver.ts';
import { noopNetwork } from '../../../src/drivers/network/noop/driver.ts';
import { WorldClient } from '../../../src/drivers/noop-world/client.ts';
import type { CallRecord } from '../../../src/drivers/noop-world/protocol.ts';
import { type StartedWorld, startNoopWorld } from '../../../src/drivers/noop-world/start.ts';
import { built } from '../../support/built.ts';
import { isRunning, processes } from '../../support/processes.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const main = built('drivers/noop-world/main.js');
const folder = tempFolder('noop');
const logFile = join(folder, 'calls.log');
const start = processes();
const signal = new AbortController().signal;
const deploymentId = randomUUID() as DeploymentId;
let started: StartedWorld;
let world: WorldClient;

beforeAll(async () => {
  started = await startNoopWorld({ logFile, main });
  world = new WorldClient({ address: started.address, node: 'node-1', epoch: () => 7 });
});
afterEach(() => world.control('behaveWell', {}));
afterAll(async () => {
  await world.close();
  await started.stop();
});

const newId = (): AmphoraId => randomUUID() as AmphoraId;
const compute = () => noopCompute(world, deploymentId);
const records = (): CallRecord[] =>
  readFileSync(logFile, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as CallRecord);
const recordsOf = (key: string): CallRecord[] => records().filter((record) => record.key === key);

async function amphora(files: Record<string, string> = {}): Promise<AmphoraId> {
  const amphoraId = newId();
  await compute().create({ amphoraId, deploymentId, files }, signal);
  return amphoraId;
}

function serve(amphoraId: AmphoraId, configuration: string | null) {
  const address = { amphoraId, endpoint: { host: 'x', port: 1 } };
  const port = { subnetCidr: '10.0.0.0/8', gateway: null, macAddress: 'x', vrrpAddress: 'x', portId: null, mtu: null };
  const loadBalancerId = 'a2f3c0de-0000-4000-8000-000000000001' as LoadBalancerId;
  return noopAmphora(world).serve(
    address,
    { loadBalancerId, vipAddress: '10.0.0.9', port, configuration, files: [], lvs: null },
    signal,
  );
}

describe('the log of calls', () => {
  test('holds every call with node, epoch, key and time', async () => {
    const before = Date.now();
    const amphoraId = await amphora();
    const [record] = await waitFor(() => recordsOf(amphoraId), { describe: 'the record' });
    expect(record).toMatchObject({ node: 'node-1', epoch: 7, call: 'compute.create', key: amphoraId, result: 'ok' });
    expect(record?.at).toBeGreaterThanOrEqual(before);
  });

  test('names the amphorae that have the same VIP at the same time', async () => {
    const [one, other] = [await amphora(), await amphora()];
    const loadBalancerId = randomUUID() as LoadBalancerId;
    const vip = { portId: 'p', address: '10.1.1.1', subnetId: 's', networkId: 'n' };
    for (const amphoraId of [one, other]) {
      const policy = { qosPolicyId: null, securityGroupIds: [] };
      await world.call(
        'network.plugVip',
        { loadBalancerId, amphoraId, computeId: 'c', agentHost: 'h', vip, policy },
        signal,
      );
    }
    const shared = await waitFor(() => recordsOf(other).find(({ call }) => call === 'network.plugVip'), {
      describe: 'plug',
    });
    expect(shared.sharedWith).toEqual([one]);
  });
});

describe('a world that is told to misbehave', () => {
  test('fails the next n calls, without effect, and then goes on', async () => {
    await world.control('behave', { call: 'compute.create', fault: 'fail', next: 2 });
    const amphoraId = newId();
    const create = () => compute().create({ amphoraId, deploymentId, files: {} }, signal);
    await expect(create()).rejects.toMatchObject({ name: 'TransientFailure' });
    expect(await compute().get(amphoraId, signal)).toBeUndefined();
    await expect(create()).rejects.toMatchObject({ name: 'TransientFailure' });
    expect(await create()).toMatchObject({ status: 'ACTIVE' });
  });

  test('refuses calls for good', async () => {
    await world.control('behave', { call: '*', fault: 'refuse', next: 1 });
    await expect(compute().list(signal)).rejects.toMatchObject({ name: 'PermanentFailure' });
  });

  test.each([
    ['hang', false],
    ['loseAnswer', true],
  ] as const)('%s: no answer; had an effect: %s', async (fault, effect) => {
    await world.control('behave', { call: 'compute.create', fault, next: 1 });
    const amphoraId = newId();
    const controller = new AbortController();
    const call = compute().create({ amphoraId, deploymentId, files: {} }, controller.signal);
    await waitFor(() => recordsOf(amphoraId)[0], { describe: 'the call to arrive' });
    controller.abort();
    await expect(call).rejects.toMatchObject({ name: 'TransientFailure' });
    expect((await compute().get(amphoraId, signal)) !== undefined).toBe(effect);
  });

  test('fails after the effect', async () => {
    await world.control('behave', { call: 'compute.create', fault: 'failAfter', next: 1 });
    const amphoraId = newId();
    await expect(compute().create({ amphoraId, deploymentId, files: {} }, signal)).rejects.toThrow(/after the effect/);
    expect(await compute().get(amphoraId, signal)).toBeDefined();
  });

  test('fails with the same luck after the same seed', async () => {
    const luck = async (): Promise<boolean[]> => {
      await world.control('seed', { seed: 42 });
      const calls = Array.from({ length: 30 }, () => compute().list(signal));
      return (await Promise.allSettled(calls)).map(({ status }) => status === 'fulfilled');
    };
    await world.control('behave', { call: 'compute.list', fault: 'fail', probability: 0.5 });
    const first = await luck();
    expect(new Set(first).size).toBe(2);
    expect(await luck()).toEqual(first);
  });

  test('is slow for one amphora only', async () => {
    const [slow, quick] = [await amphora(), await amphora()];
    await world.control('behave', { call: 'compute.get', key: slow, latency: { from: 150, to: 200 } });
    const order: string[] = [];
    const get = async (amphoraId: AmphoraId) => order.push((await compute().get(amphoraId, signal))?.amphoraId ?? '');
    await Promise.all([get(slow), get(quick)]);
    expect(order).toEqual([quick, slow]);
  });

  test('refuses a configuration with the line that matches, and keeps the one before', async () => {
    const amphoraId = await amphora();
    expect(await serve(amphoraId, 'frontend a\n')).toEqual({ accepted: true });
    await world.control('refuseConfigurations', { pattern: 'poison' });
    const refusal = await serve(amphoraId, 'frontend a\n  poison here\n');
    expect(refusal).toEqual({ accepted: false, reason: expect.stringContaining("[haproxy.cfg:2] : 'poison here'") });
    const { instances } = await world.control('state', {});
    expect(Object.values(instances.find((one) => one.amphoraId === amphoraId)?.configurations ?? {})).toEqual([
      'frontend a\n',
    ]);
  });

  test('takes its time to boot', async () => {
    await world.control('bootTime', { ms: 100 });
    const amphoraId = await amphora();
    await world.control('bootTime', { ms: 0 });
    expect(await compute().get(amphoraId, signal)).toMatchObject({ status: 'BUILD' });
    const booted = async () => (await compute().get(amphoraId, signal))?.status === 'ACTIVE';
    await waitFor(booted, { describe: 'the instance to boot' });
  });
});

describe('heartbeats', () => {
  const key = 'a-heartbeat-key-of-the-test';
  let socket: Socket;
  let port: number;
  const received: HeartbeatMessage[] = [];
  const from = (amphoraId: string) => received.filter((message) => message.id === amphoraId);

  beforeAll(async () => {
    socket = createSocket('udp4');
    socket.on('message', (datagram) => {
      const stream = openPacket(datagram, [key])?.stream;
      const message = stream && parseMessage(JSON.parse(inflateSync(stream).toString()));
      if (message !== undefined) received.push(message);
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    port = socket.address().port;
  });
  afterAll(() => new Promise<void>((resolve) => socket.close(() => resolve())));

  function beating(): Promise<AmphoraId> {
    const section = `controller_ip_port_list = 127.0.0.1:${port}\nheartbeat_key = ${key}\nheartbeat_interval = 0.05\n`;
    return amphora({
      'amphora-agent.conf': `[DEFAULT]\ndebug = False\n[health_manager]\n${section}[amphora_agent]\nx = 1\n`,
    });
  }

  test('are signed, counted, and report what the configuration holds', async () => {
    const amphoraId = await beating();
    await waitFor(() => from(amphoraId).length >= 2, { describe: 'two heartbeats' });
    expect(from(amphoraId).slice(0, 2)).toMatchObject([
      { seq: 0, listeners: {}, pools: {}, ver: 3 },
      { seq: 1, listeners: {}, pools: {}, ver: 3 },
    ]);
    const servers =
      'server m1 10.0.0.1:80 weight 1 check\n  server m2 10.0.0.2:80 weight 0 check\n  server m3 10.0.0.3:80 disabled\n';
    await serve(
      amphoraId,
      `frontend l1\n  bind 10.0.0.9:80\nbackend p1:l1\n  ${servers}  server m4 10.0.0.4:80 weight 1\n`,
    );
    const report = await waitFor(() => from(amphoraId).find(({ listeners }) => 'l1' in listeners), {
      describe: 'a report',
    });
    expect(report.listeners['l1']?.status).toBe('OPEN');
    expect(report.pools).toEqual({
      'p1:l1': { status: 'UP', members: { m1: 'UP', m2: 'DRAIN', m3: 'MAINT', m4: 'no check' } },
    });
  });

  test.each([
    ['silenced', (amphoraId: AmphoraId) => world.control('silence', { amphoraId, silent: true }), 'ACTIVE'],
    ['killed', (amphoraId: AmphoraId) => world.control('kill', { amphoraId }), 'STOPPED'],
  ])('end when the amphora is %s', async (_, end, status) => {
    const [amphoraId, witness] = [await beating(), await beating()];
    await waitFor(() => from(amphoraId).length > 0, { describe: 'a heartbeat' });
    await end(amphoraId);
    const before = from(amphoraId).length;
    const seen = from(witness).length;
    await waitFor(() => from(witness).length >= seen + 5, { describe: 'five heartbeats of another amphora' });
    // One may have been on its way when the world was told.
    expect(from(amphoraId).length - before).toBeLessThanOrEqual(1);
    expect(await compute().get(amphoraId, signal)).toMatchObject({ status });
  });
});

describe('the process', () => {
  test('ends when the one that started it is killed', async () => {
    const script = `const { startNoopWorld } = await import(${JSON.stringify(built('drivers/noop-world/start.js'))});
      console.log((await startNoopWorld({})).pid); setInterval(() => undefined, 1000);`;
    const starter = start(process.execPath, ['--input-type=module', '-e', script]);
    const pid = Number((await starter.prints(/^(\d+)$/m))[1]);
    expect(isRunning(pid)).toBe(true);
    starter.kill('SIGKILL');
    await starter.ended;
    await waitFor(() => !isRunning(pid), { describe: 'the world to end' });
  });

  test('survives a client that speaks another language', async () => {
    const socket = connect(Number(started.address.split(':')[1]), '127.0.0.1');
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await closed;
    expect(await compute().list(signal)).toBeDefined();
  });

  test('that is gone is a transient failure, and found again when it is back', async () => {
    const first = await startNoopWorld({ main });
    const client = new WorldClient({ address: first.address, node: 'n' });
    await client.call('network.subnets', {}, signal);
    await first.stop();
    await expect(client.call('network.subnets', {}, signal)).rejects.toMatchObject({ name: 'TransientFailure' });
    const port = Number(first.address.split(':')[1]);
    const second = await startNoopWorld({ main, port });
    expect(await client.call('network.subnets', {}, signal)).toHaveLength(2);
    await client.close();
    await second.stop();
  });
});

describe('a boundless world', () => {
  let boundless: StartedWorld;
  let client: WorldClient;
  beforeAll(async () => {
    boundless = await startNoopWorld({ main, isBoundless: true });
    client = new WorldClient({ address: boundless.address, node: 'n' });
  });
  afterAll(async () => {
    await client.close();
    await boundless.stop();
  });

  const nothing = { subnetId: null, networkId: null, portId: null, address: null };
  const newLoadBalancer = (): LoadBalancerId => randomUUID() as LoadBalancerId;

  test('has every subnet that is named, of IPv4 and IPv6, in the network that is named with it', async () => {
    const network = noopNetwork(client);
    for (const address of ['198.18.33.33', '2001:db8:33::33', null]) {
      const [subnetId, networkId] = [randomUUID(), randomUUID()];
      const place = await network.resolveVip({ ...nothing, subnetId, networkId, address }, signal);
      expect(place).toEqual({ ok: true, subnetId, networkId, address });
      const vip = await network.allocateVip(
        { loadBalancerId: newLoadBalancer(), subnetId, address, taken: [] },
        signal,
      );
      expect(vip).toMatchObject({ subnetId, networkId, address: address ?? expect.stringMatching(/^10\./) });
    }
  });

  test('has one subnet of a network that is named alone, and one network of such a subnet', async () => {
    const network = noopNetwork(client);
    for (const named of [{ subnetId: randomUUID() }, { networkId: randomUUID() }]) {
      const place = await network.resolveVip({ ...nothing, ...named }, signal);
      expect(place).toMatchObject({ ok: true, ...named });
      expect(await network.resolveVip({ ...nothing, ...named }, signal)).toEqual(place);
    }
  });

  test('grants an address once in a network, and refuses what is none', async () => {
    const network = noopNetwork(client);
    const granted = async (networkId: string) => {
      const subnetId = randomUUID();
      await network.resolveVip({ ...nothing, subnetId, networkId }, signal);
      const request = { loadBalancerId: newLoadBalancer(), subnetId, address: '198.18.0.1', taken: [] };
      return network.allocateVip(request, signal);
    };
    const one = randomUUID();
    await granted(one);
    await expect(granted(one)).rejects.toThrow('198.18.0.1 is in use');
    expect(await granted(randomUUID())).toMatchObject({ address: '198.18.0.1' });
    const wrong = { ...nothing, subnetId: randomUUID(), address: 'nowhere' };
    expect(await network.resolveVip(wrong, signal)).toMatchObject({ ok: false, field: 'vipAddress' });
  });

  test('still has its own two subnets, with their bounds', async () => {
    const network = noopNetwork(client);
    const [{ id: subnetId } = { id: '' }] = await network.subnets(signal);
    const outside = { ...nothing, subnetId, address: '198.18.0.1' };
    expect(await network.resolveVip(outside, signal)).toMatchObject({ ok: false, field: 'vipAddress' });
  });
});

describe('machines of the world', () => {
  afterEach(() => world.control('hosts', { count: 0 }));

  const made = async (apart?: { readonly from: AmphoraId; readonly isHard: boolean }) => {
    const amphoraId = newId();
    const apartFrom = apart === undefined ? {} : { apartFrom: { amphorae: [apart.from], isHard: apart.isHard } };
    const { place } = await compute().create({ amphoraId, deploymentId, files: {}, ...apartFrom }, signal);
    return { amphoraId, host: place?.host };
  };

  test('are not shared with whom an instance is to be apart from, while there is another one', async () => {
    await world.control('hosts', { count: 2 });
    const one = await made();
    for (const isHard of [true, false]) expect((await made({ from: one.amphoraId, isHard })).host).not.toBe(one.host);
  });

  test('are shared where there is no other one, unless that must not be', async () => {
    await world.control('hosts', { count: 1 });
    const one = await made();
    expect((await made({ from: one.amphoraId, isHard: false })).host).toBe(one.host);
    await expect(made({ from: one.amphoraId, isHard: true })).rejects.toThrow('no host is apart from the others');
  });
});
