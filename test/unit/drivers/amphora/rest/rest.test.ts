import { createHash } from 'node:crypto';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { makeFor } from '../../../../../src/domain/causes.ts';
import { type AmphoraId, type LoadBalancerId, deriveId } from '../../../../../src/domain/ids.ts';
import { renderKeepalived, type VrrpInstance } from '../../../../../src/domain/vrrp/keepalived.ts';
import type { AmphoraAddress, AmphoraDriver } from '../../../../../src/drivers/amphora/driver.ts';
import { createRestAmphoraDriver } from '../../../../../src/drivers/amphora/rest/rest.ts';
import type { CertificateDriver } from '../../../../../src/drivers/certificate/driver.ts';
import { createLocalCertificateDriver } from '../../../../../src/drivers/certificate/local/local.ts';
import { PermanentFailure, TransientFailure } from '../../../../../src/drivers/failure.ts';
import { type Behaviour, type FakeAgent, fakeAgent } from '../../../../support/fake-agent.ts';
import { tempFolder } from '../../../../support/temp-folder.ts';
import { undoAfterEach } from '../../../../support/undo.ts';

const folder = tempFolder('rest-driver');
const amphoraId = deriveId<AmphoraId>('fake');
const loadBalancerId = deriveId<LoadBalancerId>('fake');
const signal = (): AbortSignal => AbortSignal.timeout(20_000);

let certificates: CertificateDriver;
let driver: AmphoraDriver;
beforeAll(async () => {
  certificates = await createLocalCertificateDriver({ folder, keyType: 'p256', serverCertificateDays: 30 });
});

const undo = undoAfterEach();

async function agent(
  behave: (call: string, body: string, count: number) => Behaviour,
  retries = 2,
): Promise<FakeAgent> {
  const fake = await fakeAgent(certificates, amphoraId, behave);
  driver = createRestAmphoraDriver({
    credentials: certificates.controllerCredentials(),
    connectTimeoutMs: 300,
    readTimeoutMs: 300,
    retry: { retries, firstDelayMs: 5, longestDelayMs: 20 },
  });
  undo.push(
    () => fake.close(),
    () => driver.close(),
  );
  return fake;
}

/** A TCP server that knows nothing of TLS. */
async function bareServer(greet: (socket: Socket) => void): Promise<AmphoraAddress> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    greet(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { amphoraId, endpoint: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } };
}

async function failureOf(call: Promise<unknown>): Promise<Error> {
  return call.then(
    () => new Error('it did not fail'),
    (error: Error) => error,
  );
}

const port = {
  subnetCidr: '10.0.0.0/24',
  gateway: null,
  macAddress: 'fa:16:3e:00:00:01',
  vrrpAddress: '10.0.0.3',
  portId: null,
  mtu: 1450,
};
const serve = (fake: FakeAgent, configuration: string | null = 'new'): ReturnType<AmphoraDriver['serve']> =>
  driver.serve(
    fake.address,
    { loadBalancerId, vipAddress: '10.0.0.2', port, configuration, files: [], lvs: null },
    signal(),
  );

test('an agent is told the id of the newest request that a call is made for', async () => {
  const fake = await agent((call) => ({ json: call === 'GET /' ? { api_version: '1.0' } : {} }));
  const [first, second] = [1, 2].map((number) => `req-${deriveId('request', number)}`);
  const made = signal();
  makeFor(made, [`${first}/1`, `${second}/1`, 'key/abc', 'cli-1']);
  await driver.info(fake.address, made).catch(() => undefined);
  await driver.withdraw(fake.address, { loadBalancerId, hasLvs: false }, made).catch(() => undefined);
  expect(fake.calls.length).toBeGreaterThan(1);
  expect([...fake.requestIds]).toEqual([second]);
  const other = await agent(() => ({ json: {} }));
  await driver.withdraw(other.address, { loadBalancerId, hasLvs: false }, signal());
  expect([...other.requestIds]).toEqual([undefined]);
});

