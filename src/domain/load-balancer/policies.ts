// Places of L7 policies: within a listener they are numbered 1, 2, 3 … without gaps, whoever comes, moves or goes. So a
// change of one policy may be a change of those behind it.
import type { L7PolicyId, ListenerId, PoolId } from '../ids.ts';
import type { L7PolicyAction, L7PolicyAttributes } from './attributes.ts';
import type { NewL7Policy, Patch } from './commands.ts';
import type { ObjectChange } from './events.ts';
import type { LoadBalancerState } from './state.ts';
import { type Formed, desired } from './tree.ts';

/** What of a policy says where it sends requests. */
export interface Redirection {
  readonly redirectPoolId: PoolId | null;
  readonly redirectUrl: string | null;
  readonly redirectPrefix: string | null;
}

/** The attribute that each action needs; null for the one that sends requests nowhere. */
export const targetOf: Readonly<Record<L7PolicyAction, keyof Redirection | null>> = {
  REJECT: null,
  REDIRECT_TO_POOL: 'redirectPoolId',
  REDIRECT_TO_URL: 'redirectUrl',
  REDIRECT_PREFIX: 'redirectPrefix',
};

const usualCode = 302;

/** Whether the action answers the client with a redirection, and so has a status code. */
export function hasRedirectCode(action: L7PolicyAction): boolean {
  return action === 'REDIRECT_TO_URL' || action === 'REDIRECT_PREFIX';
}

/** A policy's form after a change: what belonged to the action of before goes with it. */
export function changedPolicy(form: L7PolicyAttributes, patch: Patch<L7PolicyAttributes>): L7PolicyAttributes {
  const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
  const changed = { ...form, ...given } as L7PolicyAttributes;
  if (changed.action === form.action) return withCode(changed);
  const left = { redirectPoolId: null, redirectUrl: null, redirectPrefix: null, redirectHttpCode: null };
  return withCode({ ...form, ...left, ...given } as L7PolicyAttributes);
}

/** A policy that redirects clients has a code, asked for or not. */
export function withCode(form: L7PolicyAttributes): L7PolicyAttributes {
  if (!hasRedirectCode(form.action) || form.redirectHttpCode !== null) return form;
  return { ...form, redirectHttpCode: usualCode };
}

interface Placed {
  readonly id: L7PolicyId;
  readonly form: L7PolicyAttributes;
}

/** Policies of a listener as users want them, in order of position. */
export function policiesOf(state: LoadBalancerState, listenerId: ListenerId): readonly Formed<'l7Policy'>[] {
  return desired(state, 'l7Policy')
    .filter((policy) => policy.parentId === listenerId)
    .toSorted((a, b) => a.form.position - b.form.position);
}

/** A new policy at its place, its rules, and what moves up behind it. */
export function policyCreation(
  state: LoadBalancerState,
  listenerId: ListenerId,
  policy: NewL7Policy,
): readonly ObjectChange[] {
  const others = policiesOf(state, listenerId).filter((other) => other.id !== policy.id);
  const places = inserted(others, { id: policy.id, form: withCode(policy.attributes) });
  return [
    ...placeChanges(listenerId, others, places),
    ...policy.rules.map(({ id, attributes }) => ruleChange(id, policy.id, attributes)),
  ];
}

/** All policies of a new listener, each inserted at its place in the order of the request. */
export function policiesCreation(listenerId: ListenerId, policies: readonly NewL7Policy[]): readonly ObjectChange[] {
  const places = policies.reduce<readonly Placed[]>(
    (before, { id, attributes }) => inserted(before, { id, form: withCode(attributes) }),
    [],
  );
  const rules = policies.flatMap(({ id, rules: own }) =>
    own.map(({ id: ruleId, attributes }) => ruleChange(ruleId, id, attributes)),
  );
  return [...placeChanges(listenerId, [], places), ...rules];
}

/** A policy in its new form, and at its new place if it has moved. The others only where their place is another. */
export function policyChange(
  state: LoadBalancerState,
  { id, parentId }: Formed<'l7Policy'>,
  form: L7PolicyAttributes,
): readonly ObjectChange[] {
  const others = policiesOf(state, parentId).filter((policy) => policy.id !== id);
  const places = inserted(others, { id, form });
  const itself = places.find((policy) => policy.id === id) as Placed;
  const moved = placeChanges(
    parentId,
    others,
    places.filter((policy) => policy.id !== id),
  );
  return [policyFormChange(parentId, itself), ...moved];
}

/** The policy with its rules, and what moves down behind it. */
export function policyDeletion(
  state: LoadBalancerState,
  { id, parentId }: Formed<'l7Policy'>,
): readonly ObjectChange[] {
  const others = policiesOf(state, parentId).filter((policy) => policy.id !== id);
  return [...policyRemoval(state, id, parentId), ...placeChanges(parentId, others, numbered(others))];
}

/** All policies of a listener that goes. */
export function policiesRemoval(state: LoadBalancerState, listenerId: ListenerId): readonly ObjectChange[] {
  return policiesOf(state, listenerId).flatMap(({ id }) => policyRemoval(state, id, listenerId));
}

function policyRemoval(state: LoadBalancerState, id: L7PolicyId, parentId: ListenerId): readonly ObjectChange[] {
  const rules = desired(state, 'l7Rule').filter((rule) => rule.parentId === id);
  return [
    ...rules.map((rule) => ({ kind: 'l7Rule', id: rule.id, parentId: id, form: null }) as const),
    { kind: 'l7Policy', id, parentId, form: null },
  ];
}

function inserted(before: readonly Placed[], policy: Placed): readonly Placed[] {
  const index = Math.min(policy.form.position - 1, before.length);
  return numbered([...before.slice(0, index), policy, ...before.slice(index)]);
}

function numbered(policies: readonly Placed[]): readonly Placed[] {
  return policies.map(({ id, form }, index) => ({ id, form: { ...form, position: index + 1 } }));
}

/** Changes for those in `after` that are new or have another place than in `before`. */
function placeChanges(
  listenerId: ListenerId,
  before: readonly Placed[],
  after: readonly Placed[],
): readonly ObjectChange[] {
  const places = new Map(before.map(({ id, form }) => [id, form.position]));
  return after
    .filter(({ id, form }) => places.get(id) !== form.position)
    .map((policy) => policyFormChange(listenerId, policy));
}

function policyFormChange(parentId: ListenerId, { id, form }: Placed): ObjectChange {
  return { kind: 'l7Policy', id, parentId, form };
}

function ruleChange(
  id: Extract<ObjectChange, { kind: 'l7Rule' }>['id'],
  parentId: L7PolicyId,
  form: Extract<ObjectChange, { kind: 'l7Rule' }>['form'],
): ObjectChange {
  return { kind: 'l7Rule', id, parentId, form };
}
