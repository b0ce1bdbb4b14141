import { createHash, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { type FakeKeystone, servicePassword, startFakeKeystone } from '../../support/fake-keystone.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { startTestNode, type TestNode } from '../../support/tree.ts';

const world = new FakeWorld();
let node: TestNode;
let keystone: FakeKeystone;
const apis: TestApi[] = [];

afterAll(async () => {
  for (const api of apis) await api.close();
  await keystone.close();
  await node.close();
});
const database = useTestDatabase();

const who = {
  root: { projectId: 'ops', roles: ['admin'] },
  ann: { projectId: 'one', roles: ['member', 'reader'] },
  bob: { projectId: 'two', roles: ['load-balancer_member'] },
  eve: { projectId: 'one', roles: ['reader'] },
  nobody: { projectId: 'one', roles: ['swift'] },
  observer: { projectId: 'two', roles: ['load-balancer_global_observer'] },
  auditor: { projectId: 'two', roles: ['member', 'load-balancer_global_observer'] },
  compute: { projectId: 'service', roles: ['service'] },
  clerk: { projectId: 'two', roles: ['load-balancer_quota_admin'] },
};
const nameOf = (name: keyof typeof who) => ({ 'x-auth-token': `token-of-${name}` });
const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const path = '/v2/lbaas/loadbalancers';

async function started(settings: Parameters<typeof startTestApi>[2]): Promise<TestApi> {
  const api = await startTestApi(node, world, settings);
  apis.push(api);
  return api;
}

function keystoneSettings(cacheSeconds = 60) {
  return {
    url: `${keystone.url}/v3/`,
    user: 'octavia',
    password: servicePassword,
    userDomain: 'Default',
    project: 'service',
    projectDomain: 'Default',
    cacheSeconds,
  };
}

beforeAll(async () => {
  node = await startTestNode({ url: database.url, world, spares: 4 });
  keystone = await startFakeKeystone();
  for (const [name, token] of Object.entries(who)) keystone.tokens.set(`token-of-${name}`, token);
});

afterEach(() => {
  keystone.failure = undefined;
});

const tokenSettings = () => ({
  auth: 'token' as const,
  tokens: Object.entries(who).map(([name, { projectId, roles }]) =>
    [hash(`token-of-${name}`), projectId, roles.join('+')].join(':'),
  ),
});
const byToken = () => started(tokenSettings());
const byKeystone = () => started({ auth: 'keystone', keystone: keystoneSettings() });

test('with api.foreign: forbidden, an object of another project is told from none', async () => {
  const api = await started({ ...tokenSettings(), foreign: 'forbidden' });
  const made = await api.request('POST', path, { loadbalancer: { vip_subnet_id: 's' } }, nameOf('ann'));
  const own = `${path}/${made.body.loadbalancer.id}`;
  const change = { loadbalancer: { name: 'x' } };
  const answers = [
    await api.get(own, nameOf('bob')),
    await api.get(`${own}/status`, nameOf('bob')),
    await api.request('PUT', own, change, nameOf('bob')),
    await api.get(`${path}/${randomUUID()}`, nameOf('bob')),
    await api.get(own, nameOf('observer')),
    await api.get('/v2/lbaas/quotas/one', nameOf('bob')),
  ];
  expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 404, 200, 403]);
});

