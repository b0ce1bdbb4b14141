// From one state to the next by an event. Total and deterministic: replaying a journal is folding this function.
import type { LoadBalancerId } from '../ids.ts';
import { endStep, evolveSteps, forgetFailures, noSteps, onlySteps } from '../step.ts';
import { farewells } from './farewells.ts';
import type { AmphoraEvent } from './events.ts';
import type { Allocation, AmphoraState, MaybeAmphora } from './state.ts';
import { stepKeys } from './steps.ts';

/** How long a call of a load balancer that has left may be on its way: longer than any step may take. */
const returnPeriodMs = 600_000;

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
