// Carries the methods of the command channel out: from parameters to commands, from answers to views.
import type {
  LoadBalancerCommand,
  NewHealthMonitor,
  NewL7Rule,
  NewMember,
} from '../../domain/load-balancer/commands.ts';
import { deriveId } from '../../domain/ids.ts';
import type { ObjectKind } from '../../domain/load-balancer/state.ts';
import type { StatusChange } from '../../domain/views.ts';
import type { CallContext, CommandKey } from '../rpc/method.ts';
import { refuseSwitchedOff, refuseSwitchedOffIn, refuseUnplaced } from './allowances.ts';
import { alertHandlers } from './alerts.ts';
import { attributesIn, patchIn } from './attributes.ts';
import { type CreateParams, creationOf } from './creation.ts';
import { type ChangeContext, type Dispatch, dispatchTo } from './dispatch.ts';
import { catalogueHandlers } from './catalogue-handlers.ts';
import type { CommandHandlers, HandlersFor } from './methods.ts';
import type { Deleted } from './object-methods.ts';
import type { CommandPorts } from './ports.ts';
import { fleetHandlers } from './fleet.ts';
import { found, listedWithin } from './lists.ts';
import { type MemberSubnets, memberSubnets } from './member-subnets.ts';
import { quotaHandlers } from './quota.ts';
import {
  healthMonitorShape,
  l7PolicyShape,
  l7RuleShape,
  listenerShape,
  loadBalancerShape,
  memberShape,
  poolShape,
} from './shapes.ts';
import { Subscriptions } from './subscriptions.ts';
import { type TlsAdmission, tlsAdmission } from './tls.ts';
import { refuseWithout } from './vip.ts';
import { newL7PolicyTree, newListenerTree, newPoolTree, newTree } from './tree-of.ts';

/** What is looked up before a load balancer hears of a change. */
interface Admission {
  readonly tls: TlsAdmission;
  readonly subnets: MemberSubnets;
}

export function commandHandlers(ports: CommandPorts): CommandHandlers {
  const dispatch = dispatchTo(ports);
  const tls = tlsAdmission(ports);
  const subnets = memberSubnets(ports);
  return {
    ...loadBalancerHandlers(ports, dispatch, { tls, subnets }),
    ...listenerHandlers(ports, dispatch, { tls, subnets }),
    ...poolHandlers(ports, dispatch, { tls, subnets }),
    ...memberHandlers(ports, dispatch, subnets),
    ...healthMonitorHandlers(ports, dispatch),
    ...l7PolicyHandlers(ports, dispatch, { tls, subnets }),
    ...l7RuleHandlers(ports, dispatch),
    ...quotaHandlers(ports.quotas),
    ...fleetHandlers(ports, dispatch),
    ...catalogueHandlers(ports.catalogue, ports.placement.offers),
    ...alertHandlers(ports),
    ...statusHandlers(ports),
    'server.info': async () => ports.info,
  };
}

/** How long the answer to a create waits for the address of the VIP. */
const placementMs = 1_000;

