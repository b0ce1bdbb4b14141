// Topologies: which roles a load balancer fills, and how the two amphorae of a pair come to know each other. Each names the
// other in its keepalived and haproxy configurations, so a newcomer and the one that serves must learn of each other in an
// order: keepalived hears only who sends to it, and one that hears nobody takes the VIP. So the one that serves is told first,
// and a newcomer starts once it is spoken to. All of this is a difference between what slots know and what they should.
import { type AmphoraKind, plainInstance } from '../amphora/kind.ts';
import type { Sharing } from '../amphora/sharing.ts';
import type { WantedAmphora } from '../amphora/wanted.ts';
import type { AmphoraId } from '../ids.ts';
import type { AmphoraRole, Topology } from '../statuses.ts';
import type { LoadBalancerEvent } from './events.ts';
import type { LoadBalancerState, Slot } from './state.ts';
import { type Pairing, stepKeys } from './steps.ts';

const rolesByTopology: Readonly<Record<Topology, readonly AmphoraRole[]>> = {
  SINGLE: ['STANDALONE'],
  ACTIVE_STANDBY: ['MASTER', 'BACKUP'],
};

export function topologyOf(state: LoadBalancerState): Topology {
  return state.topology ?? 'SINGLE';
}

/** Of what kind its amphorae are. */
function kindOf(state: LoadBalancerState): AmphoraKind {
  return { topology: topologyOf(state), ...(state.instances ?? plainInstance) };
}

/** Roles that the load balancer fills. */
export function rolesOf(state: LoadBalancerState): readonly AmphoraRole[] {
  return rolesByTopology[topologyOf(state)];
}

/** Whether its amphora may be that of others as well. */
export function mayShare({ perAmphora = 1 }: LoadBalancerState): boolean {
  return perAmphora > 1;
}

/** What it says to others who would share its amphora; undefined when it has one alone. */
function sharingBy(state: LoadBalancerState): Sharing | undefined {
  const { projectId, perAmphora: most = 1 } = state;
  return mayShare(state) ? { projectId, most } : undefined;
}

/** What it wants its amphorae to be. */
export function wantedBy(state: LoadBalancerState): WantedAmphora {
  const { antiAffinity } = state;
  const sharing = sharingBy(state);
  return {
    kind: kindOf(state),
    ...(sharing !== undefined && { sharing }),
    ...(antiAffinity !== undefined && { antiAffinity }),
  };
}

export function isPair(state: LoadBalancerState): boolean {
  return topologyOf(state) === 'ACTIVE_STANDBY';
}

/** Amphorae that serve, or shall. */
export function servingSlots(state: LoadBalancerState): readonly Slot[] {
  return state.slots.filter((slot) => slot.leaving === null);
}

/** Whether any configuration was ever accepted. */
export function hasBeenServed(state: LoadBalancerState): boolean {
  return Object.values(state.objects).some((object) => object.acceptedIn > 0);
}

/** Whether the one whose role it takes is gone: never do two have the same one, because the earlier may still have the VIP. */
export function hasItsRole(state: LoadBalancerState, slot: Slot): boolean {
  return slot.leaving === null && !state.slots.some((other) => other !== slot && other.role === slot.role);
}

/**
 * Amphorae that a push goes to. A pair is served by both from the beginning, and later by whichever is there: changes do
 * not wait for a replacement.
 */
export function pushableSlots(state: LoadBalancerState): readonly Slot[] {
  const ready = state.slots.filter((slot) => hasItsRole(state, slot) && (!isPair(state) || slot.port !== undefined));
  const isComplete = ready.length === rolesOf(state).length;
  return isComplete || (isPair(state) && hasBeenServed(state)) ? ready : [];
}

/** Whether every role is filled by an amphora that serves, and nobody is on the way out. */
export function isFullyServed(state: LoadBalancerState): boolean {
  const serving = servingSlots(state);
  const isServed = rolesOf(state).every((role) => serving.some((slot) => slot.role === role && slot.serves));
  return isServed && serving.length === state.slots.length;
}

