// From state to work: which steps bring the amphora to where it is wanted.
import { type DueSteps, dueSteps } from '../step.ts';
import { farewells } from './farewells.ts';
import { plainKind } from './kind.ts';
import type { Allocation, AmphoraState } from './state.ts';
import { type AmphoraStep, stepKeys } from './steps.ts';

const nobody = { amphorae: [], isHard: false };

/** How long a load balancer may take to claim what it was granted before the amphora asks. */
const claimPeriodMs = 15_000;

export function planAmphora(state: AmphoraState, now: number): DueSteps<AmphoraStep> {
  const due = dueSteps(state.steps, wantedSteps(state, now), now);
  const checkAt = allocationCheckAt(state);
  if (checkAt === undefined || checkAt <= now) return due;
  return { ...due, wakeAt: Math.min(due.wakeAt ?? checkAt, checkAt) };
}

export function wantedSteps(state: AmphoraState, now: number): readonly AmphoraStep[] {
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