function loadBalancerHandlers(
  ports: CommandPorts,
  dispatch: Dispatch,
  { tls, subnets }: Admission,
): HandlersFor<'loadBalancer'> {
  const { reads, allowed } = ports;
  const view = async (id: string) => ({ loadBalancer: (await reads.findObject('loadBalancer', id)) ?? null });
  const admitted = async (params: CreateParams, context: ChangeContext) => {
    const given = newTree(params, context.command.id);
    refuseUnplaced(allowed, params);
    refuseSwitchedOff(allowed, { vip: params });
    refuseSwitchedOffIn(allowed, given);
    const creation = await creationOf(ports, params, context);
    await subnets.admitTree(given, context);
    const { listeners, pools } = await tls.newTree(given, params, context);
    return { ...creation, listeners, pools };
  };
  return {
    'loadBalancer.create': async (params, context) => {
      const { id } = await admitted(params, context).then(
        (command) => dispatch.toLoadBalancer(command.loadBalancerId, command, context),
        // What was taken before is answered as it was then, whatever has become of its flavor or its network.
        (refusal: unknown) => dispatch.answeredBefore(context, refusal),
      );
      // Scripts take the address from the answer. Without one in time it is null, and comes later.
      const soon = AbortSignal.any([context.signal, AbortSignal.timeout(placementMs)]);
      await ports.loadBalancers.whenPlaced(id, soon).catch(() => undefined);
      return { loadBalancer: (await reads.loadBalancerTree(id)) ?? null };
    },
    'loadBalancer.update': async ({ id, ...params }, context) => {
      const patch = patchIn(loadBalancerShape, params);
      refuseWithout(ports.network, patch);
      await dispatch.toLoadBalancer(id, { type: 'updateLoadBalancer', patch }, context);
      return view(id);
    },
    'loadBalancer.delete': async ({ id, cascade }, context) => {
      await dispatch.toLoadBalancer(id, { type: 'deleteLoadBalancer', cascade }, context);
      return { id };
    },
    'loadBalancer.failover': async ({ id }, context) => {
      await dispatch.toLoadBalancer(id, { type: 'failoverLoadBalancer' }, context);
      return view(id);
    },
    'loadBalancer.show': ({ id }) => found(reads.findObject('loadBalancer', id), 'loadBalancer', id),
    'loadBalancer.list': ({ projectId, ...page }) => listedWithin(reads, 'loadBalancer', page, 'project_id', projectId),
    'loadBalancer.status': ({ id }) => found(reads.statusTree(id), 'loadBalancer', id),
    'loadBalancer.statistics': async ({ id }) => {
      await found(reads.findObject('loadBalancer', id), 'loadBalancer', id);
      return reads.statisticsOf('loadBalancer', id);
    },
    'loadBalancer.explain': ({ id }) => found(reads.explainLoadBalancer(id), 'loadBalancer', id),
  };
}

function listenerHandlers(
  { reads, allowed }: CommandPorts,
  dispatch: Dispatch,
  { tls, subnets }: Admission,
): HandlersFor<'listener'> {
  const view = async (id: string) => ({ listener: (await reads.findObject('listener', id)) ?? null });
  return {
    'listener.create': async ({ loadBalancerId, ...params }, context) => {
      const given = newListenerTree(params, context.command.id);
      refuseSwitchedOffIn(allowed, given);
      await subnets.admitTree(given, context);
      const { listeners, pools } = await tls.newTree(given, { loadBalancerId }, context);
      const command = { type: 'createListener', listener: only(listeners), pools } as const;
      const { id } = await dispatch.toLoadBalancer(loadBalancerId, command, context);
      return view(id);
    },
    'listener.update': async ({ id, ...params }, context) => {
      const patch = await tls.changedListener(id, patchIn(listenerShape, params), context);
      await dispatch.toOwnerOf('listener', id, () => ({ type: 'updateListener', id, patch }), context);
      return view(id);
    },
    'listener.delete': ({ id }, context) => deletion(dispatch, 'listener', id, context),
    'listener.show': ({ id }) => found(reads.findObject('listener', id), 'listener', id),
    'listener.statistics': async ({ id }) => {
      await found(reads.findObject('listener', id), 'listener', id);
      return reads.statisticsOf('listener', id);
    },
    'listener.list': ({ loadBalancerId, ...page }) =>
      listedWithin(reads, 'listener', page, 'load_balancer_id', loadBalancerId),
  };
}

function poolHandlers(
  { reads, allowed }: CommandPorts,
  dispatch: Dispatch,
  { tls, subnets }: Admission,
): HandlersFor<'pool'> {
  const view = async (id: string) => ({ pool: (await reads.findObject('pool', id)) ?? null });
  return {
    'pool.create': async ({ loadBalancerId, listenerId, ...params }, context) => {
      const given = newPoolTree(params, context.command.id);
      refuseSwitchedOffIn(allowed, given);
      await subnets.admitTree(given, context);
      const { pools } = await tls.newTree(given, { loadBalancerId, listenerId }, context);
      const command = { type: 'createPool', pool: only(pools), listenerId } as const;
      const { id } =
        loadBalancerId !== null
          ? await dispatch.toLoadBalancer(loadBalancerId, command, context)
          : await dispatch.toOwnerOf('listener', listenerId ?? '', () => command, context);
      return view(id);
    },
    'pool.update': async ({ id, ...params }, context) => {
      const patch = await tls.changedPool(id, patchIn(poolShape, params), context);
      await dispatch.toOwnerOf('pool', id, () => ({ type: 'updatePool', id, patch }), context);
      return view(id);
    },
    'pool.delete': ({ id }, context) => deletion(dispatch, 'pool', id, context),
    'pool.show': ({ id }) => found(reads.findObject('pool', id), 'pool', id),
    'pool.list': ({ loadBalancerId, ...page }) => listedWithin(reads, 'pool', page, 'load_balancer_id', loadBalancerId),
  };
}

