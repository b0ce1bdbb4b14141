// From state to work: which steps bring the world to what is desired. Nothing here knows create from update or
// failover from deletion; all are the difference between what is wanted and what is there.
import { type DueSteps, dueSteps } from '../step.ts';
import {
  hasItsRole,
  isAheadOfPeer,
  isBehindLeaver,
  isPair,
  mayShare,
  pairingOf,
  rolesOf,
  servingSlots,
  wantedBy,
} from './pair.ts';
import type { LoadBalancerState, Slot } from './state.ts';
import { type LoadBalancerStep, type PlacedVip, type SlotAddress, stepKeys } from './steps.ts';
import { servedTree, desired, vipPolicyOf } from './tree.ts';

export function planLoadBalancer(state: LoadBalancerState, now: number): DueSteps<LoadBalancerStep> {
  const due = dueSteps(state.steps, wantedSteps(state, now), now);
  const times = state.deletion === 'done' ? [] : waitsFor(state).filter((at) => at > now);
  if (times.length === 0) return due;
  return { ...due, wakeAt: Math.min(due.wakeAt ?? Number.POSITIVE_INFINITY, ...times) };
}

/** Moments that steps wait for. */
function waitsFor(state: LoadBalancerState): readonly number[] {
  const leavers = state.slots.filter(({ leaving }) => leaving !== null || state.deletion === 'requested');
  const unsettled = leavers.flatMap(({ unsettledUntil }) => unsettledUntil ?? []);
  const own = state.deletion === 'no' ? state.confirmAt : state.vip.unsettledUntil;
  return own === null || own === undefined ? unsettled : [own, ...unsettled];
}

/** Whether its VIP has its address, or none is to be expected soon. */
export function isPlaced({ vip, deletion, steps }: LoadBalancerState): boolean {
  return vip.port !== null || deletion !== 'no' || steps.retries[stepKeys.vip] !== undefined;
}

/** Whether the step of that key still has a purpose. */
export function isWanted(state: LoadBalancerState, key: string): boolean {
  return wantedSteps(state, Number.POSITIVE_INFINITY).some((step) => step.key === key);
}

function wantedSteps(state: LoadBalancerState, now: number): readonly LoadBalancerStep[] {
  switch (state.deletion) {
    case 'done':
      return [];
    case 'requested':
      return stepsToDelete(state, now);
    case 'no':
      return [...stepsToPlace(state), ...stepsToRetire(state, now), ...stepsToPlug(state), ...stepsToDeploy(state)];
  }
}

/** A VIP, and an amphora for each role. */
function stepsToPlace(state: LoadBalancerState): readonly LoadBalancerStep[] {
  const steps: LoadBalancerStep[] = [];
  const loadBalancerId = state.id;
  if (state.vip.port === null) steps.push(allocation(state));
  const serving = servingSlots(state);
  for (const role of rolesOf(state)) {
    if (serving.some((slot) => slot.role === role)) continue;
    const key = stepKeys.claim(role);
    // Any earlier run may have been granted an amphora whose name never reached the journal.
    const isRepeat = state.steps.retries[key] !== undefined || state.steps.runs > 0;
    steps.push({ type: 'claimAmphora', key, loadBalancerId, role, wanted: wantedBy(state), isRepeat });
  }
  return steps;
}

function allocation({ id: loadBalancerId, vip }: LoadBalancerState): LoadBalancerStep {
  const { subnetId, requestedAddress: address, additional, taken } = vip;
  const step = { type: 'allocateVip', key: stepKeys.vip, loadBalancerId, subnetId, address, taken } as const;
  if (additional === undefined) return step;
  return { ...step, additional: additional.map((one) => ({ subnetId: one.subnetId, address: one.requestedAddress })) };
}

