// Amphorae, spares and subnets: what operators ask of what serves load balancers.
import type { AmphoraCommand } from '../../domain/amphora/commands.ts';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import type { SparesPoolView } from '../../domain/operator-views.ts';
import type { AmphoraStatisticsView, AmphoraView, SubnetView } from '../../domain/views.ts';
import { RpcError } from '../rpc/errors.ts';
import { changes, type HandlersOf, reads, result } from '../rpc/method.ts';
import { maybe, needed } from '../rpc/parameters.ts';
import { objectId } from '../rpc/values.ts';
import { type ChangeContext, type Dispatch, notFound } from './dispatch.ts';
import { found, listed, page, type Page, pageOf, refuseLostMarker } from './lists.ts';
import type { CommandPorts } from './ports.ts';

const amphoraId = needed(objectId<AmphoraId>(), 'The amphora.');
export const fleetMethods = {
  'amphora.list': reads({
    summary: 'Amphorae, spares included.',
    params: { loadBalancerId: maybe(objectId<LoadBalancerId>(), 'Only those of this load balancer.'), ...page },
    result: result<Page<AmphoraView>>(`\`items\`: list of Amphora. ${listed}`),
  }),
  'amphora.show': reads({
    summary: 'An amphora.',
    params: { id: amphoraId },
    result: result<AmphoraView>('Amphora.'),
    errors: ['notFound'],
  }),
  'amphora.statistics': reads({
    summary: 'What an amphora has counted.',
    params: { id: amphoraId },
    result: result<{ readonly items: readonly AmphoraStatisticsView[] }>(
      '`items`: list of AmphoraStatistics, one for each listener, as of some seconds ago.',
    ),
    errors: ['notFound'],
  }),
  'amphora.failover': changes({
    summary: 'Replaces an amphora of a load balancer. Its replacement is there before it goes.',
    params: { id: amphoraId },
    result: result<{ readonly amphora: AmphoraView | null }>('`amphora`: Amphora, the one that goes.'),
    errors: ['notFound', 'conflict', 'immutable'],
  }),
  'amphora.configure': changes({
    summary:
      'Gives the agent of an amphora its configuration again, as it is now: after a change of the heartbeat key.',
    params: { id: amphoraId },
    result: result<{ readonly amphora: AmphoraView | null }>('`amphora`: Amphora.'),
    errors: ['notFound', 'conflict'],
  }),
  'amphora.rotateCertificate': changes({
    summary: 'Gives the agent of an amphora another certificate. Traffic does not notice.',
    params: { id: amphoraId },
    result: result<{ readonly amphora: AmphoraView | null }>(
      '`amphora`: Amphora; `certificateBusy` until its agent shows the other one.',
    ),
    errors: ['notFound', 'conflict'],
  }),
  'spares.show': reads({
    summary: 'The pool of spare amphorae.',
    params: {},
    result: result<SparesPoolView>('SparesPool.'),
    errors: ['unavailable'],
  }),
  'subnet.list': reads({
    summary: 'Subnets that VIPs can be on.',
    params: {},
    result: result<Page<SubnetView>>('`items`: list of Subnet; `next` is null.'),
  }),
} as const;

export function fleetHandlers(ports: CommandPorts, dispatch: Dispatch): HandlersOf<typeof fleetMethods> {
  const { reads, network, sparesView } = ports;
  const change = async (id: string, command: AmphoraCommand, context: ChangeContext) => {
    await dispatch.toAmphora(id, command, context);
    return { amphora: (await reads.findAmphora(id)) ?? null };
  };
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
    'amphora.configure': (params, context) => change(params.id, { type: 'configureAgent' }, context),
    'amphora.rotateCertificate': (params, context) =>
      change(params.id, { type: 'rotateCertificate', fingerprint: null }, context),
    'spares.show': (_, { signal }) => sparesView(signal),
    'subnet.list': async (_, { signal }) => ({ items: await network.subnets(signal), next: null }),
  };
}
