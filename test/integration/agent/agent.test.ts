// The amphora agent as a real process with a real haproxy.
import { type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { renderHaproxy } from '../../../src/domain/haproxy/render.ts';
import { type AmphoraId, deriveId } from '../../../src/domain/ids.ts';
import { createRestAmphoraDriver } from '../../../src/drivers/amphora/rest/rest.ts';
import { type TestAgent, heartbeatKey, randomVip, useTestAgents } from '../../support/agent.ts';
import { type HeartbeatReceiver, heartbeatReceiver } from '../../support/heartbeats.ts';
import { isRunning, processes } from '../../support/processes.ts';
import { servedTree } from '../../support/served-tree.ts';
import { undoAfterEach } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

const startProcess = processes();
const loadBalancerId = deriveId<AmphoraId>('agent-test');
const listenerId = deriveId('listener');
const poolKey = `${deriveId('pool')}:${listenerId}`;

const undo = undoAfterEach();
const agents = useTestAgents('agent', undo);

interface Amphora {
  readonly agent: TestAgent;
  readonly vip: string;
  readonly heartbeats: HeartbeatReceiver;
  readonly member: Server;
  /** Answers to `/slow` that the member has not given yet. */
  readonly slow: readonly ServerResponse[];
  configuration(more?: string): string;
}

/** An agent with a heartbeat receiver and one member that answers `hello`. */
async function amphora(): Promise<Amphora> {
  const slow: ServerResponse[] = [];
  const member = createServer((request, response) => {
    if (request.url === '/slow') slow.push(response.writeHead(200));
    else response.end('hello');
  });
  await new Promise<void>((resolve) => member.listen(0, '127.0.0.1', resolve));
  undo.push(() => {
    member.closeAllConnections();
    return new Promise((resolve) => member.close(resolve));
  });
  const { agent, heartbeats } = await agents.start();
  const memberPort = (member.address() as AddressInfo).port;
  const vip = randomVip();
  return {
    agent,
    vip,
    heartbeats,
    member,
    slow,
    configuration: (more = '') =>
      (renderHaproxy(
        servedTree({
          loadBalancerId,
          vipAddresses: [vip],
          listener: { protocolPort: 8080 },
          members: [{ address: '127.0.0.1', protocolPort: memberPort }],
          healthMonitor: { delay: 1, maxRetriesDown: 1 },
        }),
      ) ?? '') + more,
  };
}

async function serve({ agent }: Amphora, configuration: string): Promise<number> {
  const path = `/1.0/loadbalancer/${agent.address.amphoraId}/${loadBalancerId}/haproxy`;
  expect((await agent.call('PUT', path, configuration)).status).toBe(202);
  return (await agent.call('PUT', `/1.0/loadbalancer/${loadBalancerId}/reload`)).status;
}

/** One request on a connection of its own. */
async function get({ vip }: Amphora): Promise<string> {
  const response = await fetch(`http://${vip}:8080/`, { headers: { connection: 'close' } });
  return response.text();
}

describe('serving', () => {
  test('reloads drop no connection and refuse none', async () => {
    const it = await amphora();
    await serve(it, it.configuration());
    const inFlight = fetch(`http://${it.vip}:8080/slow`).then((response) => response.text());
    await waitFor(() => it.slow.length > 0, { describe: 'the slow request to arrive' });
    let [answered, failed] = [0, 0];
    let going = true;
    const load = (async () => {
      while (going)
        await get(it).then(
          () => answered++,
          () => failed++,
        );
    })();
    const statuses: number[] = [];
    for (let round = 0; round < 4; round++) statuses.push(await serve(it, it.configuration(`# round ${round}\n`)));
    going = false;
    await load;
    expect(statuses).toEqual([202, 202, 202, 202]);
    expect(failed).toBe(0);
    expect(answered).toBeGreaterThan(20);
    it.slow[0]?.end('at last');
    expect(await inFlight).toBe('at last');
  });

  test('a health check asks for what the user wrote, however strange', async () => {
    const it = await amphora();
    const urlPath = String.raw`/a b'c"d#e\f$HOME%41?g=${'${h}'}&é`;
    const tree = servedTree({
      loadBalancerId,
      vipAddresses: [it.vip],
      members: [{ address: '127.0.0.1', protocolPort: (it.member.address() as AddressInfo).port }],
      listener: { protocolPort: 8080 },
      healthMonitor: { delay: 1, urlPath, httpVersion: 1.1, domainName: 'a%b.example' },
    });
    const seen = new Promise<unknown>((resolve) => {
      it.member.on('request', ({ method, url, headers }) => resolve([method, url, headers.host]));
    });
    expect(await serve(it, renderHaproxy(tree) ?? '')).toBe(202);
    const asSent = String.raw`/a%20b'c"d#e\f$HOME%41?g=${'${h}'}&%C3%A9`;
    expect(await seen).toEqual(['GET', asSent, 'a%b.example']);
  });

  test('a reload that finds a port taken interrupts nothing', async () => {
    const it = await amphora();
    await serve(it, it.configuration());
    const stranger = createServer();
    await new Promise<void>((resolve) => stranger.listen(8081, it.vip, resolve));
    undo.push(() => new Promise((resolve) => stranger.close(resolve)));
    let going = true;
    let failed = 0;
    const load = (async () => {
      while (going) await get(it).catch(() => failed++);
    })();
    const taken = it.configuration().replace(`bind ${it.vip}:8080`, `bind ${it.vip}:8080\n    bind ${it.vip}:8081`);
    const status = await serve(it, taken);
    going = false;
    await load;
    expect(status).toBe(500);
    expect(failed).toBe(0);
  });

  test('a haproxy that is killed comes back', async () => {
    const it = await amphora();
    await serve(it, it.configuration());
    const before = it.agent.haproxies();
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await waitFor(() => get(it), { describe: 'the VIP to answer again' });
    expect(it.agent.haproxies().filter((pid) => before.includes(pid))).toEqual([]);
  });

  test('an agent that was killed serves again, and ends the haproxy it left behind', async () => {
    const it = await amphora();
    await serve(it, it.configuration());
    const left = it.agent.haproxies();
    await it.agent.stop('SIGKILL');
    expect(await get(it)).toBe('hello');
    await it.agent.start();
    expect(left.filter(isRunning)).toEqual([]);
    expect(await get(it)).toBe('hello');
  });

  test('a pid file that names a stranger does that one no harm', async () => {
    const it = await amphora();
    await serve(it, it.configuration());
    await it.agent.stop();
    const stranger = startProcess(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    writeFileSync(join(it.agent.root, 'lib/octavia', loadBalancerId, `${loadBalancerId}.pid`), `${stranger.pid}\n`);
    await it.agent.start();
    expect(await get(it)).toBe('hello');
    expect(isRunning(stranger.pid)).toBe(true);
    stranger.kill('SIGKILL');
    await stranger.ended;
  });

  test('a stop ends haproxy for good and a start begins anew', async () => {
    const it = await amphora();
    await serve(it, it.configuration());
    expect((await it.agent.call('PUT', `/1.0/loadbalancer/${loadBalancerId}/stop`)).text).toContain('stoped');
    await expect(get(it)).rejects.toThrow();
    expect((await it.agent.call('PUT', `/1.0/loadbalancer/${loadBalancerId}/start`)).status).toBe(202);
    expect(await get(it)).toBe('hello');
  });
});

describe('heartbeats', () => {
  test('begin at once, are numbered from 0, and are signed', async () => {
    const { heartbeats } = await amphora();
    await waitFor(() => heartbeats.messages.length >= 3, { describe: 'three heartbeats' });
    expect(heartbeats.messages.slice(0, 3).map(({ seq }) => seq)).toEqual([0, 1, 2]);
    expect(heartbeats.messages[0]).toMatchObject({ listeners: {}, pools: {}, ver: 3 });
    expect(heartbeats.bad).toEqual([]);
  });

  test('count each connection once, over reloads, restarts and a kill of the agent', async () => {
    const it = await amphora();
    const { heartbeats } = it;
    const counted = (connections: number): Promise<unknown> =>
      waitFor(() => heartbeats.total(listenerId, 'totconns') >= connections, {
        describe: `${connections} connections`,
      });
    // haproxy counts a connection when it begins, and its bytes as they go.
    const someMore = async () => {
      const seen = heartbeats.messages.length;
      await waitFor(() => heartbeats.messages.length > seen + 3, { describe: 'more heartbeats' });
    };
    await serve(it, it.configuration());
    for (let i = 0; i < 3; i++) await get(it);
    await counted(3);
    await someMore();
    const bytes = heartbeats.total(listenerId, 'tx');
    expect(bytes).toBeGreaterThan(100);

    await get(it);
    await serve(it, it.configuration('# changed\n'));
    await get(it);
    await counted(5);

    await it.agent.stop();
    await it.agent.start();
    await get(it);
    await counted(6);

    await it.agent.stop('SIGKILL');
    await get(it);
    await it.agent.start();
    await get(it);
    await counted(8);

    await someMore();
    expect(heartbeats.total(listenerId, 'totconns')).toBe(8);
    expect(heartbeats.total(listenerId, 'tx')).toBe((bytes / 3) * 8);
  });

  test('tell how members are', async () => {
    const it = await amphora();
    const { heartbeats, member } = it;
    await serve(it, it.configuration());
    const last = (): object | undefined => heartbeats.messages.at(-1)?.pools[poolKey];
    const id = deriveId('member', 0);
    await waitFor(() => JSON.stringify(last()) === JSON.stringify({ status: 'UP', members: { [id]: 'UP' } }), {
      describe: 'the member to be up',
    });
    member.closeAllConnections();
    member.close();
    await waitFor(() => JSON.stringify(last()) === JSON.stringify({ status: 'DOWN', members: { [id]: 'DOWN' } }), {
      describe: 'the member to be down',
    });
  });

  test('name no listener while haproxy is stopped', async () => {
    const it = await amphora();
    const { heartbeats } = it;
    await serve(it, it.configuration());
    await waitFor(() => heartbeats.messages.at(-1)?.listeners[listenerId]?.status === 'OPEN', { describe: 'OPEN' });
    await it.agent.call('PUT', `/1.0/loadbalancer/${loadBalancerId}/stop`);
    await waitFor(() => Object.keys(heartbeats.messages.at(-1)?.listeners ?? {}).length === 0, { describe: 'nothing' });
  });

  test('go on after nobody was listening', async () => {
    const { agent, heartbeats } = await amphora();
    await waitFor(() => heartbeats.messages.length > 0, { describe: 'a heartbeat' });
    await heartbeats.close();
    const { seq = 0 } = heartbeats.messages.at(-1) ?? {};
    await agent.call('GET', '/');
    const again = await heartbeatReceiver(heartbeatKey, heartbeats.port);
    await waitFor(() => again.messages.some((message) => message.seq > seq), { describe: 'a later heartbeat' });
    undo.unshift(() => again.close());
  });

  test('follow a new configuration of the agent at once', async () => {
    const { agent } = await amphora();
    const other = await heartbeatReceiver('another key');
    undo.unshift(() => other.close());
    const text = `[health_manager]
controller_ip_port_list = 127.0.0.1:${other.port}
heartbeat_interval = 0.05
heartbeat_key = another key
`;
    expect((await agent.call('PUT', '/1.0/config', text)).status).toBe(202);
    await waitFor(() => other.messages.length > 2, { describe: 'heartbeats at the new address' });
    expect((await agent.call('PUT', '/1.0/config', 'nonsense')).status).toBe(500);
    expect((await agent.call('GET', '/')).status).toBe(200);
  });
});

describe('the API', () => {
  test('answers in the shapes of OpenStack’s agent', async () => {
    const it = await amphora();
    const { agent, vip } = it;
    const shape = async (method: string, path: string, body?: string): Promise<unknown> => {
      const { status, text } = await agent.call(method, path, body);
      return [status, text.startsWith('{') || text.startsWith('[') ? (JSON.parse(text) as unknown) : text];
    };
    const lb = `/1.0/loadbalancer/${loadBalancerId}`;
    const own = `/1.0/loadbalancer/${agent.address.amphoraId}/${loadBalancerId}/haproxy`;
    const missing = { message: 'Loadbalancer Not Found', details: `No loadbalancer with UUID: ${loadBalancerId}` };
    expect(await shape('GET', '/')).toEqual([200, { api_version: '1.0' }]);
    expect(await shape('GET', '/1.0/details')).toEqual([
      200,
      expect.objectContaining({ networks: {}, haproxy_count: 0 }),
    ]);
    expect(await shape('GET', `${lb}/haproxy`)).toEqual([404, missing]);
    expect(await shape('PUT', `${lb}/start`)).toEqual([404, missing]);
    expect(await shape('PUT', `${lb}/bogus`)).toEqual([
      400,
      { message: 'Invalid Request', details: 'Unknown action: bogus' },
    ]);
    expect(await shape('DELETE', `/1.0/listeners/${loadBalancerId}`)).toEqual([200, { message: 'OK' }]);
    expect(await shape('DELETE', '/1.0/listeners')).toEqual([405, expect.objectContaining({ http_code: 405 })]);
    expect(await shape('GET', '/1.0/nothing')).toEqual([404, expect.objectContaining({ http_code: 404 })]);
    expect(await shape('PUT', own, 'global\n  nonsense\n')).toEqual([
      400,
      { message: 'Invalid request', details: expect.stringContaining('nonsense') },
    ]);
    expect((await agent.call('PUT', own, it.configuration())).etag).toMatch(/^[0-9a-f]{32}$/);
    expect(await shape('GET', '/1.0/listeners')).toEqual([
      200,
      [{ status: 'OFFLINE', uuid: listenerId, type: 'HTTP' }],
    ]);
    const plug = JSON.stringify({ subnet_cidr: '127.90.0.0/16', gateway: null, mac_address: 'fa:16:3e:00:00:01' });
    expect(await shape('POST', `/1.0/plug/vip/${vip}`, 'x')).toEqual([
      400,
      expect.objectContaining({ http_code: 400 }),
    ]);
    expect(await shape('POST', '/1.0/plug/vip/none', plug)).toEqual([
      400,
      expect.objectContaining({ message: 'Invalid VIP' }),
    ]);
    expect(await shape('GET', `/1.0/interface/${vip}`)).toEqual([
      404,
      { message: 'Error interface not found for IP address' },
    ]);
    expect(await shape('POST', `/1.0/plug/vip/${vip}`, plug)).toEqual([
      202,
      expect.objectContaining({ message: 'OK' }),
    ]);
    expect(await shape('POST', `/1.0/plug/vip/${vip}`, plug)).toEqual([409, { message: 'Interface already exists' }]);
    expect(await shape('GET', `/1.0/interface/${vip}`)).toEqual([200, { message: 'OK', interface: 'lo' }]);
  });

  test('keeps certificate files, under names that lead nowhere else', async () => {
    const { agent } = await amphora();
    const path = `/1.0/loadbalancer/${loadBalancerId}/certificates`;
    expect(await agent.call('PUT', `${path}/a.pem`, 'key')).toMatchObject({ status: 200 });
    expect(JSON.parse((await agent.call('GET', `${path}/a.pem`)).text)).toEqual({
      md5sum: '3c6e0b8a9c15224a8228b9a98ca1531d',
    });
    expect((await agent.call('DELETE', `${path}/a.pem`)).status).toBe(200);
    expect((await agent.call('GET', `${path}/a.pem`)).status).toBe(404);
    for (const name of ['..%2fx.pem', '..', 'x.txt', '%00.pem', '...pem']) {
      expect((await agent.call('PUT', `${path}/${name}`, 'x')).status).toBe(400);
    }
    expect((await agent.call('PUT', '/1.0/loadbalancer/../../etc/certificates/x.pem', 'x')).status).toBe(404);
    expect(readdirSync(join(agent.root, 'lib/octavia/certs', loadBalancerId))).toEqual([]);
  });

  test('shows a new certificate from the next connection on, and keeps the old one instead of a broken one', async () => {
    const { agent } = await amphora();
    const next = await agents.certificates.issue(agent.address.amphoraId, AbortSignal.timeout(5000));
    expect((await agent.call('PUT', '/1.0/certificate', 'nonsense')).status).toBe(400);
    expect((await agent.call('PUT', '/1.0/certificate', next.certificatePem + next.privateKeyPem)).status).toBe(202);
    const { fingerprint } = await agent.call('GET', '/');
    expect(fingerprint.replaceAll(':', '').toLowerCase()).toBe(next.fingerprint);
  });

  test('is closed to amphorae: their certificates are not those of controllers', async () => {
    const { agent } = await amphora();
    const amphoraOnly = await agents.certificates.issue(deriveId('another'), AbortSignal.timeout(5000));
    const { serverCaPem } = agents.certificates.controllerCredentials();
    const driver = createRestAmphoraDriver({
      credentials: { ...amphoraOnly, serverCaPem },
      connectTimeoutMs: 2000,
      readTimeoutMs: 2000,
      retry: { retries: 0, firstDelayMs: 1, longestDelayMs: 1 },
    });
    undo.push(() => driver.close());
    await expect(driver.info(agent.address, AbortSignal.timeout(5000))).rejects.toThrow(
      `GET / at amphora ${agent.address.amphoraId}`,
    );
  });

  test('logs no key', async () => {
    const it = await amphora();
    const path = `/1.0/loadbalancer/${loadBalancerId}/certificates/a.pem`;
    await it.agent.call('PUT', path, 'a private key');
    await serve(it, it.configuration());
    await it.agent.call('PUT', '/1.0/config', '[health_manager]\nheartbeat_key = hush\nheartbeat_interval = x\n');
    expect(it.agent.log()).toContain('answered');
    expect(it.agent.log()).not.toMatch(/private key|hush|a key for tests|BEGIN/);
  });
});