describe('an agent that misbehaves', () => {
  test.each<[string, Behaviour]>([
    ['answers garbage', { text: '<html>' }],
    ['answers JSON of another shape', { json: { api_version: 1 } }],
    ['answers null', { json: null }],
    ['never answers', 'never'],
    ['hangs up', 'drop'],
    ['answers 500', { status: 500, json: { error: '500 Internal Server Error: x', http_code: 500 } }],
    ['answers 503 without a body', { status: 503, text: '' }],
    [
      'answers a part and then no more',
      (response) => void response.writeHead(200, { 'Content-Length': '10' }).write('{'),
    ],
    [
      'answers a part and then hangs up',
      (response) => void response.writeHead(200, { 'Content-Length': '10' }).write('{', () => response.destroy()),
    ],
    [
      'answers without end',
      (response) => {
        const more = (): void => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
          response.once('drain', more);
        };
        more();
      },
    ],
  ])('and %s is a transient failure that names call and address', async (_what, behaviour) => {
    const fake = await agent(() => behaviour);
    const failure = await failureOf(driver.info(fake.address, signal()));
    expect(failure).toBeInstanceOf(TransientFailure);
    expect(failure.message).toContain(`GET / at amphora ${amphoraId}, 127.0.0.1:${fake.address.endpoint.port}`);
  });

  test.each([400, 401, 403, 405])('and answers %i is a permanent failure', async (status) => {
    const fake = await agent(() => ({ status, json: { message: 'no' } }));
    const failure = await failureOf(driver.info(fake.address, signal()));
    expect(failure).toBeInstanceOf(PermanentFailure);
    expect(failure.message).toContain(`answered ${status}, no`);
    expect(fake.calls).toHaveLength(1);
  });

  test('below TLS is a transient failure', async () => {
    await agent(() => 'never');
    const address = await bareServer((socket) => socket.end('220 not a web server\r\n'));
    expect(await failureOf(driver.info(address, signal()))).toBeInstanceOf(TransientFailure);
  });

  test('by taking the connection and saying nothing is given up after the connect time-out', async () => {
    await agent(() => 'never', 0);
    const address = await bareServer(() => undefined);
    const failure = await failureOf(driver.info(address, signal()));
    expect(failure.message).toContain('no connection within 300 ms');
  });
});

describe('what passes by itself is tried again', () => {
  test.each<[string, Behaviour]>([
    ['a connection that ends', 'drop'],
    ['a 404 that is not JSON', { status: 404, text: 'nginx' }],
  ])('%s', async (_what, behaviour) => {
    const fake = await agent((call, _body, count) =>
      count < 3
        ? behaviour
        : {
            json:
              call === 'GET /'
                ? { api_version: '1.0' }
                : { api_version: '1.0', hostname: 'h', haproxy_version: '2.6.12' },
          },
    );
    expect(await driver.info(fake.address, signal())).toMatchObject({ haproxyVersion: '2.6.12' });
  });

  test('an interface that has not been seen yet', async () => {
    let plugs = 0;
    const fake = await agent((call) => {
      if (!call.startsWith('POST')) return accept(call);
      return plugs++ === 0
        ? { status: 404, json: { details: 'No suitable network interface found' } }
        : { status: 202, json: {} };
    });
    expect(await serve(fake)).toEqual({ accepted: true });
    expect(plugs).toBe(2);
  });

  test('only as often as allowed, and no longer than the signal', async () => {
    const fake = await agent(() => 'drop', 3);
    await failureOf(driver.info(fake.address, signal()));
    expect(fake.calls).toHaveLength(4);

    const patient = await agent(() => 'drop', 10_000);
    const failure = await failureOf(driver.info(patient.address, AbortSignal.timeout(150)));
    expect(failure).toBeInstanceOf(TransientFailure);
    expect(failure.message).toMatch(/stopped; before, .*socket hang up|stopped; before, .*ECONNRESET/);
  });
});

