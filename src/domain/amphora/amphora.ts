// Decide, evolve and plan of an amphora: boot, ready (a spare), allocated, deleted.
import { type Decision, refuse } from '../decision.ts';
import type { EntityDefinition } from '../entity.ts';
import type { LoadBalancerId } from '../ids.ts';
import { kindKey, plainKind } from './kind.ts';
import { mayJoin, sharingOf } from './sharing.ts';
import type { AmphoraStatus } from '../statuses.ts';
import {
  type DueSteps,
  dueSteps,
  endStep,
  evolveSteps,
  forgetFailures,
  nextRetry,
  noSteps,
  onlySteps,
  type RetryPolicy,
  spentRetry,
} from '../step.ts';
import type {
  Allocation,
  AmphoraAnswer,
  AmphoraCommand,
  AmphoraEvent,
  AmphoraState,
  AmphoraStep,
  AmphoraStepEnded,
  AmphoraStepResult,
  MaybeAmphora,
} from './state.ts';

const nobody = { amphorae: [], isHard: false };

/** Keys are in journals and must not change. */
export const stepKeys = {
  boot: 'boot',
  awaitAgent: 'await-agent',
  checkAllocation: 'check-allocation',
  configureAgent: 'configure-agent',
  rotateCertificate: 'rotate-certificate',
  destroy: 'destroy',
  tell: (loadBalancerId: LoadBalancerId): string => `tell:${loadBalancerId}`,
};

/** How long a load balancer may take to claim what it was granted before the amphora asks. */
const claimPeriodMs = 15_000;

/** How long a call of a load balancer that has left may be on its way: longer than any step may take. */
const returnPeriodMs = 600_000;

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

export function evolveAmphora(state: MaybeAmphora, event: AmphoraEvent): MaybeAmphora {
  if (state === undefined) {
    if (event.type !== 'amphoraCreated') return undefined;
    const { id, at, kind, apartFrom } = event;
    const more = { ...(kind !== undefined && { kind }), ...(apartFrom !== undefined && { apartFrom }) };
    const unknown = { instance: null, agent: null, controllers: [], wantedControllers: null };
    return { id, createdAt: at, updatedAt: at, ...more, ...unknown, allocations: [], deletion: null, steps: noSteps };
  }
  return { ...evolveExisting(state, event), updatedAt: event.at };
}

function evolveExisting(state: AmphoraState, event: AmphoraEvent): AmphoraState {
  switch (event.type) {
    case 'amphoraCreated':
      return state;
    case 'amphoraBooted': {
      const instance = { computeId: event.computeId, agent: event.agent };
      const where = event.place === undefined ? {} : { place: event.place };
      const steps = endStep(state.steps, stepKeys.boot);
      return { ...state, ...where, instance, controllers: event.controllers, steps };
    }
    case 'controllersWanted':
      return { ...state, wantedControllers: event.controllers, steps: endStep(state.steps, stepKeys.configureAgent) };
    case 'agentConfigured': {
      const { controllers } = event;
      const steps = endStep(state.steps, stepKeys.configureAgent);
      return { ...state, controllers, wantedControllers: null, steps };
    }
    case 'certificateRotationWanted':
      return { ...state, rotation: { since: event.at } };
    case 'certificateRotated': {
      const { rotation: _, ...rest } = state;
      return { ...rest, agent: event.facts, steps: endStep(state.steps, stepKeys.rotateCertificate) };
    }
    case 'amphoraReady':
      return { ...state, agent: event.facts, steps: endStep(state.steps, stepKeys.awaitAgent) };
    case 'amphoraAllocated': {
      const { type: _, ...allocated } = event;
      const others = state.allocations.filter(({ loadBalancerId }) => loadBalancerId !== event.loadBalancerId);
      const allocations = [...others, { ...allocated, confirmed: false }];
      return { ...state, allocations, steps: endStep(state.steps, stepKeys.checkAllocation) };
    }
    case 'allocationConfirmed': {
      const loadBalancerId = event.loadBalancerId ?? state.allocations[0]?.loadBalancerId;
      const allocations = changed(state, loadBalancerId, (allocation) => ({ ...allocation, confirmed: true }));
      return { ...state, allocations, steps: endStep(state.steps, stepKeys.checkAllocation) };
    }
    case 'allocationReturned': {
      const loadBalancerId = event.loadBalancerId ?? state.allocations[0]?.loadBalancerId;
      const allocations = state.allocations.filter((one) => one.loadBalancerId !== loadBalancerId);
      return { ...state, allocations, steps: endStep(state.steps, stepKeys.checkAllocation) };
    }
    case 'allocationReleased': {
      const { loadBalancerId, at } = event;
      const allocations = state.allocations.filter((one) => one.loadBalancerId !== loadBalancerId);
      const recent = (state.left ?? []).filter((one) => one.until > at && one.loadBalancerId !== loadBalancerId);
      return { ...state, allocations, left: [...recent, { loadBalancerId, until: at + returnPeriodMs }] };
    }
    case 'vacationWanted':
      return { ...state, vacating: { reason: event.reason } };
    case 'amphoraDeletionRequested': {
      const { reason, onBehalfOf } = event;
      const deletion = { reason, done: false, ...(onBehalfOf !== undefined && { onBehalfOf }) };
      return { ...state, deletion, steps: forgetFailures(state.steps, () => true) };
    }
    case 'amphoraDeleted': {
      const deletion = { ...(state.deletion ?? { reason: '' }), done: true };
      const tells = farewells(state).map(({ loadBalancerId }) => stepKeys.tell(loadBalancerId));
      return { ...state, deletion, steps: onlySteps(state.steps, tells) };
    }
    case 'farewellTold': {
      const { loadBalancerId, why: told } = event;
      const allocations = changed(state, loadBalancerId, (allocation) => ({ ...allocation, told }));
      return { ...state, allocations, steps: endStep(state.steps, stepKeys.tell(loadBalancerId)) };
    }
    case 'stepStarted':
    case 'stepFailed':
    case 'stepsInterrupted':
      return { ...state, steps: evolveSteps(state.steps, event) };
  }
}

