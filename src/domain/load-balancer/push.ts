// Pushes: which changes travel to the amphorae next, what an acceptance or a refusal means, and how a refusal is
// narrowed down to the one change that caused it. The search is a bisection over prefixes of the changes in their
// order, because a child comes after its parent: a prefix never holds a member without its new pool.
import type { AmphoraId, ObjectId } from '../ids.ts';
import { endStep } from '../step.ts';
import type { LoadBalancerEvent } from './events.ts';
import { forgetPeers, learnPeer, nextReplacement, pushableSlots } from './pair.ts';
import type { LbObject, LoadBalancerState, Narrowing, Slot } from './state.ts';
import { stepKeys } from './steps.ts';

/** Whether the object has a change that amphorae have neither accepted nor refused. */
export function isPending(object: LbObject): boolean {
  return object.refusal === null && (object.changedIn > object.acceptedIn || object.desired === null);
}

/** The form an object has in a push. */
export function pushedForm<O extends LbObject>(object: O, isCarried: boolean): O['desired'] {
  if (!isCarried) return object.accepted;
  return object.pushed === null ? object.desired : object.pushed.form;
}

/** What follows without a message: the end of a search for the refused change, or the push that is due. */
export function followingEvent(state: LoadBalancerState, at: number): LoadBalancerEvent | undefined {
  const objectId = culprit(state.narrowing);
  if (objectId === undefined)
    return isConfirmationDue(state, at)
      ? { type: 'confirmationDue', at }
      : (nextReplacement(state, at) ?? nextPush(state, at));
  return { type: 'changeRefused', at, objectId, reason: state.narrowing?.reason ?? '' };
}

function isConfirmationDue({ confirmAt, push, narrowing, deletion }: LoadBalancerState, at: number): boolean {
  return confirmAt !== null && confirmAt <= at && push === null && narrowing === null && deletion === 'no';
}

/**
 * Undefined when there is nothing to push, or nobody to push it to. A push that was given up may still be on its way to one of
 * a pair: its end must not be taken for an answer to the next.
 */
function nextPush(state: LoadBalancerState, at: number): LoadBalancerEvent | undefined {
  if (state.deletion !== 'no' || state.push !== null || state.vip.port === null) return undefined;
  const slots = pushableSlots(state);
  if (slots.length === 0 || Object.keys(state.steps.running).some(stepKeys.isDeploy)) return undefined;
  const awaits = slots.map((slot) => slot.amphoraId);
  if (state.narrowing !== null) {
    const { generation, suspects, good, bad } = state.narrowing;
    const carries = suspects.slice(0, Math.floor((good + bad) / 2));
    return { type: 'pushStarted', at, generation, carries, awaits };
  }
  const carries = pendingInOrder(state);
  if (carries.length === 0 && slots.every((slot) => slot.serves)) return undefined;
  return { type: 'pushStarted', at, generation: state.generation, carries, awaits };
}

function pendingInOrder(state: LoadBalancerState): readonly ObjectId[] {
  return Object.values(state.objects)
    .filter(isPending)
    .toSorted((a, b) => a.changedIn - b.changedIn || a.order - b.order)
    .map((object) => object.id);
}

export function acceptPush(
  state: LoadBalancerState,
  { amphoraId, peerAddress, digest, ownPort }: Extract<LoadBalancerEvent, { type: 'pushAccepted' }>,
): LoadBalancerState {
  const push = state.push;
  const steps = endStep(state.steps, stepKeys.deploy(amphoraId));
  if (push === null) return { ...state, steps };
  const told = { serves: true, ...(ownPort !== undefined && { ownPort }) };
  const slots = state.slots.map((slot) =>
    slot.amphoraId === amphoraId ? { ...learnDigest(learnPeer(slot, peerAddress), digest), ...told } : slot,
  );
  const awaits = push.awaits.filter((awaited) => awaited !== amphoraId);
  if (awaits.length > 0) return { ...state, slots, steps, push: { ...push, awaits } };
  const objects = acceptCarried(state.objects, push.carries, push.generation);
  if (state.narrowing === null) return { ...state, objects: forgetPushed(objects), slots, steps, push: null };
  return { ...state, objects, slots, steps, push: null, narrowing: { ...state.narrowing, good: push.carries.length } };
}

function learnDigest({ digest: _, ...slot }: Slot, digest: string | null | undefined): Slot {
  return digest === undefined ? slot : { ...slot, digest };
}

function acceptCarried(
  objects: LoadBalancerState['objects'],
  carries: readonly ObjectId[],
  generation: number,
): LoadBalancerState['objects'] {
  const next: Record<ObjectId, LbObject> = { ...objects };
  for (const id of carries) {
    const object = next[id];
    if (object === undefined) continue;
    const accepted = pushedForm(object, true);
    const isNewest = object.pushed === null;
    if (isNewest && accepted === null) delete next[id];
    else next[id] = { ...object, accepted, acceptedIn: isNewest ? object.changedIn : generation } as LbObject;
  }
  return next;
}

export function refusePush(state: LoadBalancerState, amphoraId: AmphoraId, reason: string): LoadBalancerState {
  const steps = endStep(state.steps, stepKeys.deploy(amphoraId));
  const push = state.push;
  if (push === null) return { ...state, steps };
  const bad = push.carries.length;
  const narrowing: Narrowing =
    state.narrowing === null
      ? { generation: push.generation, suspects: push.carries, good: 0, bad, reason }
      : { ...state.narrowing, bad, reason };
  return { ...state, slots: forgetPeers(state.slots, push.awaits), steps, push: null, narrowing };
}

/** The change that the search has ended with; undefined while it goes on. */
function culprit(narrowing: Narrowing | null): ObjectId | undefined {
  if (narrowing === null || narrowing.bad - narrowing.good > 1) return undefined;
  return narrowing.suspects[narrowing.bad - 1];
}

/**
 * Ends the search. An object that was changed again since is not to blame: its newer form gets its own push. What
 * amphorae serve is confirmed by one more push, because an acceptance may have gone unheard before the refusal.
 */
export function refuseChange(state: LoadBalancerState, objectId: ObjectId, reason: string): LoadBalancerState {
  const object = state.objects[objectId];
  const objects =
    object === undefined || object.pushed !== null
      ? state.objects
      : { ...state.objects, [objectId]: { ...object, refusal: reason } };
  const slots = state.slots.map((slot) => ({ ...slot, serves: false }));
  return { ...state, objects: forgetPushed(objects), slots, narrowing: null };
}

/** What was on its way counts no more. An object that has been deleted since, and that nobody accepted, is gone with it. */
export function forgetPushed(objects: LoadBalancerState['objects']): LoadBalancerState['objects'] {
  const next: Record<ObjectId, LbObject> = { ...objects };
  for (const object of Object.values(objects)) {
    if (object.pushed === null) continue;
    if (object.desired === null && object.accepted === null) delete next[object.id];
    else next[object.id] = { ...object, pushed: null };
  }
  return next;
}
