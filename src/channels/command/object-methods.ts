// Methods of load balancers and of what is in them: the same for each kind, create, update, delete, show and list, and what is its own.
import type {
  HealthMonitorView,
  L7PolicyView,
  L7RuleView,
  ListenerView,
  LoadBalancerTreeView,
  LoadBalancerView,
  MemberView,
  PoolView,
  StatisticsView,
  StatusTreeView,
} from '../../domain/views.ts';
import type { ExplanationView } from '../../domain/operator-views.ts';
import { providers } from '../../domain/catalogue.ts';
import type {
  HealthMonitorId,
  L7PolicyId,
  L7RuleId,
  ListenerId,
  LoadBalancerId,
  MemberId,
  PoolId,
} from '../../domain/ids.ts';
import type {
  HealthMonitorAttributes,
  L7PolicyAttributes,
  L7RuleAttributes,
  ListenerAttributes,
  LoadBalancerAttributes,
  MemberAttributes,
  PoolAttributes,
} from '../../domain/load-balancer/attributes.ts';
import { mostRules } from '../../domain/load-balancer/policy-rules.ts';
import { changes, type Problem, reads, result } from '../rpc/method.ts';
import { maybe, needed, withDefault } from '../rpc/parameters.ts';
import { flag, objectId, text } from '../rpc/values.ts';
import { change, creation } from './attributes.ts';
import { listed, page, type Page } from './lists.ts';
import {
  healthMonitorShape,
  l7PolicyShape,
  l7RuleShape,
  listenerShape,
  loadBalancerShape,
  memberShape,
  poolShape,
} from './shapes.ts';
import {
  healthMonitorParams,
  l7PolicyParams,
  l7RuleParams,
  listenerParams,
  memberParams,
  membersParam,
  poolParams,
  treeParams,
} from './trees.ts';
import { additionalVips, ipAddress } from './values.ts';

export interface Deleted {
  readonly id: string;
}

const loadBalancerId = needed(objectId<LoadBalancerId>(), 'The load balancer.');
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Clients know this sentence of Octavia's. */
function missingFromLoadBalancer({ projectId }: Readonly<Record<string, unknown>>): Problem | undefined {
  if (isGiven(projectId)) return undefined;
  return { field: 'projectId', message: 'Validation failure: Missing project ID in request where one is required.' };
}

