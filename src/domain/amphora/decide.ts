// From state and message to events, or a refusal. Whose an amphora is is decided here, and nowhere else: it is granted
// once, or to as many as share it.
import { type Decision, refuse } from '../decision.ts';
import type { LoadBalancerId } from '../ids.ts';
import { nextRetry, type RetryPolicy } from '../step.ts';
import { kindKey, plainKind } from './kind.ts';
import { wantedSteps } from './plan.ts';
import { mayJoin, sharingOf } from './sharing.ts';
import type { AmphoraAnswer, AmphoraCommand } from './commands.ts';
import type { AmphoraEvent } from './events.ts';
import type { Allocation, AmphoraState, MaybeAmphora } from './state.ts';
import { type AmphoraStepEnded, type AmphoraStepResult, stepKeys } from './steps.ts';
import { amphoraStatus } from './status.ts';

type AmphoraDecision = Decision<AmphoraEvent, AmphoraAnswer>;

export function decideAmphora(state: MaybeAmphora, command: AmphoraCommand, at: number): AmphoraDecision {
  if (command.type === 'createAmphora') {
    if (state !== undefined) return accept(state, []);
    const { amphoraId: id, kind, apartFrom } = command;
    const more = { ...(kind !== undefined && { kind }), ...(apartFrom !== undefined && { apartFrom }) };
    const created: AmphoraEvent = { type: 'amphoraCreated', at, id, ...more };
    return { type: 'accept', events: [created], answer: { id: command.amphoraId, instance: null, isGone: false } };
  }
  if (state === undefined || state.deletion?.done === true) return refuse('notFound', 'Amphora not found.');
  switch (command.type) {
    case 'allocateAmphora':
      return decideAllocate(state, command, at);
    case 'reportTo': {
      const { controllers } = command;
      const isKnown = sameList(state.wantedControllers ?? state.controllers, controllers);
      return accept(state, isKnown || state.deletion !== null ? [] : [{ type: 'controllersWanted', at, controllers }]);
    }
    case 'configureAgent': {
      if (state.deletion !== null || state.agent === null) return notReady(state);
      const controllers = state.wantedControllers ?? state.controllers;
      return accept(state, [{ type: 'controllersWanted', at, controllers }]);
    }
    case 'rotateCertificate': {
      if (state.deletion !== null || state.agent === null) return notReady(state);
      const isOther = command.fingerprint !== null && command.fingerprint !== state.agent.certificateFingerprint;
      const isKnown = isOther || state.rotation !== undefined;
      return accept(state, isKnown ? [] : [{ type: 'certificateRotationWanted', at }]);
    }
    case 'deleteAmphora':
      return decideDelete(state, command, at);
    case 'releaseAmphora': {
      const { loadBalancerId } = command;
      if (state.deletion !== null || allocationOf(state, loadBalancerId) === undefined) return accept(state, []);
      const released: AmphoraEvent = { type: 'allocationReleased', at, loadBalancerId };
      const isLast = state.allocations.length === 1;
      const reason = 'no load balancer has it any more';
      return accept(state, isLast ? [released, { type: 'amphoraDeletionRequested', at, reason }] : [released]);
    }
    case 'vacateAmphora': {
      if (state.allocations.length === 0) return refuse('conflict', `Amphora ${state.id} serves no load balancer`);
      const isKnown = state.deletion !== null || state.vacating !== undefined;
      return accept(state, isKnown ? [] : [{ type: 'vacationWanted', at, reason: command.reason }]);
    }
  }
}

/** Whoever shares it leaves it to the others, unless it is lost: then it goes, and they are told. */
function decideDelete(
  state: AmphoraState,
  { reason, onBehalfOf, unlessShared }: Extract<AmphoraCommand, { type: 'deleteAmphora' }>,
  at: number,
): AmphoraDecision {
  const { allocations, deletion } = state;
  const isTheirs = onBehalfOf === null ? allocations.length === 0 : allocationOf(state, onBehalfOf) !== undefined;
  // Its release was not heard of.
  const hasLeft = state.left?.some(({ loadBalancerId }) => loadBalancerId === onBehalfOf) === true;
  if (!isTheirs && onBehalfOf !== null && (hasLeft || sharingOf(allocations) !== undefined)) {
    return accept(state, [], 'left');
  }
  if (!isTheirs) {
    const expected = onBehalfOf === null ? 'a spare' : `allocated to load balancer ${onBehalfOf}`;
    return refuse('conflict', `Amphora ${state.id} is not ${expected}`);
  }
  if (deletion !== null) return accept(state, []);
  if (unlessShared === true && allocations.length > 1) return accept(state, [], 'shared');
  const behalf = onBehalfOf === null ? {} : { onBehalfOf };
  return accept(state, [{ type: 'amphoraDeletionRequested', at, reason, ...behalf }]);
}

function allocationOf({ allocations }: AmphoraState, loadBalancerId: LoadBalancerId): Allocation | undefined {
  return allocations.find((allocation) => allocation.loadBalancerId === loadBalancerId);
}

/**
 * Granted once, or to as many as share; a repeat by the same load balancer gets the same answer, another one a refusal. A repeat
 * also calls off a question whether the amphora was claimed: its answer may be older than the repeat.
 */
