// The tree of objects, read: what users see of it (desired), and what an amphora shall serve.
import type { ListenerId, ObjectId } from '../ids.ts';
import type {
  LoadBalancerAttributes,
  MemberAttributes,
  ServedL7Policy,
  ServedPool,
  ServedTree,
  VipPolicy,
} from './attributes.ts';
import { pushedForm } from './push.ts';
import type { LbObject, LoadBalancerState, ObjectKind, VipState } from './state.ts';

type OfKind<K extends ObjectKind> = Extract<LbObject, { kind: K }>;
/** An object with the form that counts for the reader. */
export type Formed<K extends ObjectKind> = OfKind<K> & { readonly form: NonNullable<OfKind<K>['desired']> };

/** Objects of a kind in order of creation, with the form that `formOf` gives; those without a form are left out. */
function objectsOfKind<K extends ObjectKind>(
  state: LoadBalancerState,
  kind: K,
  formOf: (object: LbObject) => LbObject['desired'],
): readonly Formed<K>[] {
  return Object.values(state.objects)
    .filter((object): object is OfKind<K> => object.kind === kind)
    .map((object) => ({ ...object, form: formOf(object) }) as Formed<K>)
    .filter((object) => object.form !== null)
    .toSorted((a, b) => a.order - b.order);
}

/** Objects of a kind as users want them. */
export function desired<K extends ObjectKind>(state: LoadBalancerState, kind: K): readonly Formed<K>[] {
  return objectsOfKind(state, kind, (object) => object.desired);
}

/** The object of that kind and id as users want it; undefined when it is not there or being deleted. */
export function findDesired<K extends ObjectKind>(
  state: LoadBalancerState,
  kind: K,
  id: ObjectId,
): Formed<K> | undefined {
  const object = state.objects[id];
  if (object?.kind !== kind || object.desired === null) return undefined;
  return { ...object, form: object.desired } as Formed<K>;
}

const unnamed: LoadBalancerAttributes = {
  name: '',
  description: '',
  adminStateUp: true,
  tags: [],
  flavorId: null,
  availabilityZone: null,
  vipQosPolicyId: null,
  vipSgIds: [],
};

/** The tree that a push brings to an amphora: carried changes in their new form, everything else as accepted last. */
export function servedTree(state: LoadBalancerState, carries: readonly ObjectId[]): ServedTree {
  const carried = new Set(carries);
  const formOf = (object: LbObject) => pushedForm(object, carried.has(object.id));
  const self = objectsOfKind(state, 'loadBalancer', formOf)[0]?.form ?? unnamed;
  const members = objectsOfKind(state, 'member', formOf);
  const monitors = objectsOfKind(state, 'healthMonitor', formOf);
  const pools: readonly ServedPool[] = objectsOfKind(state, 'pool', formOf).map((pool) => {
    const monitor = monitors.find((candidate) => candidate.parentId === pool.id);
    return {
      ...pool.form,
      id: pool.id,
      members: members.filter((member) => member.parentId === pool.id).map(({ id, form }) => ({ ...form, id })),
      healthMonitor: monitor === undefined ? undefined : { ...monitor.form, id: monitor.id },
    };
  });
  const served = new Set(pools.map((pool) => pool.id));
  const policies = servedPolicies(state, formOf);
  const listeners = objectsOfKind(state, 'listener', formOf).map(({ id, form }) => {
    const defaultPoolId = form.defaultPoolId !== null && served.has(form.defaultPoolId) ? form.defaultPoolId : null;
    return {
      ...form,
      id,
      defaultPoolId,
      l7Policies: policies.filter(({ listenerId }) => listenerId === id).map(({ policy }) => policy),
    };
  });
  const vipAddresses = addressesOfVip(state.vip);
  const { id: loadBalancerId, projectId } = state;
  const { adminStateUp } = self;
  const vipPolicy = vipPolicyOf(
    state,
    self,
    members.map(({ form }) => form),
  );
  return { loadBalancerId, projectId, vipAddresses, vipPolicy, adminStateUp, listeners, pools };
}

/** Members on the VIP's own subnet are reached by the port that has the VIP. */
export function vipPolicyOf(
  { vip }: Pick<LoadBalancerState, 'vip'>,
  { vipQosPolicyId, vipSgIds }: Partial<LoadBalancerAttributes>,
  members: readonly Pick<MemberAttributes, 'subnetId' | 'requestSriov'>[],
): VipPolicy {
  const subnetIds = members.flatMap(({ requestSriov, subnetId }) =>
    requestSriov && subnetId !== null ? [subnetId] : [],
  );
  const sriovSubnetIds = [...new Set(subnetIds)].filter((id) => id !== vip.subnetId);
  return {
    qosPolicyId: vipQosPolicyId ?? null,
    securityGroupIds: vipSgIds ?? [],
    ...(sriovSubnetIds.length > 0 && { sriovSubnetIds }),
  };
}

/** The VIP and further ones, in their order; none before they are allocated. */
export function addressesOfVip({ port }: VipState): readonly string[] {
  return port === null ? [] : [port.address, ...(port.additional ?? []).map(({ address }) => address)];
}

/**
 * Whether a policy has all the rules it came with. One that lacks some, because amphorae refused them, would match more
 * than its user meant; it is as if it had not come. Rules that came later are missing as any refused change is.
 */
export function isWhole(
  state: LoadBalancerState,
  policy: Extract<LbObject, { kind: 'l7Policy' }>,
  formOf: (object: LbObject) => LbObject['desired'],
): boolean {
  return Object.values(state.objects).every(
    (rule) =>
      rule.kind !== 'l7Rule' ||
      rule.parentId !== policy.id ||
      rule.createdAt !== policy.createdAt ||
      rule.desired?.adminStateUp !== true ||
      formOf(rule) !== null,
  );
}

/** In order of position; those at the same place, while a change of places is on its way, in order of creation. */
function servedPolicies(
  state: LoadBalancerState,
  formOf: (object: LbObject) => LbObject['desired'],
): readonly { readonly listenerId: ListenerId; readonly policy: ServedL7Policy }[] {
  const rules = objectsOfKind(state, 'l7Rule', formOf);
  return objectsOfKind(state, 'l7Policy', formOf)
    .filter((policy) => isWhole(state, policy, formOf))
    .toSorted((a, b) => a.form.position - b.form.position)
    .map(({ id, parentId, form }) => ({
      listenerId: parentId,
      policy: {
        ...form,
        id,
        rules: rules.filter((rule) => rule.parentId === id).map((rule) => ({ ...rule.form, id: rule.id })),
      },
    }));
}
