// The drivers of `local` together with the real agent and the real haproxy, as the controller puts them together.
import { randomUUID } from 'node:crypto';
import { createServer, get } from 'node:http';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { configDriveFiles } from '../../../src/domain/amphora/config-drive.ts';
import type { AmphoraId, DeploymentId, LoadBalancerId } from '../../../src/domain/ids.ts';
import { createRestAmphoraDriver } from '../../../src/drivers/amphora/rest/rest.ts';
import { createLocalCertificateDriver } from '../../../src/drivers/certificate/local/local.ts';
import { localCompute } from '../../../src/drivers/compute/local/driver.ts';
import { amphoraProcesses } from '../../../src/drivers/compute/local/processes.ts';
import { localNetwork } from '../../../src/drivers/network/local/driver.ts';
import { built } from '../../support/built.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const folder = join(tempFolder('local-amphora'), 'a-long-name'.repeat(12));
const deploymentId = randomUUID() as DeploymentId;
const amphoraId = randomUUID() as AmphoraId;
const loadBalancerId = randomUUID() as LoadBalancerId;
const signal = new AbortController().signal;
const connect = () =>
  localCompute({
    folder,
    managementSubnet: '127.203.0.0/16',
    deploymentId,
    agentMain: built('agent/main.js'),
    haproxy: 'haproxy',
  });
const compute = connect();
const family = () => amphoraProcesses().filter((one) => one.folder.endsWith(amphoraId));

afterAll(() => compute.delete(amphoraId, signal));

function fetchText(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host, port, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

test('an amphora boots, serves the VIP, is adopted by the next controller, and goes with all it started', async () => {
  const member = createServer((_, response) => response.end('from the member'));
  await new Promise<void>((resolve) => member.listen(0, '127.0.0.1', resolve));
  const memberPort = (member.address() as { port: number }).port;
  const network = localNetwork({
    cidr: '127.204.0.0/16',
    additionalCidr: '127.87.0.0/16',
    vrrpSubnet: '127.205.0.0/16',
    managementSubnet: '127.206.0.0/16',
  });
  const certificates = await createLocalCertificateDriver({
    folder: join(folder, '..', 'ca'),
    keyType: 'p256',
    serverCertificateDays: 30,
  });
  const rest = createRestAmphoraDriver({
    credentials: certificates.controllerCredentials(),
    connectTimeoutMs: 2000,
    readTimeoutMs: 5000,
  });
  const issued = await certificates.issue(amphoraId, signal);
  const files = configDriveFiles({
    amphoraId,
    controllers: ['127.0.0.1:9'],
    heartbeatKey: 'a-heartbeat-key-of-the-test',
    heartbeatInterval: 1,
    topology: 'SINGLE',
    serverPem: issued.certificatePem + issued.privateKeyPem,
    clientCaPem: certificates.clientCaPem(),
  });

  const instance = await compute.create({ amphoraId, deploymentId, files }, signal);
  if (instance.agent === undefined) throw new Error('a local amphora has its address at once');
  const address = { amphoraId, endpoint: instance.agent };
  const info = await rest.info(address, signal);
  expect(info.certificateFingerprint).toBe(issued.fingerprint);

  const [subnet] = await network.subnets(signal);
  const vip = await network.allocateVip(
    { loadBalancerId, subnetId: subnet?.id ?? '', address: null, taken: [] },
    signal,
  );
  const port = await network.plugVip(
    {
      loadBalancerId,
      amphoraId,
      computeId: instance.computeId,
      agentHost: '127.206.0.1',
      policy: { qosPolicyId: null, securityGroupIds: [] },
      vip,
    },
    signal,
  );
  const configuration = `global
  stats socket /var/lib/octavia/${loadBalancerId}.sock mode 0666 level user
  maxconn 100
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend 11111111-1111-4111-8111-111111111111
  mode http
  bind ${vip.address}:8080
  default_backend 22222222-2222-4222-8222-222222222222:11111111-1111-4111-8111-111111111111
backend 22222222-2222-4222-8222-222222222222:11111111-1111-4111-8111-111111111111
  mode http
  server 33333333-3333-4333-8333-333333333333 127.0.0.1:${memberPort}
`;
  const request = { loadBalancerId, vipAddress: vip.address, port, configuration, files: [], lvs: null };
  expect(await rest.serve(address, request, signal)).toEqual({ accepted: true });
  const served = await waitFor(() => fetchText(vip.address, 8080), { describe: 'the VIP to answer' });
  expect(served).toBe('from the member');
  expect(family().length).toBeGreaterThanOrEqual(3);

  expect(await connect().create({ amphoraId, deploymentId, files }, signal)).toEqual(instance);

  const agent = family().find((one) => one.isAgent);
  process.kill(agent?.pid ?? 0, 'SIGKILL');
  const orphaned = async () => (await compute.get(amphoraId, signal))?.status !== 'ACTIVE';
  await waitFor(orphaned, { describe: 'the agent to be gone' });
  await compute.delete(amphoraId, signal);
  expect(family()).toEqual([]);
  await expect(fetchText(vip.address, 8080)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await rest.close();
  await new Promise((resolve) => member.close(resolve));
});
