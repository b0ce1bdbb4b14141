// The resources that live in a load balancer, as data: paths, envelopes, methods, words. A new kind of object is one
// entry here; its attributes follow from the command channel's methods.
import type { ObjectKind } from '../domain/load-balancer/state.ts';
import { kindNames } from '../domain/load-balancer/rules.ts';
import type { ChangingMethod } from './ports.ts';

export interface Resource {
  readonly kind: ObjectKind;
  /** Below `/v2/lbaas/`. Members and the like stand below their parent. */
  readonly path: string;
  readonly parent?:
    | { readonly kind: ObjectKind; readonly path: string; readonly param: string; readonly column: string }
    | undefined;
  readonly singular: string;
  readonly plural: string;
  /** How messages call it. */
  readonly label: string;
  /** How Octavia calls the request's body in messages. */
  readonly argument: string;
  readonly create: ChangingMethod;
  readonly update: ChangingMethod;
  readonly remove: ChangingMethod;
  /** Key of the object in the answers of these methods. */
  readonly answer: string;
  /** Attributes of a create that name an object it belongs to, the first that is given counts. */
  readonly belongsTo: readonly { readonly param: string; readonly kind: ObjectKind }[];
}

const loadBalancer: Resource = {
  kind: 'loadBalancer',
  path: 'loadbalancers',
  singular: 'loadbalancer',
  plural: 'loadbalancers',
  label: kindNames.loadBalancer,
  argument: 'load_balancer.loadbalancer',
  create: 'loadBalancer.create',
  update: 'loadBalancer.update',
  remove: 'loadBalancer.delete',
  answer: 'loadBalancer',
  belongsTo: [],
};

const listener: Resource = {
  kind: 'listener',
  path: 'listeners',
  singular: 'listener',
  plural: 'listeners',
  label: kindNames.listener,
  argument: 'listener_.listener',
  create: 'listener.create',
  update: 'listener.update',
  remove: 'listener.delete',
  answer: 'listener',
  belongsTo: [{ param: 'loadBalancerId', kind: 'loadBalancer' }],
};

const pool: Resource = {
  kind: 'pool',
  path: 'pools',
  singular: 'pool',
  plural: 'pools',
  label: kindNames.pool,
  argument: 'pool_.pool',
  create: 'pool.create',
  update: 'pool.update',
  remove: 'pool.delete',
  answer: 'pool',
  belongsTo: [
    { param: 'loadBalancerId', kind: 'loadBalancer' },
    { param: 'listenerId', kind: 'listener' },
  ],
};

const member: Resource = {
  kind: 'member',
  path: 'members',
  parent: { kind: 'pool', path: 'pools', param: 'poolId', column: 'pool_id' },
  singular: 'member',
  plural: 'members',
  label: kindNames.member,
  argument: 'member_.member',
  create: 'member.create',
  update: 'member.update',
  remove: 'member.delete',
  answer: 'member',
  belongsTo: [{ param: 'poolId', kind: 'pool' }],
};

const healthMonitor: Resource = {
  kind: 'healthMonitor',
  path: 'healthmonitors',
  singular: 'healthmonitor',
  plural: 'healthmonitors',
  label: kindNames.healthMonitor,
  argument: 'health_monitor_.healthmonitor',
  create: 'healthMonitor.create',
  update: 'healthMonitor.update',
  remove: 'healthMonitor.delete',
  answer: 'healthMonitor',
  belongsTo: [{ param: 'poolId', kind: 'pool' }],
};

const l7Policy: Resource = {
  kind: 'l7Policy',
  path: 'l7policies',
  singular: 'l7policy',
  plural: 'l7policies',
  label: kindNames.l7Policy,
  argument: 'l7policy_.l7policy',
  create: 'l7Policy.create',
  update: 'l7Policy.update',
  remove: 'l7Policy.delete',
  answer: 'l7Policy',
  belongsTo: [{ param: 'listenerId', kind: 'listener' }],
};

const l7Rule: Resource = {
  kind: 'l7Rule',
  path: 'rules',
  parent: { kind: 'l7Policy', path: 'l7policies', param: 'l7PolicyId', column: 'l7_policy_id' },
  singular: 'rule',
  plural: 'rules',
  label: kindNames.l7Rule,
  argument: 'rule_.rule',
  create: 'l7Rule.create',
  update: 'l7Rule.update',
  remove: 'l7Rule.delete',
  answer: 'l7Rule',
  belongsTo: [{ param: 'l7PolicyId', kind: 'l7Policy' }],
};

export const resources: readonly Resource[] = [loadBalancer, listener, pool, member, healthMonitor, l7Policy, l7Rule];

/** Labels of all kinds, for messages. */
export function labelOf(kind: ObjectKind): string {
  return kindNames[kind];
}

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
