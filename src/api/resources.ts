// The resources that live in a load balancer, as data: paths, envelopes, words. A new kind of object is one entry here;
// its calls are the command channel's methods `<kind>.create` and so on, and its attributes follow from them.
import type { ObjectKind } from '../domain/load-balancer/state.ts';

export interface Resource {
  readonly kind: ObjectKind;
  readonly singular: string;
  /** Also its path below `/v2/lbaas/`. Members and the like stand below their parent. */
  readonly plural: string;
  readonly parent?:
    | { readonly kind: ObjectKind; readonly path: string; readonly param: string; readonly column: string }
    | undefined;
  /** How Octavia calls the request's body in messages. */
  readonly argument: string;
  /** Attributes of a create that name an object it belongs to, the first that is given counts. */
  readonly belongsTo: readonly { readonly param: string; readonly kind: ObjectKind }[];
}

export const resources: readonly Resource[] = [
  {
    kind: 'loadBalancer',
    singular: 'loadbalancer',
    plural: 'loadbalancers',
    argument: 'load_balancer.loadbalancer',
    belongsTo: [],
  },
  {
    kind: 'listener',
    singular: 'listener',
    plural: 'listeners',
    argument: 'listener_.listener',
    belongsTo: [{ param: 'loadBalancerId', kind: 'loadBalancer' }],
  },
  {
    kind: 'pool',
    singular: 'pool',
    plural: 'pools',
    argument: 'pool_.pool',
    belongsTo: [
      { param: 'loadBalancerId', kind: 'loadBalancer' },
      { param: 'listenerId', kind: 'listener' },
    ],
  },
  {
    kind: 'member',
    singular: 'member',
    plural: 'members',
    parent: { kind: 'pool', path: 'pools', param: 'poolId', column: 'pool_id' },
    argument: 'member_.member',
    belongsTo: [{ param: 'poolId', kind: 'pool' }],
  },
  {
    kind: 'healthMonitor',
    singular: 'healthmonitor',
    plural: 'healthmonitors',
    argument: 'health_monitor_.healthmonitor',
    belongsTo: [{ param: 'poolId', kind: 'pool' }],
  },
  {
    kind: 'l7Policy',
    singular: 'l7policy',
    plural: 'l7policies',
    argument: 'l7policy_.l7policy',
    belongsTo: [{ param: 'listenerId', kind: 'listener' }],
  },
  {
    kind: 'l7Rule',
    singular: 'rule',
    plural: 'rules',
    parent: { kind: 'l7Policy', path: 'l7policies', param: 'l7PolicyId', column: 'l7_policy_id' },
    argument: 'rule_.rule',
    belongsTo: [{ param: 'l7PolicyId', kind: 'l7Policy' }],
  },
];

/** Parameters that hold objects → kind of these objects. */
export const nestedKinds: Readonly<Record<string, ObjectKind>> = {
  listeners: 'listener',
  defaultPool: 'pool',
  pools: 'pool',
  members: 'member',
  healthMonitor: 'healthMonitor',
  l7Policies: 'l7Policy',
  redirectPool: 'pool',
  rules: 'l7Rule',
};
