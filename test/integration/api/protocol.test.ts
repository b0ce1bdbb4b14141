// What holds for every request: discovery, errors, headers, limits.
import { request as httpRequest } from 'node:http';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { startTestApi, useTestApi } from '../../support/api.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';

const world = new FakeWorld();
const { api, node } = useTestApi(world, { settings: { maxBodyBytes: 2048 } });

const loadBalancers = '/v2/lbaas/loadbalancers';

describe('discovery', () => {
  test('lists 31 versions in order, only the last of them current', async () => {
    const { status, body } = await api.get('/');
    expect(status).toBe(200);
    expect(body.versions.map(({ id }: { id: string }) => id)).toEqual(
      Array.from({ length: 31 }, (_, minor) => `v2.${minor}`),
    );
    const current = body.versions.filter((version: { status: string }) => version.status === 'CURRENT');
    expect(current).toEqual([
      {
        id: 'v2.30',
        status: 'CURRENT',
        updated: '2025-02-26T00:00:00Z',
        links: [{ href: `http://127.0.0.1:${api.port}/v2`, rel: 'self' }],
      },
    ]);
  });

  test('answers below /load-balancer too, and /v2 and /v2.0 alike', async () => {
    const below = (await api.get('/load-balancer/')).body.versions[0];
    expect(below.links[0].href).toBe(`http://127.0.0.1:${api.port}/load-balancer/v2`);
    expect((await api.get('/v2')).body).toBe('v2');
    expect((await api.get('/v2.0')).body).toBe('v2');
    expect((await api.get('/load-balancer/v2.0/lbaas/loadbalancers')).body).toMatchObject({ loadbalancers: [] });
    expect((await api.get('/load-balancer/healthcheck')).status).toBe(200);
  });
});