function changed(
  { allocations }: AmphoraState,
  loadBalancerId: LoadBalancerId | undefined,
  change: (allocation: Allocation) => Allocation,
): readonly Allocation[] {
  return allocations.map((one) => (one.loadBalancerId === loadBalancerId ? change(one) : one));
}

/** Those that have it and do not know yet that they have to go on without it. Whoever has it deleted knows. */
function farewells({ id: amphoraId, allocations, deletion, vacating }: AmphoraState): readonly FarewellStep[] {
  const why = deletion === null ? 'replaced' : 'lost';
  const reason = deletion?.reason ?? vacating?.reason;
  if (reason === undefined) return [];
  return allocations
    .filter(({ loadBalancerId, told }) => told !== why && loadBalancerId !== deletion?.onBehalfOf)
    .map(({ loadBalancerId, confirmed }) => {
      const key = stepKeys.tell(loadBalancerId);
      return { type: 'tellFarewell', key, amphoraId, loadBalancerId, why, reason, isUnconfirmed: !confirmed };
    });
}

type FarewellStep = Extract<AmphoraStep, { type: 'tellFarewell' }>;

export function planAmphora(state: AmphoraState, now: number): DueSteps<AmphoraStep> {
  const due = dueSteps(state.steps, wantedSteps(state, now), now);
  const checkAt = allocationCheckAt(state);
  if (checkAt === undefined || checkAt <= now) return due;
  return { ...due, wakeAt: Math.min(due.wakeAt ?? checkAt, checkAt) };
}

function wantedSteps(state: AmphoraState, now: number): readonly AmphoraStep[] {
  const amphoraId = state.id;
  if (state.deletion !== null) {
    if (state.deletion.done || stepKeys.boot in state.steps.running) return farewells(state);
    return [{ type: 'destroy', key: stepKeys.destroy, amphoraId }, ...farewells(state)];
  }
  const { kind = plainKind, apartFrom = nobody } = state;
  if (state.instance === null) return [{ type: 'boot', key: stepKeys.boot, amphoraId, kind, apartFrom }];
  if (state.agent === null) {
    return [{ type: 'awaitAgent', key: stepKeys.awaitAgent, amphoraId, agent: state.instance.agent }];
  }
  const steps: AmphoraStep[] = [...farewells(state)];
  const { wantedControllers: controllers, allocations } = state;
  if (controllers !== null) {
    const { agent } = state.instance;
    const { topology } = kind;
    steps.push({ type: 'configureAgent', key: stepKeys.configureAgent, amphoraId, agent, controllers, topology });
  }
  if (state.rotation !== undefined) {
    const { agent } = state.instance;
    const { certificateFingerprint: fingerprint } = state.agent;
    const loadBalancerIds = allocations.map(({ loadBalancerId }) => loadBalancerId);
    steps.push({
      type: 'rotateCertificate',
      key: stepKeys.rotateCertificate,
      amphoraId,
      agent,
      fingerprint,
      loadBalancerIds,
    });
  }
  const unconfirmed = oldestUnconfirmed(state);
  if (unconfirmed !== undefined && unconfirmed.at + claimPeriodMs <= now) {
    const { loadBalancerId } = unconfirmed;
    steps.push({ type: 'checkAllocation', key: stepKeys.checkAllocation, amphoraId, loadBalancerId });
  }
  return steps;
}

/** One is looked at after the other. */
function oldestUnconfirmed({ allocations, deletion }: AmphoraState): Allocation | undefined {
  return deletion === null ? allocations.find(({ confirmed }) => !confirmed) : undefined;
}

function allocationCheckAt(state: AmphoraState): number | undefined {
  const unconfirmed = oldestUnconfirmed(state);
  return unconfirmed && unconfirmed.at + claimPeriodMs;
}

export function amphoraStatus(state: AmphoraState): AmphoraStatus {
  if (state.deletion !== null) {
    if (state.deletion.done) return 'DELETED';
    return spentRetry(state.steps) === undefined ? 'PENDING_DELETE' : 'ERROR';
  }
  if (state.allocations.length > 0) return 'ALLOCATED';
  return state.agent === null ? 'BOOTING' : 'READY';
}

export interface AmphoraEntity {
  readonly state: AmphoraState;
  readonly command: AmphoraCommand;
  readonly answer: AmphoraAnswer;
  readonly event: AmphoraEvent;
  readonly step: AmphoraStep;
  readonly result: AmphoraStepResult;
}

export const amphora: EntityDefinition<AmphoraEntity> = {
  kind: 'amphora',
  schemaVersion: 4,
  decide: decideAmphora,
  decideStepEnded: decideAmphoraStepEnded,
  decideResumed: decideAmphoraResumed,
  follow: () => undefined,
  evolve: evolveAmphora,
  plan: planAmphora,
  isCreation: (command) => command.type === 'createAmphora',
  isGone: (state) => state.deletion?.done === true,
  isOver: (state) => state.deletion?.done === true && farewells(state).length === 0,
  stepTimeoutMs: (step, { callMs, bootMs }) => (step.type === 'awaitAgent' ? bootMs : callMs),
};
