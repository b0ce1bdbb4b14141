// Decide, evolve and plan of an amphora: boot, ready (a spare), allocated, deleted.
import { type Decision, refuse } from '../decision.ts';
import type { EntityDefinition } from '../entity.ts';
import { kindKey, plainKind } from './kind.ts';
import type { AmphoraStatus } from '../statuses.ts';
import {
  type DueSteps,
  dueSteps,
  endStep,
  evolveSteps,
  forgetFailures,
  nextRetry,
  noSteps,
  type RetryPolicy,
  spentRetry,
} from '../step.ts';
import type {
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
};

/** How long a load balancer may take to claim what it was granted before the amphora asks. */
const claimPeriodMs = 15_000;

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
    case 'deleteAmphora': {
      const { reason, onBehalfOf } = command;
      const owner = state.allocation?.loadBalancerId ?? null;
      if (owner !== onBehalfOf) {
        const expected = onBehalfOf === null ? 'a spare' : `allocated to load balancer ${onBehalfOf}`;
        return refuse('conflict', `Amphora ${state.id} is not ${expected}`);
      }
      return accept(state, state.deletion === null ? [{ type: 'amphoraDeletionRequested', at, reason }] : []);
    }
  }
}

/**
 * Granted once; a repeat by the same load balancer gets the same answer, another one a refusal. A repeat also calls off a
 * question whether the amphora was claimed: its answer may be older than the repeat.
 */
function decideAllocate(
  state: AmphoraState,
  { loadBalancerId, role, kind }: Extract<AmphoraCommand, { type: 'allocateAmphora' }>,
  at: number,
): AmphoraDecision {
  const { allocation } = state;
  const allocated: AmphoraEvent = { type: 'amphoraAllocated', at, loadBalancerId, role };
  if (state.deletion === null && allocation?.loadBalancerId === loadBalancerId && allocation.role === role) {
    return accept(state, stepKeys.checkAllocation in state.steps.running ? [allocated] : []);
  }
  if (amphoraStatus(state) !== 'READY') {
    return refuse('conflict', `Amphora ${state.id} is ${amphoraStatus(state)}, not READY`);
  }
  if (kind !== undefined && kindKey(kind) !== kindKey(state.kind ?? plainKind)) {
    return refuse('conflict', `Amphora ${state.id} is of another kind`);
  }
  return accept(state, [allocated]);
}

function notReady(state: AmphoraState): AmphoraDecision {
  return refuse('conflict', `Amphora ${state.id} is ${amphoraStatus(state)}: its agent takes nothing`);
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item, index) => item === other[index]);
}

function accept(state: AmphoraState, events: readonly AmphoraEvent[]): AmphoraDecision {
  return { type: 'accept', events, answer: { id: state.id, instance: state.instance, isGone: false } };
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
  if (outcome.ok) return becomes(...resultEvents(outcome.result, at));
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

function resultEvents(result: AmphoraStepResult, at: number): readonly AmphoraEvent[] {
  switch (result.type) {
    case 'booted': {
      const { computeId, agent, controllers, place } = result;
      const where = place === undefined ? {} : { place };
      const booted: AmphoraEvent = { type: 'amphoraBooted', at, computeId, agent, controllers, ...where };
      return result.facts === null ? [booted] : [booted, { type: 'amphoraReady', at, facts: result.facts }];
    }
    case 'agentAnswered':
      return [{ type: 'amphoraReady', at, facts: result.facts }];
    case 'allocationChecked':
      return [{ type: result.isClaimed ? 'allocationConfirmed' : 'allocationReturned', at }];
    case 'agentConfigured':
      return [{ type: 'agentConfigured', at, controllers: result.controllers }];
    case 'certificateRotated':
      return [{ type: 'certificateRotated', at, facts: result.facts }];
    case 'destroyed':
      return [{ type: 'amphoraDeleted', at }];
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
    return { id, createdAt: at, updatedAt: at, ...more, ...unknown, allocation: null, deletion: null, steps: noSteps };
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
      const { loadBalancerId, role, at } = event;
      const allocation = { loadBalancerId, role, at, confirmed: false };
      return { ...state, allocation, steps: endStep(state.steps, stepKeys.checkAllocation) };
    }
    case 'allocationConfirmed': {
      const allocation = state.allocation === null ? null : { ...state.allocation, confirmed: true };
      return { ...state, allocation, steps: endStep(state.steps, stepKeys.checkAllocation) };
    }
    case 'allocationReturned':
      return { ...state, allocation: null, steps: endStep(state.steps, stepKeys.checkAllocation) };
    case 'amphoraDeletionRequested':
      return {
        ...state,
        deletion: { reason: event.reason, done: false },
        steps: forgetFailures(state.steps, () => true),
      };
    case 'amphoraDeleted':
      return { ...state, deletion: { reason: state.deletion?.reason ?? '', done: true }, steps: noSteps };
    case 'stepStarted':
    case 'stepFailed':
    case 'stepsInterrupted':
      return { ...state, steps: evolveSteps(state.steps, event) };
  }
}