export const loadBalancerMethods = {
  'loadBalancer.create': changes({
    summary: 'Creates a load balancer, with everything in it if wished.',
    params: {
      projectId: needed(text({ min: 1, max: 36 }), 'Project that owns it.'),
      vipSubnetId: maybe(text({ min: 1, max: 36 }), 'Subnet of the VIP. One of the three VIP ids is needed.'),
      vipNetworkId: maybe(text({ min: 1, max: 36 }), 'Network of the VIP.'),
      vipPortId: maybe(text({ min: 1, max: 36 }), 'A port that is there already.'),
      provider: maybe(
        text({ min: 1, max: 64 }),
        `One of ${providers.join(', ')}, which are the same. That of its flavor, else ${providers[0]}.`,
      ),
      vipAddress: maybe(ipAddress(), 'Address of the VIP; any free one when not given.'),
      additionalVips: withDefault(
        additionalVips(),
        [],
        'Further VIPs on other subnets of the same network, each subnet once.',
      ),
      ...creation<LoadBalancerAttributes>(loadBalancerShape),
      ...treeParams,
    },
    check: missingFromLoadBalancer,
    result: result<{ readonly loadBalancer: LoadBalancerTreeView | null }>(
      '`loadBalancer`: LoadBalancerTree; null when it was deleted since (a repeat of an old command).',
    ),
    errors: ['conflict', 'quota'],
  }),
  'loadBalancer.update': changes({
    summary: 'Changes attributes of a load balancer.',
    params: { id: loadBalancerId, ...change<LoadBalancerAttributes>(loadBalancerShape) },
    result: result<{ readonly loadBalancer: LoadBalancerView | null }>('`loadBalancer`: LoadBalancer.'),
    errors: ['notFound', 'immutable'],
  }),
  'loadBalancer.delete': changes({
    summary: 'Deletes a load balancer. In every state; it supersedes what is under way.',
    params: { id: loadBalancerId, cascade: withDefault(flag(), false, 'With everything in it.') },
    result: result<Deleted>('`id` of the load balancer. It is gone once `loadBalancer.show` answers notFound.'),
    errors: ['notFound'],
  }),
  'loadBalancer.failover': changes({
    summary: 'Replaces all amphorae of a load balancer. Replacements are there before the old ones go.',
    params: { id: loadBalancerId },
    result: result<{ readonly loadBalancer: LoadBalancerView | null }>('`loadBalancer`: LoadBalancer.'),
    errors: ['notFound', 'immutable'],
  }),
  'loadBalancer.show': reads({
    summary: 'A load balancer.',
    params: { id: loadBalancerId },
    result: result<LoadBalancerView>('LoadBalancer.'),
    errors: ['notFound'],
  }),
  'loadBalancer.list': reads({
    summary: 'Load balancers.',
    params: { projectId: maybe(text({ min: 1, max: 36 }), 'Only those of this project.'), ...page },
    result: result<Page<LoadBalancerView>>(`\`items\`: list of LoadBalancer. ${listed}`),
  }),
  'loadBalancer.status': reads({
    summary: 'Statuses of a load balancer and everything in it.',
    params: { id: loadBalancerId },
    result: result<StatusTreeView>('StatusTree.'),
    errors: ['notFound'],
  }),
  'loadBalancer.statistics': reads({
    summary: 'What all listeners of a load balancer have counted.',
    params: { id: loadBalancerId },
    result: result<StatisticsView>('Statistics, as of some seconds ago.'),
    errors: ['notFound'],
  }),
  'loadBalancer.explain': reads({
    summary: 'Why a load balancer is as it is: steps under way, failures and their next try, amphorae, owner, history.',
    params: { id: loadBalancerId },
    result: result<ExplanationView>('Explanation.'),
    errors: ['notFound'],
  }),
} as const;

const listenerId = needed(objectId<ListenerId>(), 'The listener.');
export const listenerMethods = {
  'listener.create': changes({
    summary: 'Adds a listener to a load balancer, with its pool and L7 policies if wished.',
    params: { loadBalancerId, ...listenerParams },
    result: result<{ readonly listener: ListenerView | null }>('`listener`: Listener.'),
    errors: ['notFound', 'conflict', 'immutable', 'quota'],
  }),
  'listener.update': changes({
    summary: 'Changes attributes of a listener.',
    params: { id: listenerId, ...change<ListenerAttributes>(listenerShape) },
    result: result<{ readonly listener: ListenerView | null }>('`listener`: Listener.'),
    errors: ['notFound', 'conflict', 'immutable'],
  }),
  'listener.delete': changes({
    summary: 'Deletes a listener with its L7 policies. Its pools stay.',
    params: { id: listenerId },
    result: result<Deleted>('`id` of the listener.'),
    errors: ['notFound', 'immutable'],
  }),
  'listener.show': reads({
    summary: 'A listener.',
    params: { id: listenerId },
    result: result<ListenerView>('Listener.'),
    errors: ['notFound'],
  }),
  'listener.statistics': reads({
    summary: 'What a listener has counted.',
    params: { id: listenerId },
    result: result<StatisticsView>('Statistics, as of some seconds ago.'),
    errors: ['notFound'],
  }),
  'listener.list': reads({
    summary: 'Listeners.',
    params: { loadBalancerId: maybe(objectId<LoadBalancerId>(), 'Only those of this load balancer.'), ...page },
    result: result<Page<ListenerView>>(`\`items\`: list of Listener. ${listed}`),
  }),
} as const;

