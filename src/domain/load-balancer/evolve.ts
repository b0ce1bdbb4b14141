// From one state to the next by an event. Total and deterministic: replaying a journal is folding this function.
import type { ObjectId } from '../ids.ts';
import { endStep, evolveSteps, forgetFailures, noSteps } from '../step.ts';
import { isDatagram } from './datagram-rules.ts';
import type { LoadBalancerEvent, ObjectChange } from './events.ts';
import { forgetPeers, hasBeenServed, mayShare, servingSlots } from './pair.ts';
import { acceptPush, forgetPushed, refuseChange, refusePush } from './push.ts';
import type { LbObject, LoadBalancerState, MaybeLoadBalancer, Slot, VipState } from './state.ts';
import { stepKeys } from './steps.ts';

export function evolveLoadBalancer(state: MaybeLoadBalancer, event: LoadBalancerEvent): MaybeLoadBalancer {
  if (state === undefined) return event.type === 'loadBalancerCreated' ? created(event) : undefined;
  return evolveExisting(state, event);
}

function created(event: Extract<LoadBalancerEvent, { type: 'loadBalancerCreated' }>): LoadBalancerState {
  return {
    id: event.id,
    projectId: event.projectId,
    ...(event.topology !== undefined && { topology: event.topology }),
    ...(event.instances !== undefined && { instances: event.instances }),
    ...(event.provider !== undefined && { provider: event.provider }),
    ...(event.allowsMemberSriov !== undefined && { allowsMemberSriov: event.allowsMemberSriov }),
    ...(event.perAmphora !== undefined && { perAmphora: event.perAmphora }),
    ...(event.antiAffinity !== undefined && { antiAffinity: event.antiAffinity }),
    vip: { ...event.vip, taken: [], port: null },
    objects: {},
    generation: 0,
    nextOrder: 0,
    slots: [],
    push: null,
    narrowing: null,
    steps: noSteps,
    confirmAt: null,
    deletion: 'no',
  };
}

function evolveExisting(state: LoadBalancerState, event: LoadBalancerEvent): LoadBalancerState {
  switch (event.type) {
    case 'loadBalancerCreated':
      return state;
    case 'objectsChanged':
      return changeObjects(state, event.changes, event.at);
    case 'deletionRequested':
      return { ...state, deletion: 'requested', steps: forgetFailures(state.steps, () => true) };
    case 'failoverRequested':
      return { ...state, steps: forgetFailures(state.steps, () => true) };
    case 'vipAllocated': {
      const { portId, address, additional } = event;
      const port = { portId, address, ...(additional !== undefined && { additional }) };
      return { ...state, vip: { ...state.vip, port }, steps: endStep(state.steps, stepKeys.vip) };
    }
    case 'vipTaken': {
      const taken = [...state.vip.taken, event.address];
      return { ...state, vip: { ...state.vip, taken }, steps: endStep(state.steps, stepKeys.vip) };
    }
    case 'amphoraClaimed': {
      const { amphoraId, role, computeId, agent } = event;
      const joins = role !== 'STANDALONE' && hasBeenServed(state);
      const base: Slot = { amphoraId, role, computeId, agent, serves: false, leaving: null };
      const slot: Slot = joins ? { ...base, hasJoined: true } : base;
      return { ...state, slots: [...state.slots, slot], steps: endStep(state.steps, stepKeys.claim(role)) };
    }
    case 'amphoraPlugged': {
      const { amphoraId, port } = event;
      const slots = state.slots.map((slot) => (slot.amphoraId === amphoraId ? { ...slot, port } : slot));
      return { ...state, slots, steps: endStep(state.steps, stepKeys.plug(amphoraId)) };
    }
    case 'replacementDue': {
      const { amphoraId, reason: replaceFor } = event;
      const slots = state.slots.map((slot) => (slot.amphoraId === amphoraId ? { ...slot, replaceFor } : slot));
      return { ...state, slots };
    }
    case 'amphoraLeaving': {
      const leaving = { why: event.why, reason: event.reason };
      const slots = state.slots.map((slot) => (slot.amphoraId === event.amphoraId ? { ...slot, leaving } : slot));
      return { ...abandonPush({ ...state, slots }), steps: forgetFailures(state.steps, () => true) };
    }
    case 'amphoraRetired': {
      const slots = state.slots.filter((slot) => slot.amphoraId !== event.amphoraId);
      const steps = endStep(state.steps, stepKeys.deploy(event.amphoraId));
      const plugged = endStep(steps, stepKeys.plug(event.amphoraId));
      return { ...state, slots, steps: endStep(plugged, stepKeys.retire(event.amphoraId)) };
    }
    case 'pushStarted':
      return { ...state, push: { generation: event.generation, carries: event.carries, awaits: event.awaits } };
    case 'pushAccepted':
      return acceptPush(state, event);
    case 'pushRefused':
      return refusePush(state, event.amphoraId, event.reason);
    case 'changeRefused':
      return refuseChange(state, event.objectId, event.reason);
    case 'loadBalancerDeleted':
      return { ...state, deletion: 'done', steps: noSteps };
    case 'confirmationDue': {
      const slots = state.slots.map((slot) => ({ ...slot, serves: false }));
      return { ...state, slots, confirmAt: null };
    }
    case 'stepStarted':
    case 'stepFailed':
      return { ...state, steps: evolveSteps(state.steps, event) };
    case 'stepsInterrupted':
      return {
        ...state,
        steps: evolveSteps(state.steps, event),
        confirmAt: confirmAtAfter(state, event.keys),
        vip: vipAfter(state, event.keys),
        slots: slotsAfter(state, event.keys),
      };
  }
}