/** An agent that holds nothing and takes everything. */
function accept(call: string): Behaviour {
  if (call.startsWith('GET')) return { status: 404, json: { message: 'Loadbalancer Not Found' } };
  return { status: 202, json: { message: 'OK' } };
}

describe('serving', () => {
  const own = `/1.0/loadbalancer/${loadBalancerId}`;
  const upload = `PUT /1.0/loadbalancer/${amphoraId}/${loadBalancerId}/haproxy`;

  /** An agent as OpenStack's is: it holds what was uploaded last, whether haproxy could load it or not. */
  function remembering(reload: (held: string) => Behaviour = () => ({ status: 202, json: {} }), initial?: string) {
    let held = initial;
    const uploads: string[] = [];
    const behave = (call: string, body: string): Behaviour => {
      if (call.startsWith('POST')) return { status: 409, json: { message: 'Interface already exists' } };
      if (call === `GET ${own}/haproxy`)
        return held === undefined ? { status: 404, json: { message: 'x' } } : { text: held };
      if (call === 'GET /1.0/listeners') return { json: [{ uuid: 'a', status: 'ACTIVE', type: 'HTTP' }] };
      if (call === upload) uploads.push((held = body));
      return call === `PUT ${own}/reload` ? reload(held ?? '') : { status: 202, json: {} };
    };
    return { behave, uploads };
  }

  test('goes from plug over upload to reload', async () => {
    const fake = await agent(remembering().behave);
    expect(await serve(fake)).toEqual({ accepted: true });
    expect(fake.calls).toEqual(['POST /1.0/plug/vip/10.0.0.2', `GET ${own}/haproxy`, upload, `PUT ${own}/reload`]);
  });

  test('a port of SR-IOV is plugged as such, and the agent is told whom to let in before haproxy serves', async () => {
    const rules = [{ protocol: 'TCP', cidr: '10.0.0.0/8', port: 80 }] as const;
    const told: Record<string, unknown> = {};
    const { behave } = remembering();
    const fake = await agent((call, body) => {
      if (!/plug|rules/.test(call)) return behave(call, body);
      told[call] = JSON.parse(body);
      return { status: call.endsWith('rules') ? 200 : 202, json: { message: 'OK' } };
    });
    const request = { loadBalancerId, vipAddress: '10.0.0.2', configuration: 'new', files: [], lvs: null };
    await driver.serve(fake.address, { ...request, port: { ...port, isSriov: true }, rules }, signal());
    const [plug, tell] = ['POST /1.0/plug/vip/10.0.0.2', 'PUT /1.0/interface/10.0.0.3/rules'];
    expect(fake.calls).toEqual([plug, tell, `GET ${own}/haproxy`, upload, `PUT ${own}/reload`]);
    expect(told).toEqual({ [plug]: expect.objectContaining({ is_sriov: true }), [tell]: rules });
  });

  test('uploads and reloads nothing when it was loaded already', async () => {
    const fake = await agent(remembering().behave);
    await serve(fake, 'frontend a\n');
    const before = fake.calls.length;
    await serve(fake, 'frontend a\n');
    expect(fake.calls.slice(before).filter((call) => call.startsWith('PUT'))).toEqual([]);
  });

  test('reloads what is held already when nobody knows whether it was loaded', async () => {
    const fake = await agent(remembering(undefined, 'new').behave);
    await serve(fake);
    expect(fake.calls.filter((call) => call.startsWith('PUT'))).toEqual([`PUT ${own}/reload`]);
  });

  test('reloads again when a listener is down', async () => {
    const fake = await agent(remembering().behave);
    await serve(fake, 'frontend a\nfrontend b\n');
    await serve(fake, 'frontend a\nfrontend b\n');
    expect(fake.calls.filter((call) => call === `PUT ${own}/reload`)).toHaveLength(2);
  });

  test('nothing is a removal and no plug', async () => {
    const fake = await agent(() => ({ status: 200, json: { message: 'OK' } }));
    expect(await serve(fake, null)).toEqual({ accepted: true });
    expect(fake.calls).toEqual([`DELETE /1.0/listeners/${loadBalancerId}`]);
  });

  test('what haproxy can’t load is refused in its words, and the configuration before is given back', async () => {
    const words = '[ALERT] (7) : Binding [x:1] for frontend a: cannot bind socket (Address already in use)';
    const bad: Behaviour = { status: 500, json: { message: 'Error reloading haproxy', details: words } };
    const openstack = remembering((held) => (held === 'new' ? bad : { status: 202, json: {} }), 'old');
    const fake = await agent(openstack.behave);
    expect(await serve(fake)).toEqual({ accepted: false, reason: words });
    expect(openstack.uploads).toEqual(['new', 'old']);
    expect(fake.calls.at(-1)).toBe(`PUT ${own}/reload`);
  });

  test('a reload that fails for the agent’s own reasons is no refusal', async () => {
    const bad: Behaviour = {
      status: 500,
      json: { message: 'Error reloading haproxy', details: 'Failed to connect to bus' },
    };
    const fake = await agent(remembering(() => bad).behave);
    expect(await failureOf(serve(fake))).toBeInstanceOf(TransientFailure);
  });

  test('a refused upload is a refusal only when the agent says why', async () => {
    const details = '[ALERT] parsing [x:3] : unknown keyword';
    const answers: Behaviour[] = [
      { status: 400, json: { message: 'Invalid request', details } },
      { status: 400, json: { error: '400 Bad Request: x', http_code: 400 } },
    ];
    const fake = await agent((call) => (call === upload ? (answers.shift() ?? 'never') : accept(call)));
    expect(await serve(fake)).toEqual({ accepted: false, reason: details });
    expect(await failureOf(serve(fake))).toBeInstanceOf(PermanentFailure);
  });
});