const poolId = needed(objectId<PoolId>(), 'The pool.');
export const poolMethods = {
  'pool.create': changes({
    summary: 'Adds a pool to a load balancer, as the default of a listener if wished. May bring members and a monitor.',
    params: {
      loadBalancerId: maybe(objectId<LoadBalancerId>(), 'The load balancer. This or `listenerId` is needed.'),
      listenerId: maybe(objectId<ListenerId>(), 'Listener that gets it as its default pool; it must have none.'),
      ...poolParams,
    },
    check: ({ loadBalancerId: lb, listenerId: listener }) =>
      isGiven(lb) || isGiven(listener)
        ? undefined
        : {
            field: 'loadBalancerId',
            message: 'Validation failure: Must provide at least one of: loadbalancer_id, listener_id',
          },
    result: result<{ readonly pool: PoolView | null }>('`pool`: Pool.'),
    errors: ['notFound', 'conflict', 'immutable', 'quota'],
  }),
  'pool.update': changes({
    summary: 'Changes attributes of a pool.',
    params: { id: poolId, ...change<PoolAttributes>(poolShape) },
    result: result<{ readonly pool: PoolView | null }>('`pool`: Pool.'),
    errors: ['notFound', 'immutable'],
  }),
  'pool.delete': changes({
    summary:
      'Deletes a pool with its members and its monitor. Listeners let go of it; a pool that an L7 policy leads to is a conflict.',
    params: { id: poolId },
    result: result<Deleted>('`id` of the pool.'),
    errors: ['notFound', 'conflict', 'immutable'],
  }),
  'pool.show': reads({
    summary: 'A pool.',
    params: { id: poolId },
    result: result<PoolView>('Pool.'),
    errors: ['notFound'],
  }),
  'pool.list': reads({
    summary: 'Pools.',
    params: { loadBalancerId: maybe(objectId<LoadBalancerId>(), 'Only those of this load balancer.'), ...page },
    result: result<Page<PoolView>>(`\`items\`: list of Pool. ${listed}`),
  }),
} as const;

const memberId = needed(objectId<MemberId>(), 'The member.');
export const memberMethods = {
  'member.create': changes({
    summary: 'Adds a member to a pool.',
    params: { poolId, ...memberParams },
    result: result<{ readonly member: MemberView | null }>('`member`: Member.'),
    errors: ['notFound', 'conflict', 'immutable', 'quota'],
  }),
  'member.update': changes({
    summary: 'Changes attributes of a member.',
    params: { id: memberId, ...change<MemberAttributes>(memberShape) },
    result: result<{ readonly member: MemberView | null }>('`member`: Member.'),
    errors: ['notFound', 'immutable'],
  }),
  'member.delete': changes({
    summary: 'Removes a member from its pool.',
    params: { id: memberId },
    result: result<Deleted>('`id` of the member.'),
    errors: ['notFound', 'immutable'],
  }),
  'member.replace': changes({
    summary:
      'Makes the members of a pool those given, known by address and port: new ones are added, known ones updated, the rest removed.',
    params: {
      poolId,
      members: membersParam,
      additiveOnly: withDefault(flag(), false, 'Leave members that are not named as they are.'),
    },
    result: result<{ readonly members: readonly MemberView[] }>('`members`: list of Member, all of the pool.'),
    errors: ['notFound', 'immutable', 'quota'],
  }),
  'member.show': reads({
    summary: 'A member.',
    params: { id: memberId },
    result: result<MemberView>('Member.'),
    errors: ['notFound'],
  }),
  'member.list': reads({
    summary: 'Members of a pool.',
    params: { poolId, ...page },
    result: result<Page<MemberView>>(`\`items\`: list of Member. ${listed}`),
  }),
} as const;

const healthMonitorId = needed(objectId<HealthMonitorId>(), 'The health monitor.');
export const healthMonitorMethods = {
  'healthMonitor.create': changes({
    summary: 'Gives a pool its health monitor. A pool has one at most.',
    params: { poolId, ...healthMonitorParams },
    result: result<{ readonly healthMonitor: HealthMonitorView | null }>('`healthMonitor`: HealthMonitor.'),
    errors: ['notFound', 'conflict', 'immutable', 'quota'],
  }),
  'healthMonitor.update': changes({
    summary: 'Changes attributes of a health monitor.',
    params: { id: healthMonitorId, ...change<HealthMonitorAttributes>(healthMonitorShape) },
    result: result<{ readonly healthMonitor: HealthMonitorView | null }>('`healthMonitor`: HealthMonitor.'),
    errors: ['notFound', 'immutable'],
  }),
  'healthMonitor.delete': changes({
    summary: 'Removes the health monitor of a pool.',
    params: { id: healthMonitorId },
    result: result<Deleted>('`id` of the health monitor.'),
    errors: ['notFound', 'immutable'],
  }),
  'healthMonitor.show': reads({
    summary: 'A health monitor.',
    params: { id: healthMonitorId },
    result: result<HealthMonitorView>('HealthMonitor.'),
    errors: ['notFound'],
  }),
  'healthMonitor.list': reads({
    summary: 'Health monitors.',
    params: { loadBalancerId: maybe(objectId<LoadBalancerId>(), 'Only those of this load balancer.'), ...page },
    result: result<Page<HealthMonitorView>>(`\`items\`: list of HealthMonitor. ${listed}`),
  }),
} as const;

