// From a command to the changes of objects it means. A pool's deletion, for instance, also changes the listeners that
// have it as their default. Whether the result is allowed is for `rules.ts`.
import type { ObjectId, PoolId } from '../ids.ts';
import { type Decision, refuse } from '../decision.ts';
import type { MemberAttributes } from './attributes.ts';
import type { LoadBalancerCommand, NewListener, NewPool, Patch } from './commands.ts';
import type { ObjectChange } from './events.ts';
import {
  changedPolicy,
  policiesCreation,
  policiesRemoval,
  policyChange,
  policyCreation,
  policyDeletion,
} from './policies.ts';
import { kindNames } from './rules.ts';
import type { LoadBalancerState, ObjectKind } from './state.ts';
import { namesSecrets } from './tls.ts';
import { desired, findDesired, type Formed } from './tree.ts';

/** The object a command is about and the changes it means; none when everything is already as asked. */
export interface Meaning {
  readonly about: ObjectId;
  readonly changes: readonly ObjectChange[];
}

type Command<T extends LoadBalancerCommand['type']> = Extract<LoadBalancerCommand, { type: T }>;
type Refused = Decision<never, never>;

export type TreeCommand = Exclude<
  LoadBalancerCommand,
  { type: 'createLoadBalancer' | 'deleteLoadBalancer' | 'failoverLoadBalancer' | 'failoverAmphora' | 'repairAmphora' }
>;

export function changesOf(state: LoadBalancerState, command: TreeCommand): Meaning | Refused {
  switch (command.type) {
    case 'updateLoadBalancer':
      return patched(state, 'loadBalancer', state.id, command.patch);
    case 'createListener': {
      const { listener, pools } = command;
      const changes = [...poolsWithChildren(pools, state.id), ...listenerWithPolicies(listener, state.id)];
      return { about: listener.id, changes };
    }
    case 'updateListener':
      return patched(state, 'listener', command.id, command.patch);
    case 'createPool':
      return poolCreation(state, command);
    case 'updatePool':
      return patched(state, 'pool', command.id, command.patch);
    case 'createMember': {
      const { id, attributes } = command.member;
      return { about: id, changes: [{ kind: 'member', id, parentId: command.poolId, form: attributes }] };
    }
    case 'updateMember': {
      const member = findDesired(state, 'member', command.id);
      if (member?.parentId !== command.poolId) return notFound('member', command.id);
      return patched(state, 'member', command.id, command.patch);
    }
    case 'replaceMembers':
      return membersReplacement(state, command);
    case 'createHealthMonitor': {
      const { id, attributes } = command.healthMonitor;
      return { about: id, changes: [{ kind: 'healthMonitor', id, parentId: command.poolId, form: attributes }] };
    }
    case 'updateHealthMonitor':
      return patched(state, 'healthMonitor', command.id, command.patch);
    case 'createL7Policy': {
      const { listenerId, l7Policy, pools } = command;
      const changes = [...poolsWithChildren(pools, state.id), ...policyCreation(state, listenerId, l7Policy)];
      return { about: l7Policy.id, changes };
    }
    case 'updateL7Policy':
      return policyUpdate(state, command);
    case 'createL7Rule': {
      const { id, attributes } = command.l7Rule;
      return { about: id, changes: [{ kind: 'l7Rule', id, parentId: command.l7PolicyId, form: attributes }] };
    }
    case 'updateL7Rule':
      return patched(state, 'l7Rule', command.id, command.patch);
    case 'deleteObject':
      return deletion(state, command);
  }
}

/** Listeners and policies may name a pool of the same request, so pools come first. */
export function treeOf(command: Command<'createLoadBalancer'>): readonly ObjectChange[] {
  const parentId = command.loadBalancerId;
  const pools = poolsWithChildren(command.pools, parentId);
  const listeners = command.listeners.flatMap((listener) => listenerWithPolicies(listener, parentId));
  return [{ kind: 'loadBalancer', id: parentId, parentId, form: command.attributes }, ...pools, ...listeners];
}

function listenerWithPolicies(listener: NewListener, parentId: LoadBalancerState['id']): readonly ObjectChange[] {
  const { id, attributes, l7Policies = [] } = listener;
  return [{ kind: 'listener', id, parentId, form: attributes }, ...policiesCreation(id, l7Policies)];
}

function poolsWithChildren(pools: readonly NewPool[] = [], parentId: LoadBalancerState['id']): readonly ObjectChange[] {
  return pools.flatMap((pool) => poolWithChildren(pool, parentId));
}

function poolWithChildren(pool: NewPool, parentId: LoadBalancerState['id']): readonly ObjectChange[] {
  const monitor = pool.healthMonitor;
  return [
    { kind: 'pool', id: pool.id, parentId, form: pool.attributes },
    ...(monitor === null
      ? []
      : [{ kind: 'healthMonitor', id: monitor.id, parentId: pool.id, form: monitor.attributes } as const]),
    ...pool.members.map(({ id, attributes }) => ({ kind: 'member', id, parentId: pool.id, form: attributes }) as const),
  ];
}

function poolCreation(state: LoadBalancerState, { pool, listenerId }: Command<'createPool'>): Meaning | Refused {
  const changes = poolWithChildren(pool, state.id);
  if (listenerId === null) return { about: pool.id, changes };
  const listener = findDesired(state, 'listener', listenerId);
  if (listener === undefined) return notFound('listener', listenerId);
  if (listener.form.defaultPoolId !== null) {
    return refuse('conflict', 'This listener already has a default pool');
  }
  const form = { ...listener.form, defaultPoolId: pool.id };
  return { about: pool.id, changes: [...changes, { kind: 'listener', id: listenerId, parentId: state.id, form }] };
}

