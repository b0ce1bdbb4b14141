import { describe, expect, test } from '@jest/globals';
import { decideStepEnded } from '../../../../src/domain/load-balancer/decide.ts';
import type { StepOutcome } from '../../../../src/domain/step.ts';
import type { LoadBalancerStepResult } from '../../../../src/domain/load-balancer/steps.ts';
import { createLoadBalancer } from '../../../support/load-balancer-commands.ts';
import { SimulatedLoadBalancer } from '../../../support/simulated-load-balancer.ts';

const policy = { firstDelayMs: 1, longestDelayMs: 1, budget: 3, errorDelayMs: 1 };

describe('the end of a step', () => {
  const simulated = new SimulatedLoadBalancer();
  simulated.command(createLoadBalancer(simulated.id));
  const { state } = simulated;
  const run = state?.steps.running['vip']?.run ?? 0;
  const failure = { message: 'no', call: null, requestId: null, permanent: false };
  const outcomes: [string, StepOutcome<LoadBalancerStepResult>, string][] = [
    ['succeeded', { ok: true, result: { type: 'vipOffered', portId: 'p', address: '10.0.0.9' } }, 'vipAllocated'],
    ['failed', { ok: false, failure }, 'stepFailed'],
    ['was interrupted', { ok: false, failure, isInterrupted: true }, 'stepsInterrupted'],
  ];

  test.each(outcomes)('that %s counts for the run under way and for no other', (_, outcome, type) => {
    const eventsOf = (ended: number, key = 'vip') => {
      const decision = decideStepEnded(state, { type: 'stepEnded', key, run: ended, outcome }, 5, policy);
      return decision.type === 'accept' ? decision.events.map((event) => event.type) : decision;
    };
    expect(eventsOf(run)).toEqual([type]);
    expect([eventsOf(run - 1), eventsOf(run + 7), eventsOf(run, 'another')]).toEqual([[], [], []]);
  });
});
