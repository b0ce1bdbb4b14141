// The network of the noop world: one large subnet. Does not retry: a fault that a test asked for shall strike.
import type { WorldClient } from '../../noop-world/client.ts';
import type { NetworkDriver } from '../driver.ts';

/** The client may be shared; `close` ends its connection. */
export function noopNetwork(world: WorldClient): NetworkDriver {
  return {
    name: 'noop',
    offers: { qosPolicies: true, securityGroups: true, sriovPorts: true },
    subnets: (signal) => world.call('network.subnets', {}, signal),
    resolveVip: (request, signal) => world.call('network.resolveVip', request, signal),
    allocateVip: (request, signal) => world.call('network.allocateVip', request, signal),
    plugVip: (request, signal) => world.call('network.plugVip', request, signal),
    unplugVip: async (request, signal) => void (await world.call('network.unplugVip', request, signal)),
    releaseVip: async (loadBalancerId, signal) =>
      void (await world.call('network.releaseVip', { loadBalancerId }, signal)),
    close: () => world.close(),
  };
}