function membersReplacement(
  state: LoadBalancerState,
  { poolId, members, additiveOnly }: Command<'replaceMembers'>,
): Meaning | Refused {
  if (findDesired(state, 'pool', poolId) === undefined) return notFound('pool', poolId);
  const present = new Map(
    desired(state, 'member')
      .filter((member) => member.parentId === poolId)
      .map((member) => [memberKey(member.form), member] as const),
  );
  const named = new Set<string>();
  const changes: ObjectChange[] = [];
  for (const { id, attributes } of members) {
    const key = memberKey(attributes);
    if (named.has(key))
      return refuse('invalid', `Validation failure: the request names member ${key} twice`, 'members');
    named.add(key);
    const known = present.get(key);
    const form = known === undefined ? attributes : withPortOf(known.form, attributes);
    if (known !== undefined && isSame(known.form, form)) continue;
    changes.push({ kind: 'member', id: known?.id ?? id, parentId: poolId, form });
  }
  if (!additiveOnly) {
    for (const [key, { id }] of present) {
      if (!named.has(key)) changes.push({ kind: 'member', id, parentId: poolId, form: null });
    }
  }
  return { about: poolId, changes };
}

/** What its port is was said at its creation; what a replacement says of that is for new members, as in Octavia. */
function withPortOf(known: MemberAttributes, attributes: MemberAttributes): MemberAttributes {
  const { requestSriov: _, ...others } = attributes;
  return { ...known, ...others };
}

function memberKey(form: { readonly address: string; readonly protocolPort: number }): string {
  return `${form.address} port ${form.protocolPort}`;
}

function deletion(state: LoadBalancerState, { kind, id }: Command<'deleteObject'>): Meaning | Refused {
  const object = findDesired(state, kind, id);
  if (object === undefined) return notFound(kind, id);
  const self = { kind: object.kind, id: object.id, parentId: object.parentId, form: null } as ObjectChange;
  switch (object.kind) {
    case 'listener':
      return { about: id, changes: [...policiesRemoval(state, object.id), self] };
    case 'l7Rule': {
      // A policy that was not served for want of this rule is to be pushed again.
      const policy = object.refusal === null ? undefined : findDesired(state, 'l7Policy', object.parentId);
      const again =
        policy && ({ kind: 'l7Policy', id: policy.id, parentId: policy.parentId, form: policy.form } as const);
      return { about: id, changes: again === undefined ? [self] : [self, again] };
    }
    case 'l7Policy':
      return { about: id, changes: policyDeletion(state, object as Formed<'l7Policy'>) };
    case 'pool': {
      const user = desired(state, 'l7Policy').find((policy) => policy.form.redirectPoolId === id);
      if (user !== undefined) return refuse('conflict', `Pool ${id} is in use by L7 policy ${user.id}`);
      return { about: id, changes: [...poolAttachments(state, object.id), self] };
    }
    default:
      return { about: id, changes: [self] };
  }
}

/** What goes, or is let go of, with a pool. */
function poolAttachments(state: LoadBalancerState, poolId: PoolId): readonly ObjectChange[] {
  const listeners = desired(state, 'listener')
    .filter((listener) => listener.form.defaultPoolId === poolId)
    .map(
      ({ id, parentId, form }) => ({ kind: 'listener', id, parentId, form: { ...form, defaultPoolId: null } }) as const,
    );
  const children = [...desired(state, 'member'), ...desired(state, 'healthMonitor')]
    .filter((child) => child.parentId === poolId)
    .map(({ kind, id, parentId }) => ({ kind, id, parentId, form: null }) as ObjectChange);
  return [...listeners, ...children];
}

function policyUpdate(state: LoadBalancerState, { id, patch }: Command<'updateL7Policy'>): Meaning | Refused {
  const policy = findDesired(state, 'l7Policy', id);
  if (policy === undefined) return notFound('l7Policy', id);
  const changes = policyChange(state, policy, changedPolicy(policy.form, patch));
  const isMeant = ({ id: changed, form }: ObjectChange) =>
    changed !== id || form === null || !isSame(policy.form, form);
  return { about: id, changes: policy.refusal !== null || changes.some(isMeant) ? changes : [] };
}

function patched<K extends ObjectKind>(
  state: LoadBalancerState,
  kind: K,
  id: ObjectId,
  patch: Patch<object>,
): Meaning | Refused {
  const object = findDesired(state, kind, id);
  if (object === undefined) return notFound(kind, id);
  const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
  const form: object = { ...object.form, ...given };
  // The same form again is how a user asks for another try of what amphorae refused, and the same reference again for
  // what stands behind it now.
  const isAskedAgain = object.refusal !== null || namesSecrets(given);
  if (isSame(object.form, form) && !isAskedAgain) return { about: id, changes: [] };
  return { about: id, changes: [{ kind, id: object.id, parentId: object.parentId, form } as ObjectChange] };
}

function notFound(kind: ObjectKind, id: string): Refused {
  return refuse('notFound', `${kindNames[kind]} ${id} not found.`);
}

function isSame(a: object, b: object): boolean {
  return canonical(a) === canonical(b);
}

/** Attributes are flat but for lists and header maps; only the order of keys may differ. */
function canonical(value: object): string {
  return JSON.stringify(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