/** Amphorae whose word counts: those that serve; while none does, those that shall. */
export function observedSlots(state: LoadBalancerState): readonly Slot[] {
  const serving = servingSlots(state);
  const settled = serving.filter((slot) => slot.serves);
  return settled.length > 0 ? settled : serving;
}

function peerOf(state: LoadBalancerState, slot: Slot): Slot | undefined {
  return state.slots.find((other) => other !== slot && hasItsRole(state, other) && other.port !== undefined);
}

/** What one of a pair is told; null for one that stands alone. */
export function pairingOf(state: LoadBalancerState, slot: Slot): Pairing | null {
  if (slot.port === undefined) return null;
  const peer = peerOf(state, slot);
  return {
    role: slot.role,
    address: slot.port.address,
    beginsAs: slot.role === 'MASTER' && slot.hasJoined !== true ? 'MASTER' : 'BACKUP',
    peer: peer?.port === undefined ? null : { amphoraId: peer.amphoraId, address: peer.port.address },
    keepsPeer: peer === undefined && typeof slot.knownPeer === 'string',
  };
}

/** Whether the other one, which serves, has yet to be told of this one. Where neither knows the other, the MASTER goes first. */
export function isAheadOfPeer(state: LoadBalancerState, slot: Slot): boolean {
  const peer = peerOf(state, slot);
  if (peer === undefined || !isMistaken(peer, slot)) return false;
  return !(isMistaken(slot, peer) && slot.role === 'MASTER');
}

/**
 * Whether one that goes may still have the VIP and not speak to this one, which does not serve yet: it would take the VIP as well.
 * The one that goes is told nothing any more, so this one waits until it is gone.
 */
export function isBehindLeaver(state: LoadBalancerState, slot: Slot): boolean {
  if (slot.serves || slot.port === undefined) return false;
  const leavers = state.slots.filter((other) => other.leaving !== null && other.port !== undefined);
  return leavers.some((other) => other.knownPeer !== slot.port?.address);
}

/** Whether it may speak to somebody else than the other one. */
function isMistaken({ knownPeer }: Slot, other: Slot): boolean {
  return knownPeer !== undefined && knownPeer !== other.port?.address;
}

/** After a push that these have not answered: they may have been told of each other, or not. */
export function forgetPeers(slots: readonly Slot[], unanswered: readonly AmphoraId[]): readonly Slot[] {
  return slots.map((slot) =>
    slot.port !== undefined && unanswered.includes(slot.amphoraId) ? { ...slot, knownPeer: null } : slot,
  );
}

/** It has taken a configuration that names that peer, or none. */
export function learnPeer({ knownPeer, ...slot }: Slot, peerAddress: string | undefined): Slot {
  const known = peerAddress ?? knownPeer ?? undefined;
  return known === undefined ? slot : { ...slot, knownPeer: known };
}

/**
 * The replacement whose turn it is: of a pair that is whole, the one with the lesser role first, so that the VIP moves as
 * late as it can. One that takes no configuration does not wait: at once when it serves nobody, else when it was tried often.
 */
export function nextReplacement(state: LoadBalancerState, at: number): LoadBalancerEvent | undefined {
  if (state.deletion !== 'no' || state.slots.some((slot) => slot.leaving !== null)) return undefined;
  const due = state.slots.filter((slot) => slot.replaceFor !== undefined);
  const isFailing = ({ amphoraId, serves }: Slot) => {
    const retry = state.steps.retries[stepKeys.deploy(amphoraId)];
    return retry !== undefined && (retry.spent || !serves);
  };
  const isSettled = state.push === null && state.narrowing === null && isFullyServed(state);
  const next = due.find(isFailing) ?? (isSettled ? (due.find(({ role }) => role === 'BACKUP') ?? due[0]) : undefined);
  if (next === undefined) return undefined;
  const { amphoraId, replaceFor: reason = '' } = next;
  return { type: 'amphoraLeaving', at, amphoraId, why: 'replaced', reason };
}
