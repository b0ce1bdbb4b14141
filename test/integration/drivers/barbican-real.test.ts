// Certificates in a real Barbican: stored as a user does, read as the service does.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { SecretKind } from '../../../src/domain/load-balancer/tls.ts';
import { barbicanCertificateManager } from '../../../src/drivers/certificate-manager/barbican/barbican.ts';
import type { CertificateManager } from '../../../src/drivers/certificate-manager/driver.ts';
import { PermanentFailure } from '../../../src/drivers/failure.ts';
import { ServiceToken } from '../../../src/drivers/keystone/service-token.ts';
import { hasBarbican, useBarbican } from '../../support/barbican.ts';
import { type PemFiles, testAuthority } from '../../support/certificates.ts';
import { adminPassword, useKeystone } from '../../support/keystone.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const withBarbican = hasBarbican() ? describe : describe.skip;
const keystone = useKeystone();
const barbican = useBarbican();
const folder = tempFolder('barbican-real');
const domain = { id: 'default' };

withBarbican('(skipped where python3-barbican or python3-keystone is not installed)', () => {
  let keystoneUrl = '';
  let url = '';
  let alice = '';
  let mallory = '';
  let manager: CertificateManager;
  let web: PemFiles;
  let authority = '';

  async function call<T>(token: string, method: string, to: string, body?: object): Promise<T> {
    const headers = { 'content-type': 'application/json', accept: 'application/json', 'x-auth-token': token };
    const response = await fetch(to, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${to}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  async function tokenFor(name: string, password: string, project: string): Promise<string> {
    const identity = { methods: ['password'], password: { user: { name, password, domain } } };
    const response = await fetch(`${keystoneUrl}/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity, scope: { project: { name: project, domain } } } }),
    });
    return response.headers.get('x-subject-token') ?? '';
  }

  /** A user with a role in a project of its own. */
  async function userWith(admin: string, name: string, role: string): Promise<string> {
    const to = (path: string) => `${keystoneUrl}/v3${path}`;
    const { project } = await call<{ project: { id: string } }>(admin, 'POST', to('/projects'), {
      project: { name: `p-${name}` },
    });
    const { user } = await call<{ user: { id: string } }>(admin, 'POST', to('/users'), {
      user: { name, password: 'a-password' },
    });
    const { roles } = await call<{ roles: { id: string }[] }>(admin, 'GET', to(`/roles?name=${role}`));
    await call(admin, 'PUT', to(`/projects/${project.id}/users/${user.id}/roles/${roles[0]?.id}`));
    return tokenFor(name, 'a-password', `p-${name}`);
  }

  /** As `openstack secret store` does. */
  async function store(token: string, payload: string | Buffer): Promise<string> {
    const content =
      typeof payload === 'string'
        ? { payload, payload_content_type: 'text/plain' }
        : {
            payload: payload.toString('base64'),
            payload_content_type: 'application/octet-stream',
            payload_content_encoding: 'base64',
          };
    return (await call<{ secret_ref: string }>(token, 'POST', `${url}/v1/secrets`, { name: 'x', ...content }))
      .secret_ref;
  }

  const read = (ref: string, kind: SecretKind = 'certificate', userToken?: string) =>
    manager.fetch({ ref, kind, projectId: 'p', userToken }, AbortSignal.timeout(20_000));

  beforeAll(async () => {
    ({ url: keystoneUrl } = await keystone.start());
    const admin = await tokenFor('admin', adminPassword, 'admin');
    await call(admin, 'POST', `${keystoneUrl}/v3/roles`, { role: { name: 'creator' } });
    alice = await userWith(admin, 'alice', 'creator');
    mallory = await userWith(admin, 'mallory', 'creator');
    await userWith(admin, 'octavia', 'member');
    url = await barbican.start(keystoneUrl);
    const account = { user: 'octavia', password: 'a-password', userDomain: 'Default', projectDomain: 'Default' };
    const service = new ServiceToken({ ...account, url: keystoneUrl, project: 'p-octavia' });
    manager = barbicanCertificateManager({ url, service });
    const ca = await testAuthority(folder);
    authority = readFileSync(ca.file, 'utf8');
    web = await ca.sign('server', 'web.example');
  }, 120_000);

  test('a bundle is read once its owner has referred to it, and by nobody else’s word', async () => {
    const out = join(folder, 'web.p12');
    const own = ['-inkey', web.key, '-in', web.certificate, '-certfile', join(folder, 'ca.pem')];
    execFileSync('openssl', ['pkcs12', '-export', ...own, '-passout', 'pass:', '-out', out]);
    const ref = await store(alice, readFileSync(out));
    await expect(read(ref)).rejects.toThrow('Barbican answered 403 to this service');
    await expect(read(ref, 'certificate', mallory)).rejects.toThrow(PermanentFailure);
    const pem = await read(ref, 'certificate', alice);
    expect(pem).toContain(readFileSync(web.certificate, 'utf8').trim());
    expect(await read(ref)).toBe(pem);
  }, 60_000);

  test('a container is read with all that is in it', async () => {
    const [certificate, key] = [readFileSync(web.certificate, 'utf8'), readFileSync(web.key, 'utf8')];
    const parts = { certificate, private_key: key, intermediates: authority };
    const refs: { name: string; secret_ref: string }[] = [];
    for (const [name, text] of Object.entries(parts)) refs.push({ name, secret_ref: await store(alice, text) });
    const body = { type: 'certificate', name: 'x', secret_refs: refs };
    const { container_ref: ref } = await call<{ container_ref: string }>(alice, 'POST', `${url}/v1/containers`, body);
    const pem = await read(ref, 'certificate', alice);
    expect(pem.match(/BEGIN [A-Z ]+/g)).toEqual(['BEGIN CERTIFICATE', 'BEGIN PRIVATE KEY', 'BEGIN CERTIFICATE']);
    expect(await read(ref)).toBe(pem);
  }, 60_000);

  test('authorities are read, and what is not there is said to be so', async () => {
    const ref = await store(alice, authority);
    expect(await read(ref, 'authority', alice)).toBe(authority);
    const nowhere = `${url}/v1/secrets/5c6f1d2e-0000-4000-8000-000000000001`;
    await expect(read(nowhere)).rejects.toThrow('Barbican answered 404 to this service');
  }, 60_000);
});
