// Compute in the noop world. Does not retry: a fault that a test asked for shall strike.
import type { DeploymentId } from '../../../domain/ids.ts';
import type { WorldClient } from '../../noop-world/client.ts';
import type { ComputeDriver } from '../driver.ts';

/** The client may be shared; `close` ends its connection. */
export function noopCompute(world: WorldClient, deploymentId: DeploymentId): ComputeDriver {
  return {
    name: 'noop',
    listsEverything: true,
    offers: [
      'computeFlavor',
      'imageTag',
      'computeZone',
      'volumeZone',
      'managementNetwork',
      'sharedAmphorae',
      'antiAffinity',
    ],
    create: (request, signal) => world.call('compute.create', request, signal),
    get: async (amphoraId, signal) => (await world.call('compute.get', { amphoraId }, signal)) ?? undefined,
    delete: async (amphoraId, signal) => void (await world.call('compute.delete', { amphoraId }, signal)),
    list: (signal) => world.call('compute.list', { deploymentId }, signal),
    close: () => world.close(),
  };
}
