import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import type { AmphoraId, DeploymentId } from '../../src/domain/ids.ts';
import { noopCompute } from '../../src/drivers/compute/noop/driver.ts';
import { noopNetwork } from '../../src/drivers/network/noop/driver.ts';
import { WorldClient } from '../../src/drivers/noop-world/client.ts';
import { serveWorld, type WorldServer } from '../../src/drivers/noop-world/server.ts';
import { computeDriverContract } from './compute-driver.ts';
import { networkDriverContract } from './network-driver.ts';

let server: WorldServer;
beforeAll(async () => {
  server = await serveWorld({});
});
afterAll(() => server.close());

const client = (): WorldClient => new WorldClient({ address: server.address, node: 'contract' });
const deploymentId = randomUUID() as DeploymentId;

computeDriverContract('noop', { connect: (deployment) => noopCompute(client(), deployment), files: () => ({}) });

networkDriverContract('noop', {
  connect: () => noopNetwork(client()),
  usableAddress: '10.9.8.7',
  foreignAddress: '192.0.2.1',
  reservedAddress: '10.255.255.255',
  instance: async () => {
    const compute = noopCompute(client(), deploymentId);
    const request = { amphoraId: randomUUID() as AmphoraId, deploymentId, files: {} };
    const instance = await compute.create(request, new AbortController().signal);
    await compute.close();
    return instance;
  },
});