function memberHandlers({ reads }: CommandPorts, dispatch: Dispatch, subnets: MemberSubnets): HandlersFor<'member'> {
  const view = async (id: string) => ({ member: (await reads.findObject('member', id)) ?? null });
  return {
    'member.create': async ({ poolId, ...params }, context) => {
      const member: NewMember = { id: newId(context, 'member'), attributes: attributesIn(memberShape, params) };
      await subnets.admit(member, context);
      const { id } = await dispatch.toOwnerOf(
        'pool',
        poolId,
        () => ({ type: 'createMember', poolId, member }),
        context,
      );
      return view(id);
    },
    'member.update': async ({ id, ...params }, context) => {
      const patch = patchIn(memberShape, params);
      const command = ({ poolId }: { readonly poolId: string | null }) =>
        ({ type: 'updateMember', id, poolId, patch }) as Extract<LoadBalancerCommand, { type: 'updateMember' }>;
      await dispatch.toOwnerOf('member', id, command, context);
      return view(id);
    },
    'member.delete': ({ id }, context) => deletion(dispatch, 'member', id, context),
    'member.replace': async ({ poolId, members: given, additiveOnly }, context) => {
      const members = given.map(
        (member, index): NewMember => ({
          id: deriveId(context.command.id, 'member', index),
          attributes: attributesIn(memberShape, member),
        }),
      );
      await subnets.admitAll(poolId, members, context);
      await dispatch.toOwnerOf(
        'pool',
        poolId,
        () => ({ type: 'replaceMembers', poolId, members, additiveOnly }),
        context,
      );
      const { items } = await listedWithin(reads, 'member', { limit: 10_000, marker: null }, 'pool_id', poolId);
      return { members: items };
    },
    'member.show': ({ id }) => found(reads.findObject('member', id), 'member', id),
    'member.list': ({ poolId, ...page }) => listedWithin(reads, 'member', page, 'pool_id', poolId),
  };
}

function healthMonitorHandlers({ reads, allowed }: CommandPorts, dispatch: Dispatch): HandlersFor<'healthMonitor'> {
  const view = async (id: string) => ({ healthMonitor: (await reads.findObject('healthMonitor', id)) ?? null });
  return {
    'healthMonitor.create': async ({ poolId, ...params }, context) => {
      const attributes = attributesIn(healthMonitorShape, params);
      refuseSwitchedOff(allowed, { healthMonitor: attributes });
      const healthMonitor: NewHealthMonitor = { id: newId(context, 'healthMonitor'), attributes };
      const command = { type: 'createHealthMonitor', poolId, healthMonitor } as const;
      const { id } = await dispatch.toOwnerOf('pool', poolId, () => command, context);
      return view(id);
    },
    'healthMonitor.update': async ({ id, ...params }, context) => {
      const patch = patchIn(healthMonitorShape, params);
      await dispatch.toOwnerOf('healthMonitor', id, () => ({ type: 'updateHealthMonitor', id, patch }), context);
      return view(id);
    },
    'healthMonitor.delete': ({ id }, context) => deletion(dispatch, 'healthMonitor', id, context),
    'healthMonitor.show': ({ id }) => found(reads.findObject('healthMonitor', id), 'healthMonitor', id),
    'healthMonitor.list': ({ loadBalancerId, ...page }) =>
      listedWithin(reads, 'healthMonitor', page, 'load_balancer_id', loadBalancerId),
  };
}