describe.each([
  ['token', byToken],
  ['keystone', byKeystone],
])('with auth %s', (_, start) => {
  let api: TestApi;
  let id = '';

  beforeAll(async () => {
    api = await start();
    const made = await api.request('POST', path, { loadbalancer: { vip_subnet_id: 's' } }, nameOf('ann'));
    expect(made.body.loadbalancer).toMatchObject({ project_id: 'one' });
    id = made.body.loadbalancer.id;
  });

  test('nobody is answered without a token that is known, except about versions', async () => {
    for (const headers of [{}, { 'x-auth-token': 'wrong' }, { authorization: 'Basic x' }]) {
      const { status, body } = await api.get(`${path}/${id}`, headers);
      expect([status, body.faultcode]).toEqual([401, 'Client']);
    }
    expect((await api.get('/')).status).toBe(200);
  });

  test('an object of another project does not exist', async () => {
    const foreign = [404, `Load Balancer ${id} not found.`];
    const answers = [
      await api.get(`${path}/${id}`, nameOf('bob')),
      await api.get(`${path}/${id}/status`, nameOf('bob')),
      await api.request('PUT', `${path}/${id}`, { loadbalancer: { name: 'x' } }, nameOf('bob')),
      await api.request('DELETE', `${path}/${id}`, undefined, nameOf('bob')),
      await api.request(
        'POST',
        '/v2/lbaas/listeners',
        { listener: { loadbalancer_id: id, protocol: 'TCP', protocol_port: 1 } },
        nameOf('bob'),
      ),
    ];
    for (const { status, body } of answers) expect([status, body.faultstring]).toEqual(foreign);
    // Whoever sees it anyway is told that it is not theirs to change.
    const mayNot = await api.request('PUT', `${path}/${id}`, { loadbalancer: { name: 'x' } }, nameOf('auditor'));
    expect([(await api.get(`${path}/${id}`, nameOf('auditor'))).status, mayNot.status]).toEqual([200, 403]);
    const list = async (name: keyof typeof who, query = '') =>
      (await api.get(`${path}${query}`, nameOf(name))).body.loadbalancers.some((lb: { id: string }) => lb.id === id);
    expect(await list('ann')).toBe(true);
    expect(await list('bob')).toBe(false);
    expect(await list('bob', '?project_id=one')).toBe(false);
    expect(await list('observer')).toBe(true);
    expect(await list('root', '?project_id=one')).toBe(true);
    expect(await list('root', '?project_id=two')).toBe(false);
  });

  test('readers read, members write in their project, administrators do everything', async () => {
    const forbidden = [403, 'Policy does not allow this request to be performed.'];
    const asked = async (name: keyof typeof who, method: string, to: string, body?: object) => {
      const answer = await api.request(method, to, body, nameOf(name));
      return [answer.status, answer.body?.faultstring];
    };
    const rename = { loadbalancer: { name: 'x' } };
    expect((await asked('eve', 'GET', `${path}/${id}`))[0]).toBe(200);
    expect(await asked('eve', 'PUT', `${path}/${id}`, rename)).toEqual(forbidden);
    expect(await asked('nobody', 'GET', `${path}/${id}`)).toEqual(forbidden);
    expect((await asked('ann', 'PUT', `${path}/${id}`, rename))[0]).toBe(200);
    expect((await asked('root', 'PUT', `${path}/${id}`, rename))[0]).toBe(200);
    expect(await asked('ann', 'PUT', `${path}/${id}/failover`)).toEqual(forbidden);
    expect(await asked('ann', 'GET', '/v2/octavia/amphorae')).toEqual(forbidden);
    expect((await asked('root', 'GET', '/v2/octavia/amphorae'))[0]).toBe(200);
    const foreign = { loadbalancer: { vip_subnet_id: 's', project_id: 'two' } };
    expect(await asked('ann', 'POST', path, foreign)).toEqual(forbidden);
  });

  test('another service of the cloud lists the members of a pool, and nothing else', async () => {
    const pool = { loadbalancer_id: id, protocol: 'TCP', lb_algorithm: 'ROUND_ROBIN' };
    const made = await api.request('POST', '/v2/lbaas/pools', { pool }, nameOf('ann'));
    const members = `/v2/lbaas/pools/${made.body.pool.id}/members`;
    const member = { address: '10.0.0.1', protocol_port: 80 };
    const own = (await api.request('POST', members, { member }, nameOf('ann'))).body.member;
    const { body } = await api.get(members, nameOf('compute'));
    expect(body.members.map((one: { id: string }) => one.id)).toEqual([own.id]);
    const page = await api.get(`${members}?marker=${own.id}`, nameOf('compute'));
    expect(page.body.members).toEqual([]);
    expect((await api.get(members, nameOf('bob'))).status).toBe(404);
    for (const other of [path, '/v2/lbaas/pools', `${members}/${own.id}`, '/v2/octavia/amphorae']) {
      expect([other, (await api.get(other, nameOf('compute'))).status]).toEqual([other, 403]);
    }
    expect((await api.request('POST', members, { member }, nameOf('compute'))).status).toBe(403);
  });

  test('quotas of a project are seen by its own, and kept by administrators of quotas, who do nothing else', async () => {
    const quotas = '/v2/lbaas/quotas';
    const set = (name: keyof typeof who) =>
      api.request('PUT', `${quotas}/one`, { quota: { listener: 7 } }, nameOf(name));
    const seen = (name: keyof typeof who) => api.get(`${quotas}/one`, nameOf(name));
    expect((await set('clerk')).status).toBe(202);
    const shown = (await seen('clerk')).body.quota;
    expect(shown.listener).toBe(7);
    for (const name of ['eve', 'observer', 'root'] as const) expect((await seen(name)).body.quota).toEqual(shown);
    expect((await api.get(quotas, nameOf('clerk'))).body.quotas).toEqual([shown]);
    expect((await api.get(quotas, nameOf('bob'))).body.quotas).toEqual([]);
    expect((await seen('bob')).status).toBe(404);
    for (const { status } of [await set('ann'), await api.get(path, nameOf('clerk'))]) expect(status).toBe(403);
    expect((await api.request('DELETE', `${quotas}/one`, undefined, nameOf('clerk'))).status).toBe(202);
  });

  test('the networking calls are those of a cloud, not ours', async () => {
    expect((await api.get('/v2.0/subnets', nameOf('root'))).status).toBe(404);
  });
});

