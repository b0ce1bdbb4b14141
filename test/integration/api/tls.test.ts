import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { type PemFiles, type TestAuthority, testAuthority } from '../../support/certificates.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { startTestNode, type TestNode } from '../../support/tree.ts';

const folder = tempFolder('api-tls');
const world = new FakeWorld();
let node: TestNode;
let authority: TestAuthority;
let files: PemFiles;
let api: TestApi;

afterAll(async () => {
  await api.close();
  await node.close();
});
const database = useTestDatabase();

beforeAll(async () => {
  node = await startTestNode({ url: database.url, world });
  authority = await testAuthority(folder);
  files = await authority.sign('server', 'localhost');
  const tokens = [`${createHash('sha256').update('secret').digest('hex')}:one:member`];
  api = await startTestApi(node, world, { auth: 'token', tokens, tls: files });
});

function get(path: string, headers: Readonly<Record<string, string>> = {}) {
  return new Promise<{ readonly status: number | undefined; readonly body: string }>((resolve, reject) => {
    const ca = readFileSync(authority.file);
    const options = { host: '127.0.0.1', servername: 'localhost', port: api.port, path, headers, ca, agent: false };
    const sent = request(options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('with a certificate the API speaks TLS, and its links say so', async () => {
  const { body } = await get('/');
  expect(body).toContain(`https://127.0.0.1:${api.port}/v2`);
  expect((await get('/v2/lbaas/loadbalancers')).status).toBe(401);
  expect((await get('/v2/lbaas/loadbalancers', { authorization: 'Bearer secret' })).status).toBe(200);
});

test('a key that is not the certificate’s is refused by the names of the settings', async () => {
  const other = await authority.sign('server', 'other');
  const mixed = { certificate: files.certificate, key: other.key };
  await expect((async () => startTestApi(node, world, { tls: mixed }))()).rejects.toThrow('api.tls.key');
});