describe('files of TLS', () => {
  const names = ['a', 'b', 'c'].map((letter) => `${letter.repeat(40)}.pem`);
  const [one = '', two = '', three = ''] = names;
  const configured = (...own: readonly string[]) => `# TLS files: ${own.join(' ')}\nglobal\n`;
  const content = (name: string) => `content of ${name}`;
  const md5 = (text: string) => createHash('md5').update(text).digest('hex');
  const path = (name: string) => `/1.0/loadbalancer/${loadBalancerId}/certificates/${name}`;

  /** Holds a configuration with the files one and two; is given one with two and three. */
  async function served(upload: Behaviour, removal: Behaviour = { json: { message: 'OK' } }) {
    const bodies = new Map<string, string>();
    const fake = await agent((call, body) => {
      bodies.set(call, body);
      if (call.startsWith('DELETE ')) return removal;
      if (call === `GET ${path(two)}`) return { json: { md5sum: md5(content(two)) } };
      if (call.includes('/certificates/')) {
        const absent = { status: 404, json: { message: 'Certificate Not Found', details: 'No certificate' } };
        return call.startsWith('GET ') ? absent : { json: { message: 'OK' } };
      }
      if (call.startsWith('GET ')) return { text: configured(one, two) };
      return call.endsWith('/haproxy') ? upload : { status: 202, json: { message: 'OK' } };
    });
    const files = [two, three].map((name) => ({ name, content: content(name) }));
    const request = {
      loadBalancerId,
      vipAddress: '10.0.0.2',
      port,
      configuration: configured(two, three),
      files,
      lvs: null,
    };
    const result = await driver.serve(fake.address, request, signal());
    const ofFiles = fake.calls.map((call) => call.replace(path(''), '')).filter((call) => call.includes('.pem'));
    return { result, fake, bodies, ofFiles };
  }

  test('go before the configuration, where they are missing; those that it does not need go after it', async () => {
    const { result, fake, bodies, ofFiles } = await served({ status: 202, json: { message: 'OK' } });
    expect(result).toEqual({ accepted: true });
    expect(ofFiles).toEqual([`GET ${two}`, `GET ${three}`, `PUT ${three}`, `DELETE ${one}`]);
    expect(bodies.get(`PUT ${path(three)}`)).toBe(content(three));
    const places = [`PUT ${path(three)}`, 'haproxy', 'reload', `DELETE ${path(one)}`].map((end) =>
      fake.calls.findLastIndex((call) => call.endsWith(end)),
    );
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  test('of a configuration that is refused go again, and those of the one before stay', async () => {
    const refusal = { status: 400, json: { message: 'Invalid request', details: '[ALERT] no' } };
    const { result, ofFiles } = await served(refusal);
    expect(result).toMatchObject({ accepted: false });
    expect(ofFiles.at(-1)).toBe(`DELETE ${three}`);
    expect(ofFiles).not.toContain(`DELETE ${one}`);
  });

  test('that cannot be removed are nobody’s trouble', async () => {
    const { result } = await served({ status: 202, json: { message: 'OK' } }, { status: 400, json: { message: 'no' } });
    expect(result).toEqual({ accepted: true });
  });
});

describe('one of a pair', () => {
  const vrrp: VrrpInstance = {
    loadBalancerId,
    vipAddress: '10.0.0.2',
    subnetCidr: '10.0.0.0/24',
    gateway: null,
    beginsAs: 'BACKUP',
    priority: 90,
    address: '10.0.0.3',
    peerAddress: '10.0.0.4',
    password: 'of-both',
  };
  const request = { loadBalancerId, vipAddress: '10.0.0.2', port, configuration: 'new', files: [], lvs: null, vrrp };

  /** Takes everything, and keeps what it was sent. */
  async function willing(refuses = ''): Promise<{ readonly fake: FakeAgent; readonly uploads: readonly string[] }> {
    const uploads: string[] = [];
    const fake = await agent((call, body) => {
      if (refuses !== '' && call.startsWith(refuses)) return { status: 400, json: { message: 'no', details: 'no' } };
      if (call.startsWith('GET /1.0/interface/')) return { json: { message: 'OK', interface: 'eth1' } };
      if (call.startsWith('GET /1.0/listeners')) return { json: [] };
      if (call.startsWith('GET')) return { status: 404, json: { message: 'Loadbalancer Not Found' } };
      if (call.endsWith('/vrrp/upload')) uploads.push(body);
      return { status: call.endsWith('/vrrp/upload') ? 200 : 202, json: { message: 'OK' } };
    });
    return { fake, uploads };
  }

  const aboutVrrp = (fake: FakeAgent) => fake.calls.filter((call) => /vrrp|reload/.test(call));

  test('is told of the other one before haproxy starts, and takes part once that serves', async () => {
    const { fake, uploads } = await willing();
    expect(await driver.serve(fake.address, request, signal())).toEqual({ accepted: true });
    expect(aboutVrrp(fake)).toEqual([
      'PUT /1.0/vrrp/upload',
      `PUT /1.0/loadbalancer/${loadBalancerId}/reload`,
      'PUT /1.0/vrrp/start',
    ]);
    expect(uploads).toEqual([renderKeepalived(vrrp, 'eth1')]);
  });

  test('is not told again what it was started with, but of another peer', async () => {
    const { fake, uploads } = await willing();
    for (const peerAddress of ['10.0.0.4', '10.0.0.4', '10.0.0.5']) {
      await driver.serve(fake.address, { ...request, vrrp: { ...vrrp, peerAddress } }, signal());
    }
    expect(uploads).toHaveLength(2);
  });

  test('takes part though it refuses a configuration: it would send no heartbeats otherwise', async () => {
    const { fake } = await willing(`PUT /1.0/loadbalancer/${amphoraId}`);
    expect(await driver.serve(fake.address, request, signal())).toEqual({ accepted: false, reason: 'no' });
    expect(aboutVrrp(fake)).toEqual(['PUT /1.0/vrrp/upload', 'PUT /1.0/vrrp/start']);
  });
});