describe('Keystone', () => {
  test('is asked once about a token within the time that answers are kept', async () => {
    const api = await byKeystone();
    await api.get(path, nameOf('ann'));
    const { validations } = keystone.asked;
    await api.get(path, nameOf('ann'));
    expect(keystone.asked.validations).toBe(validations);
    const forgetful = await started({ auth: 'keystone', keystone: keystoneSettings(0) });
    await forgetful.get(path, nameOf('ann'));
    await forgetful.get(path, nameOf('ann'));
    expect(keystone.asked.validations).toBe(validations + 2);
  });

  test('is shown a new token of ours when it takes the old one no more', async () => {
    const api = await started({ auth: 'keystone', keystone: keystoneSettings(0) });
    expect((await api.get(path, nameOf('ann'))).status).toBe(200);
    keystone.expireServiceTokens();
    expect((await api.get(path, nameOf('ann'))).status).toBe(200);
  });

  test('that is away, or does not know us, is a fault of the server', async () => {
    const api = await byKeystone();
    keystone.failure = 500;
    const { status, body } = await api.get(path, nameOf('ann'));
    expect([status, body.faultcode]).toEqual([503, 'Server']);
    keystone.failure = undefined;
    expect((await api.get(path, nameOf('ann'))).status).toBe(200);
    const unknown = await started({ auth: 'keystone', keystone: { ...keystoneSettings(), password: 'wrong' } });
    const answer = await unknown.get(path, nameOf('ann'));
    expect(answer.status).toBe(503);
    expect(JSON.stringify(answer.body)).not.toContain('wrong');
  });

  test('confirms tokens that have ended, and they are refused', async () => {
    keystone.tokens.set('old', { projectId: 'one', roles: ['member'], expiresAt: new Date(Date.now() - 1) });
    const api = await byKeystone();
    const { status, headers } = await api.get(path, { 'x-auth-token': 'old' });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe(`Keystone uri="${keystone.url}"`);
  });

  test('gives tokens without a project, which see nothing unless they are an administrator’s', async () => {
    keystone.tokens.set('unscoped', { roles: ['member'] });
    keystone.tokens.set('system', { roles: ['admin'] });
    const api = await byKeystone();
    expect((await api.get(path, { 'x-auth-token': 'unscoped' })).status).toBe(403);
    expect((await api.get(path, { 'x-auth-token': 'system' })).status).toBe(200);
  });
});