/** A lost amphora goes at once, so that it serves no more; a replaced one once its replacement is there. */
function stepsToRetire(state: LoadBalancerState, now: number): readonly LoadBalancerStep[] {
  const serving = servingSlots(state);
  return state.slots
    .filter((slot) => slot.leaving?.why === 'lost' || serving.some((other) => other.role === slot.role))
    .filter((slot) => slot.leaving !== null)
    .flatMap((slot) => retire(state, slot, now));
}

/** The port of one of a pair, as soon as nobody else has its role. */
function stepsToPlug(state: LoadBalancerState): readonly LoadBalancerStep[] {
  const vip = placedVip(state);
  if (vip === undefined || !isPair(state)) return [];
  return state.slots
    .filter((slot) => slot.port === undefined && hasItsRole(state, slot))
    .map((slot) => ({
      type: 'plugAmphora',
      key: stepKeys.plug(slot.amphoraId),
      loadBalancerId: state.id,
      slot: addressOf(slot),
      vip,
      policy: vipPolicyOf(
        state,
        desired(state, 'loadBalancer')[0]?.form ?? {},
        desired(state, 'member').map(({ form }) => form),
      ),
    }));
}

/** Of a pair, who serves is told of a newcomer before that starts. */
function stepsToDeploy(state: LoadBalancerState): readonly LoadBalancerStep[] {
  const { push } = state;
  const vip = placedVip(state);
  if (push === null || vip === undefined) return [];
  const awaited = servingSlots(state).filter((slot) => push.awaits.includes(slot.amphoraId));
  const due = awaited.filter((slot) => !isAheadOfPeer(state, slot) && !isBehindLeaver(state, slot));
  const tree = servedTree(state, push.carries);
  return due.map((slot) => ({
    type: 'deploy',
    key: stepKeys.deploy(slot.amphoraId),
    loadBalancerId: state.id,
    slot: addressOf(slot),
    vip,
    tree,
    hasLvs: state.hasLvs === true,
    pairing: pairingOf(state, slot),
  }));
}

/** The VIP's port goes last, and not before it is certain that no step makes it anew or claims another amphora. */
function stepsToDelete(state: LoadBalancerState, now: number): readonly LoadBalancerStep[] {
  if (state.slots.length > 0) return state.slots.flatMap((slot) => retire(state, slot, now));
  const running = Object.keys(state.steps.running).filter((key) => key !== stepKeys.releaseVip);
  if (running.length > 0 || (state.vip.unsettledUntil ?? 0) > now) return [];
  return [{ type: 'releaseVip', key: stepKeys.releaseVip, loadBalancerId: state.id }];
}

/** One that others may share is left to them, and not before it is certain that no push brings this load balancer back. */
function retire(state: LoadBalancerState, slot: Slot, now: number): readonly LoadBalancerStep[] {
  const { amphoraId, leaving, unsettledUntil = 0 } = slot;
  const leaves = mayShare(state) && leaving?.why !== 'lost';
  if (leaves && (unsettledUntil > now || stepKeys.deploy(amphoraId) in state.steps.running)) return [];
  const reason = leaving?.reason ?? 'its load balancer is being deleted';
  const key = stepKeys.retire(amphoraId);
  const handsOver = isPair(state) && state.deletion === 'no' && leaving?.why === 'replaced' && slot.serves;
  const leave = leaves ? { vip: placedVip(state) ?? null, hasLvs: state.hasLvs === true } : null;
  const { id: loadBalancerId } = state;
  return [{ type: 'retireAmphora', key, loadBalancerId, slot: addressOf(slot), reason, handsOver, leave }];
}

function addressOf({ amphoraId, computeId, agent }: Slot): SlotAddress {
  return { amphoraId, computeId, agent };
}

function placedVip({ vip }: LoadBalancerState): PlacedVip | undefined {
  if (vip.port === null) return undefined;
  const { subnetId, networkId, vnicType } = vip;
  return { ...vip.port, subnetId, networkId, ...(vnicType !== undefined && { vnicType }) };
}