describe('what is refused, in JSON', () => {
  const id = randomUUID();
  test.each([
    ['GET', '/nothing', undefined, 404, 'The resource could not be found.'],
    ['GET', `${loadBalancers}/${id}`, undefined, 404, `Load Balancer ${id} not found.`],
    ['GET', `${loadBalancers}/no-uuid`, undefined, 404, 'Load Balancer no-uuid not found.'],
    ['DELETE', `/v2/lbaas/listeners/${id}`, undefined, 404, `Listener ${id} not found.`],
    ['GET', `/v2/lbaas/pools/${id}/members`, undefined, 404, `Pool ${id} not found.`],
    ['PATCH', loadBalancers, {}, 405, 'The method PATCH is not allowed for this resource.'],
    ['POST', loadBalancers, '{"a', 400, 'Request is not in valid JSON format'],
    [
      'POST',
      loadBalancers,
      {},
      400,
      "Invalid input for field/attribute loadbalancer. Value: 'None'. Mandatory field missing.",
    ],
    [
      'POST',
      loadBalancers,
      { loadbalancer: 1 },
      400,
      "Invalid input for field/attribute loadbalancer. Value: '1'. An object.",
    ],
    [
      'POST',
      loadBalancers,
      { loadbalancer: { project_id: 'p' } },
      400,
      'Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.',
    ],
    [
      'POST',
      loadBalancers,
      { loadbalancer: { project_id: '', vip_subnet_id: 's' } },
      400,
      'Validation failure: Missing project ID in request where one is required.',
    ],
    [
      'POST',
      loadBalancers,
      { loadbalancer: { bogus: 1 } },
      400,
      'Unknown attribute for argument load_balancer.loadbalancer: bogus',
    ],
    [
      'POST',
      loadBalancers,
      { loadbalancer: { __proto__: null, constructor: 1 } },
      400,
      'Unknown attribute for argument load_balancer.loadbalancer: constructor',
    ],
    [
      'POST',
      loadBalancers,
      { loadbalancer: { vip_subnet_id: 's', provider: 'f5' } },
      400,
      "Provider 'f5' is not enabled.",
    ],
    ['POST', loadBalancers, { loadbalancer: { name: 'x'.repeat(3000) } }, 413, 'The request is too large.'],
    ['GET', `${loadBalancers}?bogus=1`, undefined, 400, 'One or more arguments are either duplicate or invalid'],
    ['GET', `${loadBalancers}?name=a&name=b`, undefined, 400, 'One or more arguments are either duplicate or invalid'],
    ['GET', `${loadBalancers}?limit=x`, undefined, 400, "Supplied pagination limit 'x' is not valid."],
    ['GET', `${loadBalancers}?sort=name:up`, undefined, 400, "Supplied sort direction 'up' is not valid."],
    ['GET', `${loadBalancers}?sort_key=bogus`, undefined, 400, "Supplied sort key 'bogus' is not valid."],
    ['GET', `${loadBalancers}?sort=name:asc:x`, undefined, 400, "Supplied sort key 'name:asc:x' is not valid."],
    ['GET', `${loadBalancers}?marker=${id}`, undefined, 400, `Supplied pagination marker '${id}' is not valid.`],
    ['GET', '/v2/lbaas/flavors?marker=x', undefined, 400, "Supplied pagination marker 'x' is not valid."],
    ['GET', '/v2/octavia/amphorae?marker=x', undefined, 400, "Supplied pagination marker 'x' is not valid."],
    ['GET', `/v2/lbaas/healthmonitors/${id}`, undefined, 404, `Health Monitor ${id} not found.`],
    ['GET', `/v2/lbaas/l7policies/${id}`, undefined, 404, `L7 Policy ${id} not found.`],
    ['GET', '/v2/lbaas/availabilityzones/x', undefined, 404, 'Availability Zone x not found.'],
    ['GET', `/v2/lbaas/pools/${'x'.repeat(300)}`, undefined, 404, `Pool ${'x'.repeat(300)} not found.`],
    ['GET', '/v2/lbaas/availabilityzones/%00', undefined, 404, 'Availability Zone \0 not found.'],
    ['DELETE', '/v2/lbaas/flavors/%00', undefined, 404, 'Flavor \0 not found.'],
    ['GET', '/v2/lbaas/pools/%zz', undefined, 404, 'Pool %zz not found.'],
    [
      'POST',
      loadBalancers,
      `{"loadbalancer":${'['.repeat(800)}${']'.repeat(800)}}`,
      400,
      'Request is not in valid JSON format',
    ],
    [
      'DELETE',
      `${loadBalancers}/${id}?cascade=maybe`,
      undefined,
      400,
      "Invalid input for field/attribute cascade. Value: 'maybe'. true or false.",
    ],
    [
      'POST',
      '/v2/lbaas/listeners',
      { listener: { loadbalancer_id: 'x', protocol: 'HTTP', protocol_port: 80 } },
      400,
      "Invalid input for field/attribute loadbalancer_id. Value: 'x'. A UUID.",
    ],
    [
      'POST',
      '/v2/lbaas/pools',
      { pool: { protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' } },
      400,
      'Validation failure: Must provide at least one of: loadbalancer_id, listener_id',
    ],
    [
      'POST',
      loadBalancers,
      { loadbalancer: { vip_subnet_id: 's', flavor_id: id } },
      400,
      `Validation failure: Invalid flavor_id. There is no flavor ${id}.`,
    ],
    [
      'POST',
      loadBalancers,
      { loadbalancer: { vip_subnet_id: 's', availability_zone: 'x' } },
      400,
      'Validation failure: Invalid availability zone. There is none named x.',
    ],
  ])('%s %s %j → %d', async (method, path, body, status, faultstring) => {
    const answer = await api.request(method, path, body);
    expect(answer.body).toEqual({ faultcode: status >= 500 ? 'Server' : 'Client', faultstring, debuginfo: null });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(answer.headers.get('x-openstack-request-id')).toMatch(/^req-[0-9a-f-]{36}$/);
  });

  test('a type that is not JSON, asked for or sent', async () => {
    expect((await api.get(loadBalancers, { accept: 'text/html' })).status).toBe(406);
    expect((await api.get(loadBalancers, { accept: 'text/html, */*;q=0.1' })).status).toBe(200);
    // It names no type, so it asks for none.
    expect((await api.get(loadBalancers, { accept: 'bogus' })).status).toBe(200);
    const sent = await api.request('POST', loadBalancers, 'x', { 'content-type': 'text/plain' });
    expect([sent.status, sent.body.faultcode]).toEqual([415, 'Client']);
  });

  test.each([
    ['a path beyond all bounds', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`, 431],
    ['something else than HTTP', 'hello\r\n\r\n', 400],
  ])('%s', async (_, sent, status) => {
    const socket = connect(api.port, '127.0.0.1');
    socket.write(sent);
    const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*\r\nx-openstack-request-id: req-`));
    expect(JSON.parse(body)).toEqual({ faultcode: 'Client', faultstring: expect.any(String), debuginfo: null });
  });

  test('a body that is not UTF-8', async () => {
    const body = Buffer.from('{"loadbalancer":{"vip_subnet_id":"s","name":"\xff"}}', 'latin1');
    const response = await fetch(`http://127.0.0.1:${api.port}${loadBalancers}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect([response.status, ((await response.json()) as { faultstring: string }).faultstring]).toEqual([
      400,
      'Request is not in valid JSON format',
    ]);
  });

  test('a method that a path does not have names those that it has', async () => {
    const { headers } = await api.request('PUT', loadBalancers, {});
    expect(headers.get('allow')).toBe('POST, GET');
  });

  test('a taken port and a child of a missing load balancer', async () => {
    const { body } = await api.request('POST', loadBalancers, { loadbalancer: { vip_subnet_id: 'subnet' } });
    const listener = { loadbalancer_id: body.loadbalancer.id, protocol: 'HTTP', protocol_port: 80 };
    expect((await api.request('POST', '/v2/lbaas/listeners', { listener })).status).toBe(201);
    const twin = await api.request('POST', '/v2/lbaas/listeners', { listener });
    expect([twin.status, twin.body.faultstring]).toEqual([
      409,
      'Another Listener on this Load Balancer is already using protocol HTTP and protocol_port 80',
    ]);
    const orphan = { ...listener, loadbalancer_id: randomUUID() };
    const missing = await api.request('POST', '/v2/lbaas/listeners', { listener: orphan });
    expect([missing.status, missing.body.faultstring]).toEqual([
      404,
      `Load Balancer ${orphan.loadbalancer_id} not found.`,
    ]);
  });
});

/** A world whose network does not answer before it is told to. */
function slowWorld() {
  let answer: () => void = () => undefined;
  const told = new Promise<void>((resolve) => (answer = resolve));
  let asked: () => void = () => undefined;
  const wasAsked = new Promise<void>((resolve) => (asked = resolve));
  const network: FakeWorld['network'] = {
    ...world.network,
    resolveVip: async (request, signal) => {
      asked();
      await told;
      return world.network.resolveVip(request, signal);
    },
  };
  return { certificateManager: world.certificateManager, network, answer, wasAsked };
}

describe('requests', () => {
  test('that are under way when the server stops are finished, and no new ones are taken', async () => {
    const slow = slowWorld();
    const stopping = await startTestApi(node, slow);
    const underWay = stopping.request('POST', loadBalancers, { loadbalancer: { vip_subnet_id: 'subnet' } });
    await slow.wasAsked;
    const closed = stopping.close();
    expect(
      await stopping.get('/').then(
        ({ status }) => String(status),
        () => 'not connected',
      ),
    ).toEqual(expect.stringMatching(/503|not connected/));
    slow.answer();
    expect((await underWay).status).toBe(201);
    await closed;
  });

  test('that nothing answers in time are answered 503', async () => {
    const slow = slowWorld();
    const late = await startTestApi(node, slow, { deadline: 0.2 });
    try {
      const { status, body, headers } = await late.request('POST', loadBalancers, {
        loadbalancer: { vip_subnet_id: 's' },
      });
      expect([status, body.faultstring]).toEqual([503, 'No answer within 0.2 s; it may still happen.']);
      expect(headers.get('retry-after')).toBe('1');
    } finally {
      slow.answer();
      await late.close();
    }
  });

  test('keep a well-formed id of the client and get another one else', async () => {
    const own = `req-${randomUUID()}`;
    const kept = await api.get('/', { 'x-openstack-request-id': own });
    expect(kept.headers.get('x-openstack-request-id')).toBe(own);
    const made = await api.get('/', { 'x-openstack-request-id': 'req-x' });
    expect(made.headers.get('x-openstack-request-id')).toMatch(/^req-[0-9a-f-]{36}$/);
  });

  test('of a client that asks too often are answered 429 until its bucket has filled', async () => {
    const slow = await startTestApi(node, world, { requestsPerSecond: 1 });
    try {
      const answers = await Promise.all(Array.from({ length: 6 }, () => slow.get('/healthcheck')));
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused.length).toBeGreaterThanOrEqual(3);
      expect(refused[0]?.headers.get('retry-after')).toBe('1');
    } finally {
      await slow.close();
    }
  });

  test('that a web page sends under a name of its own are refused when nobody is asked who they are', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const options = { port: api.port, path: loadBalancers, headers: { host: 'evil.example.org' } };
      const request = httpRequest(options, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on('error', reject);
      request.end();
    });
    expect(status).toBe(403);
  });

  test('without authentication are not served beyond loopback', async () => {
    await expect(startTestApi(node, world, { host: '0.0.0.0' })).rejects.toThrow('set api.auth to token or keystone');
    await expect(startTestApi(node, world, { host: '0.0.0.0', auth: 'token', tokens: [] })).rejects.toThrow(
      'tokens must not travel in clear text',
    );
  });
});