function l7PolicyHandlers(
  { reads, allowed }: CommandPorts,
  dispatch: Dispatch,
  { tls, subnets }: Admission,
): HandlersFor<'l7Policy'> {
  const view = async (id: string) => ({ l7Policy: (await reads.findObject('l7Policy', id)) ?? null });
  return {
    'l7Policy.create': async ({ listenerId, ...params }, context) => {
      const { l7Policy, tree } = newL7PolicyTree(params, context.command.id);
      refuseSwitchedOffIn(allowed, tree);
      await subnets.admitTree(tree, context);
      const { pools } = await tls.newTree(tree, { listenerId }, context);
      const command = { type: 'createL7Policy', listenerId, l7Policy, pools } as const;
      const { id } = await dispatch.toOwnerOf('listener', listenerId, () => command, context);
      return view(id);
    },
    'l7Policy.update': async ({ id, ...params }, context) => {
      const patch = patchIn(l7PolicyShape, params);
      await dispatch.toOwnerOf('l7Policy', id, () => ({ type: 'updateL7Policy', id, patch }), context);
      return view(id);
    },
    'l7Policy.delete': ({ id }, context) => deletion(dispatch, 'l7Policy', id, context),
    'l7Policy.show': ({ id }) => found(reads.findObject('l7Policy', id), 'l7Policy', id),
    'l7Policy.list': ({ listenerId, loadBalancerId, ...page }) =>
      listenerId === null
        ? listedWithin(reads, 'l7Policy', page, 'load_balancer_id', loadBalancerId)
        : listedWithin(reads, 'l7Policy', page, 'listener_id', listenerId),
  };
}

function l7RuleHandlers({ reads }: CommandPorts, dispatch: Dispatch): HandlersFor<'l7Rule'> {
  const view = async (id: string) => ({ l7Rule: (await reads.findObject('l7Rule', id)) ?? null });
  return {
    'l7Rule.create': async ({ l7PolicyId, ...params }, context) => {
      const l7Rule: NewL7Rule = { id: newId(context, 'l7Rule'), attributes: attributesIn(l7RuleShape, params) };
      const command = { type: 'createL7Rule', l7PolicyId, l7Rule } as const;
      const { id } = await dispatch.toOwnerOf('l7Policy', l7PolicyId, () => command, context);
      return view(id);
    },
    'l7Rule.update': async ({ id, ...params }, context) => {
      const patch = patchIn(l7RuleShape, params);
      await dispatch.toOwnerOf('l7Rule', id, () => ({ type: 'updateL7Rule', id, patch }), context);
      return view(id);
    },
    'l7Rule.delete': ({ id }, context) => deletion(dispatch, 'l7Rule', id, context),
    'l7Rule.show': ({ id }) => found(reads.findObject('l7Rule', id), 'l7Rule', id),
    'l7Rule.list': ({ l7PolicyId, ...page }) => listedWithin(reads, 'l7Rule', page, 'l7_policy_id', l7PolicyId),
  };
}

function statusHandlers({ feed }: CommandPorts): HandlersFor<'status'> {
  const subscriptions = new Subscriptions<StatusChange>('status.changed', (listener, id) =>
    feed.subscribe(listener, id),
  );
  return {
    'status.subscribe': ({ loadBalancerId }, { peer }) => subscriptions.begin(peer, loadBalancerId ?? undefined),
    'status.unsubscribe': async (_, { peer }) => subscriptions.end(peer),
  };
}

function newId<T extends string>({ command }: CallContext<CommandKey>, kind: ObjectKind): T {
  return deriveId<T>(command.id, kind);
}

/** What a request of one object is about. */
function only<T>([first]: readonly T[]): T {
  if (first === undefined) throw new Error('a creation without its object');
  return first;
}

async function deletion(
  dispatch: Dispatch,
  kind: Exclude<ObjectKind, 'loadBalancer'>,
  id: Extract<LoadBalancerCommand, { type: 'deleteObject' }>['id'],
  context: ChangeContext,
): Promise<Deleted> {
  await dispatch.toOwnerOf(kind, id, () => ({ type: 'deleteObject', kind, id }), context);
  return { id };
}