const l7PolicyId = needed(objectId<L7PolicyId>(), 'The L7 policy.');
export const l7PolicyMethods = {
  'l7Policy.create': changes({
    summary: 'Adds an L7 policy to a listener, with its pool and rules if wished. Policies from its place on move up.',
    params: { listenerId, ...l7PolicyParams },
    result: result<{ readonly l7Policy: L7PolicyView | null }>('`l7Policy`: L7Policy.'),
    errors: ['notFound', 'conflict', 'immutable', 'quota'],
  }),
  'l7Policy.update': changes({
    summary: 'Changes attributes of an L7 policy. A new action needs its target in the same request.',
    params: { id: l7PolicyId, ...change<L7PolicyAttributes>(l7PolicyShape) },
    result: result<{ readonly l7Policy: L7PolicyView | null }>('`l7Policy`: L7Policy.'),
    errors: ['notFound', 'immutable'],
  }),
  'l7Policy.delete': changes({
    summary: 'Deletes an L7 policy with its rules. Policies behind it move down.',
    params: { id: l7PolicyId },
    result: result<Deleted>('`id` of the L7 policy.'),
    errors: ['notFound', 'immutable'],
  }),
  'l7Policy.show': reads({
    summary: 'An L7 policy.',
    params: { id: l7PolicyId },
    result: result<L7PolicyView>('L7Policy.'),
    errors: ['notFound'],
  }),
  'l7Policy.list': reads({
    summary: 'L7 policies.',
    params: {
      listenerId: maybe(objectId<ListenerId>(), 'Only those of this listener.'),
      loadBalancerId: maybe(objectId<LoadBalancerId>(), 'Only those of this load balancer.'),
      ...page,
    },
    result: result<Page<L7PolicyView>>(`\`items\`: list of L7Policy. ${listed}`),
  }),
} as const;

const l7RuleId = needed(objectId<L7RuleId>(), 'The L7 rule.');
export const l7RuleMethods = {
  'l7Rule.create': changes({
    summary: `Adds a rule to an L7 policy, which has ${mostRules} at most.`,
    params: { l7PolicyId, ...l7RuleParams },
    result: result<{ readonly l7Rule: L7RuleView | null }>('`l7Rule`: L7Rule.'),
    errors: ['notFound', 'conflict', 'immutable', 'quota'],
  }),
  'l7Rule.update': changes({
    summary: 'Changes attributes of an L7 rule.',
    params: { id: l7RuleId, ...change<L7RuleAttributes>(l7RuleShape) },
    result: result<{ readonly l7Rule: L7RuleView | null }>('`l7Rule`: L7Rule.'),
    errors: ['notFound', 'immutable'],
  }),
  'l7Rule.delete': changes({
    summary: 'Removes a rule from its L7 policy.',
    params: { id: l7RuleId },
    result: result<Deleted>('`id` of the L7 rule.'),
    errors: ['notFound', 'immutable'],
  }),
  'l7Rule.show': reads({
    summary: 'An L7 rule.',
    params: { id: l7RuleId },
    result: result<L7RuleView>('L7Rule.'),
    errors: ['notFound'],
  }),
  'l7Rule.list': reads({
    summary: 'Rules of an L7 policy.',
    params: { l7PolicyId, ...page },
    result: result<Page<L7RuleView>>(`\`items\`: list of L7Rule. ${listed}`),
  }),
} as const;
