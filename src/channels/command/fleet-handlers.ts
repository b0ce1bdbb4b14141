// Amphorae, spares and subnets: what operators ask of what serves load balancers.
import { RpcError } from '../rpc/errors.ts';
import type { agentMethods } from './amphora-methods.ts';
import { type Dispatch, notFound } from './dispatch.ts';
import { found, pageOf, refuseLostMarker } from './lists.ts';
import type { HandlersFor } from './methods.ts';
import type { CommandPorts } from './ports.ts';

export function fleetHandlers(
  ports: CommandPorts,
  dispatch: Dispatch,
): Omit<HandlersFor<'amphora' | 'spares' | 'subnet'>, keyof typeof agentMethods> {
  const { reads, network, sparesView } = ports;
  return {
    'amphora.list': async (query) => {
      const items = await reads.listAmphorae(query);
      if (items.length === 0) await refuseLostMarker(query.marker, (id) => reads.findAmphora(id));
      return pageOf(items, query.limit);
    },
    'amphora.show': ({ id }) => found(reads.findAmphora(id), 'amphora', id),
    'amphora.statistics': async ({ id }) => {
      await found(reads.findAmphora(id), 'amphora', id);
      return { items: await reads.amphoraStatistics(id) };
    },
    'amphora.failover': async ({ id }, context) => {
      const amphora = await reads.findAmphora(id);
      if (amphora === undefined) {
        await dispatch.answeredBefore(context, notFound('amphora', id));
        return { amphora: null };
      }
      if (amphora.loadBalancerId === null) {
        throw new RpcError('conflict', `Amphora ${id} is a spare: it serves no load balancer`, { field: 'id' });
      }
      const command = {
        type: 'failoverAmphora',
        amphoraId: id,
        why: 'replaced',
        reason: 'failover was asked for',
      } as const;
      if (amphora.mayBeJoined || amphora.otherLoadBalancerIds.length > 0) {
        // Those that share it hear of it from the amphora, each at its time; so does one that joins until then.
        await dispatch.toAmphora(id, { type: 'vacateAmphora', reason: command.reason }, context);
      } else {
        await dispatch.toLoadBalancer(amphora.loadBalancerId, command, context);
      }
      return { amphora: (await reads.findAmphora(id)) ?? null };
    },
    'spares.show': (_, { signal }) => sparesView(signal),
    'subnet.list': async (_, { signal }) => ({ items: await network.subnets(signal), next: null }),
  };
}