function decideAllocate(
  state: AmphoraState,
  { loadBalancerId, role, kind, sharing }: Extract<AmphoraCommand, { type: 'allocateAmphora' }>,
  at: number,
): AmphoraDecision {
  const { allocations } = state;
  const before = allocationOf(state, loadBalancerId);
  if (state.deletion === null && before?.role === role) {
    const { confirmed: _, told: _told, ...again } = before;
    const isAsked = stepKeys.checkAllocation in state.steps.running;
    return accept(state, isAsked ? [{ type: 'amphoraAllocated', ...again, at }] : []);
  }
  const isOpen = state.deletion === null && state.vacating === undefined;
  const hasLeft = state.left?.some((one) => one.loadBalancerId === loadBalancerId && one.until > at) === true;
  const hasRoom = isOpen && !hasLeft && mayJoin(sharingOf(allocations), allocations.length, sharing);
  if (amphoraStatus(state) !== 'READY' && !hasRoom) {
    return refuse('conflict', `Amphora ${state.id} is ${amphoraStatus(state)}, not READY`);
  }
  if (kind !== undefined && kindKey(kind) !== kindKey(state.kind ?? plainKind)) {
    return refuse('conflict', `Amphora ${state.id} is of another kind`);
  }
  const shared = sharing === undefined ? {} : { sharing };
  return accept(state, [{ type: 'amphoraAllocated', at, loadBalancerId, role, ...shared }]);
}

function notReady(state: AmphoraState): AmphoraDecision {
  return refuse('conflict', `Amphora ${state.id} is ${amphoraStatus(state)}: its agent takes nothing`);
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item, index) => item === other[index]);
}

function accept(
  { id, instance }: AmphoraState,
  events: readonly AmphoraEvent[],
  stays?: AmphoraAnswer['stays'],
): AmphoraDecision {
  const answer = { id, instance, isGone: false, ...(stays !== undefined && { stays }) };
  return { type: 'accept', events, answer };
}

export function decideAmphoraStepEnded(
  state: MaybeAmphora,
  ended: AmphoraStepEnded,
  at: number,
  policy: RetryPolicy,
): Decision<AmphoraEvent, null> {
  const becomes = (...events: readonly AmphoraEvent[]) => ({ type: 'accept', events, answer: null }) as const;
  if (state?.steps.running[ended.key]?.run !== ended.run) return becomes();
  const { key, outcome } = ended;
  if (outcome.ok) return becomes(...resultEvents(state, outcome.result, at));
  if (outcome.isInterrupted === true || !wantedSteps(state, at).some((step) => step.key === key)) {
    return becomes({ type: 'stepsInterrupted', keys: [key], at });
  }
  const retry = nextRetry(state.steps, key, outcome.failure, at, policy);
  const failed: AmphoraEvent = { type: 'stepFailed', key, retry, at };
  // Nobody needs this very amphora before it is ready: a boot that has failed for good is cleared away, and whoever
  // asked for it asks for another one.
  const isHopeless = retry.spent && (key === stepKeys.boot || key === stepKeys.awaitAgent);
  const reason = `it did not boot: ${outcome.failure.message}`;
  return isHopeless ? becomes(failed, { type: 'amphoraDeletionRequested', at, reason }) : becomes(failed);
}

function resultEvents(state: AmphoraState, result: AmphoraStepResult, at: number): readonly AmphoraEvent[] {
  switch (result.type) {
    case 'booted': {
      const { computeId, agent, controllers, place } = result;
      const where = place === undefined ? {} : { place };
      const booted: AmphoraEvent = { type: 'amphoraBooted', at, computeId, agent, controllers, ...where };
      return result.facts === null ? [booted] : [booted, { type: 'amphoraReady', at, facts: result.facts }];
    }
    case 'agentAnswered':
      return [{ type: 'amphoraReady', at, facts: result.facts }];
    case 'allocationChecked': {
      const { loadBalancerId, isClaimed } = result;
      if (isClaimed) return [{ type: 'allocationConfirmed', at, loadBalancerId }];
      const returned: AmphoraEvent = { type: 'allocationReturned', at, loadBalancerId };
      // One where another may have been, or that was to be replaced, is no spare like others.
      const { allocations, vacating } = state;
      const isUsed = allocations[0]?.sharing !== undefined || vacating !== undefined;
      const reason = 'no load balancer has it any more';
      return isUsed && allocations.length === 1
        ? [returned, { type: 'amphoraDeletionRequested', at, reason }]
        : [returned];
    }
    case 'agentConfigured':
      return [{ type: 'agentConfigured', at, controllers: result.controllers }];
    case 'certificateRotated':
      return [{ type: 'certificateRotated', at, facts: result.facts }];
    case 'destroyed':
      return [{ type: 'amphoraDeleted', at }];
    case 'farewellTold':
      return [{ ...result, at }];
  }
}

export function decideAmphoraResumed(state: MaybeAmphora, at: number): readonly AmphoraEvent[] {
  const keys = Object.keys(state?.steps.running ?? {});
  return keys.length === 0 ? [] : [{ type: 'stepsInterrupted', keys, at }];
}
