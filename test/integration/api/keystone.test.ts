// `api.auth: keystone` with a real Keystone: its tokens, its roles, its refusals.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { adminPassword, hasKeystone, type Keystone, keystoneToken, useKeystone } from '../../support/keystone.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { startTestNode, type TestNode } from '../../support/tree.ts';

const withKeystone = hasKeystone() ? describe : describe.skip;
const keystone = useKeystone();
const world = new FakeWorld();
let node: TestNode | undefined;
let api: TestApi | undefined;

afterAll(async () => {
  await api?.close();
  await node?.close();
});
const database = useTestDatabase();
const path = '/v2/lbaas/loadbalancers';

withKeystone('(skipped where python3-keystone is not installed)', () => {
  let identity: Keystone;
  let admin = '';
  let server: TestApi;

  /** A user with a role in a project of its own; gives its token. */
  async function userWith(name: string, role: string) {
    const { project } = await identity.call<{ project: { id: string } }>('POST', '/projects', {
      project: { name: `p-${name}` },
    });
    const { user } = await identity.call<{ user: { id: string } }>('POST', '/users', {
      user: { name, password: 'a-password' },
    });
    const { roles } = await identity.call<{ roles: { id: string }[] }>('GET', `/roles?name=${role}`);
    await identity.call('PUT', `/projects/${project.id}/users/${user.id}/roles/${roles[0]?.id}`);
    return keystoneToken(identity.url, { user: name, password: 'a-password', project: `p-${name}` });
  }

  beforeAll(async () => {
    identity = await keystone.start();
    const { url } = identity;
    admin = (await keystoneToken(url, { user: 'admin', password: adminPassword, project: 'admin' })).token;
    node = await startTestNode({ url: database.url, world, spares: 2 });
    server = await startTestApi(node, world, {
      auth: 'keystone',
      keystone: {
        url,
        user: 'admin',
        password: adminPassword,
        userDomain: 'Default',
        project: 'admin',
        projectDomain: 'Default',
        cacheSeconds: 0,
      },
    });
    api = server;
  }, 120_000);

  test('its tokens open what their roles and projects allow, until they are revoked', async () => {
    const member = await userWith('member', 'member');
    const reader = await userWith('reader', 'reader');
    const as = ({ token }: { token: string }) => ({ 'x-auth-token': token });
    const body = { loadbalancer: { vip_subnet_id: 'subnet', name: 'mine' } };
    const made = await server.request('POST', path, body, as(member));
    expect([made.status, made.body.loadbalancer?.project_id]).toEqual([201, member.projectId]);
    const own = `${path}/${made.body.loadbalancer.id}`;
    expect((await server.get(own, as(member))).status).toBe(200);
    expect((await server.get(own, as(reader))).status).toBe(404);
    expect((await server.request('POST', path, body, as(reader))).status).toBe(403);
    expect((await server.get(own, { 'x-auth-token': admin })).status).toBe(200);
    expect((await server.get(own, { 'x-auth-token': 'nonsense' })).status).toBe(401);
    const revoked = await fetch(`${identity.url}/v3/auth/tokens`, {
      method: 'DELETE',
      headers: { 'x-auth-token': admin, 'x-subject-token': member.token },
    });
    expect(revoked.status).toBe(204);
    expect((await server.get(own, as(member))).status).toBe(401);
  }, 60_000);
});