export function planAmphora(state: AmphoraState, now: number): DueSteps<AmphoraStep> {
  const due = dueSteps(state.steps, wantedSteps(state, now), now);
  const checkAt = allocationCheckAt(state);
  if (checkAt === undefined || checkAt <= now) return due;
  return { ...due, wakeAt: Math.min(due.wakeAt ?? checkAt, checkAt) };
}

function wantedSteps(state: AmphoraState, now: number): readonly AmphoraStep[] {
  const amphoraId = state.id;
  if (state.deletion !== null) {
    if (state.deletion.done || stepKeys.boot in state.steps.running) return [];
    return [{ type: 'destroy', key: stepKeys.destroy, amphoraId }];
  }
  const { kind = plainKind, apartFrom = nobody } = state;
  if (state.instance === null) return [{ type: 'boot', key: stepKeys.boot, amphoraId, kind, apartFrom }];
  if (state.agent === null) {
    return [{ type: 'awaitAgent', key: stepKeys.awaitAgent, amphoraId, agent: state.instance.agent }];
  }
  const steps: AmphoraStep[] = [];
  const { wantedControllers: controllers, allocation } = state;
  if (controllers !== null) {
    const { agent } = state.instance;
    const { topology } = kind;
    steps.push({ type: 'configureAgent', key: stepKeys.configureAgent, amphoraId, agent, controllers, topology });
  }
  if (state.rotation !== undefined) {
    const { agent } = state.instance;
    const { certificateFingerprint: fingerprint } = state.agent;
    const loadBalancerId = allocation?.loadBalancerId ?? null;
    steps.push({
      type: 'rotateCertificate',
      key: stepKeys.rotateCertificate,
      amphoraId,
      agent,
      fingerprint,
      loadBalancerId,
    });
  }
  const checkAt = allocationCheckAt(state);
  if (allocation !== null && checkAt !== undefined && checkAt <= now) {
    const { loadBalancerId } = allocation;
    steps.push({ type: 'checkAllocation', key: stepKeys.checkAllocation, amphoraId, loadBalancerId });
  }
  return steps;
}

function allocationCheckAt(state: AmphoraState): number | undefined {
  const { allocation, deletion } = state;
  if (allocation === null || allocation.confirmed || deletion !== null) return undefined;
  return allocation.at + claimPeriodMs;
}

export function amphoraStatus(state: AmphoraState): AmphoraStatus {
  if (state.deletion !== null) {
    if (state.deletion.done) return 'DELETED';
    return spentRetry(state.steps) === undefined ? 'PENDING_DELETE' : 'ERROR';
  }
  if (state.allocation !== null) return 'ALLOCATED';
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
  schemaVersion: 3,
  decide: decideAmphora,
  decideStepEnded: decideAmphoraStepEnded,
  decideResumed: decideAmphoraResumed,
  follow: () => undefined,
  evolve: evolveAmphora,
  plan: planAmphora,
  isCreation: (command) => command.type === 'createAmphora',
  isOver: (state) => state.deletion?.done === true,
  stepTimeoutMs: (step, { callMs, bootMs }) => (step.type === 'awaitAgent' ? bootMs : callMs),
};