/** The latest moment at which an interrupted push to a serving amphora may still have an effect. */
function confirmAtAfter(state: LoadBalancerState, interrupted: readonly string[]): number | null {
  let confirmAt = state.confirmAt;
  for (const { amphoraId } of servingSlots(state)) {
    const key = stepKeys.deploy(amphoraId);
    const deadlineAt = interrupted.includes(key) ? state.steps.running[key]?.deadlineAt : undefined;
    if (deadlineAt !== undefined) confirmAt = Math.max(confirmAt ?? 0, deadlineAt);
  }
  return confirmAt;
}

/** A push that came after its load balancer has left an amphora to others would bring it back. */
function slotsAfter(state: LoadBalancerState, interrupted: readonly string[]): LoadBalancerState['slots'] {
  if (!mayShare(state)) return state.slots;
  return state.slots.map((slot) => {
    const key = stepKeys.deploy(slot.amphoraId);
    const deadlineAt = interrupted.includes(key) ? state.steps.running[key]?.deadlineAt : undefined;
    return deadlineAt === undefined
      ? slot
      : { ...slot, unsettledUntil: Math.max(slot.unsettledUntil ?? 0, deadlineAt) };
  });
}

/** A port that is made after its release would belong to nobody: the release has to wait. */
function vipAfter({ vip, steps }: LoadBalancerState, interrupted: readonly string[]): VipState {
  const deadlineAt = interrupted.includes(stepKeys.vip) ? steps.running[stepKeys.vip]?.deadlineAt : undefined;
  return deadlineAt === undefined ? vip : { ...vip, unsettledUntil: Math.max(vip.unsettledUntil ?? 0, deadlineAt) };
}

/** A change that comes while a push is on its way waits for the next one; a push that waits for a retry starts anew. */
function changeObjects(state: LoadBalancerState, changes: readonly ObjectChange[], at: number): LoadBalancerState {
  const onItsWay = Object.keys(state.steps.running).some(stepKeys.isDeploy);
  const base = onItsWay ? state : abandonPush(state);
  const generation = base.generation + 1;
  const objects: Record<ObjectId, LbObject> = { ...base.objects };
  let nextOrder = base.nextOrder;
  for (const change of changes) {
    const before = objects[change.id];
    if (before === undefined) {
      if (change.form !== null) objects[change.id] = newObject(change, generation, nextOrder++, at);
    } else if (change.form === null && isNewHere(before, base)) {
      delete objects[change.id];
    } else {
      objects[change.id] = changedObject(before, change, generation, base, at);
    }
  }
  const hasLvs = base.hasLvs === true || changes.some(isServedByLvs);
  const steps = forgetFailures(base.steps, () => true);
  return { ...base, objects, generation, nextOrder, steps, ...(hasLvs ? { hasLvs } : {}) };
}

function isServedByLvs(change: ObjectChange): boolean {
  return change.kind === 'listener' && change.form !== null && isDatagram(change.form.protocol);
}

/** No amphora has accepted it and no push under way carries it: it can go without a trace. */
function isNewHere({ acceptedIn, pushed, changedIn }: LbObject, state: LoadBalancerState): boolean {
  return acceptedIn === 0 && pushed === null && changedIn > carriedIn(state);
}

/** The newest generation that the push under way carries; -1 without one. */
function carriedIn({ push, narrowing }: LoadBalancerState): number {
  return (push ?? narrowing)?.generation ?? -1;
}

function newObject(change: ObjectChange, generation: number, order: number, at: number): LbObject {
  const { form, ...rest } = change;
  const tracked = { desired: form, pushed: null, accepted: null, changedIn: generation, acceptedIn: 0, refusal: null };
  return { ...rest, ...tracked, order, createdAt: at, updatedAt: at } as LbObject;
}

function changedObject(
  before: LbObject,
  change: ObjectChange,
  changedIn: number,
  state: LoadBalancerState,
  at: number,
): LbObject {
  const pushed = before.pushed ?? (before.changedIn <= carriedIn(state) ? { form: before.desired } : null);
  return { ...before, desired: change.form, pushed, changedIn, refusal: null, updatedAt: at } as LbObject;
}

/**
 * What was pushed and not answered is pending again. Whether an amphora has taken it is not known, so what it serves is
 * to be confirmed by another push, even when nothing is left to change.
 */
function abandonPush(state: LoadBalancerState): LoadBalancerState {
  const { push } = state;
  if (push === null && state.narrowing === null) return state;
  const objects = forgetPushed(state.objects);
  const awaits = push?.awaits ?? [];
  const unsure = state.slots.map((slot) => (awaits.includes(slot.amphoraId) ? { ...slot, serves: false } : slot));
  return { ...state, objects, slots: forgetPeers(unsure, awaits), push: null, narrowing: null };
}
