import { describe, expect, test } from '@jest/globals';
import { decideStepEnded } from '../../../../src/domain/load-balancer/decide.ts';
import type { LoadBalancerEvent } from '../../../../src/domain/load-balancer/events.ts';
import { loadBalancerRows } from '../../../../src/domain/load-balancer/rows.ts';
import type { StepOutcome } from '../../../../src/domain/step.ts';
import type { LoadBalancerStepResult } from '../../../../src/domain/load-balancer/steps.ts';
import { createLoadBalancer, listener } from '../../../support/load-balancer-commands.ts';
import { fortunate, replay, SimulatedLoadBalancer } from '../../../support/simulated-load-balancer.ts';

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

describe('the own port of an amphora that stands alone', () => {
  const noted = (journal: readonly LoadBalancerEvent[]) =>
    journal.flatMap((event) => (event.type === 'pushAccepted' && event.ownPort !== undefined ? [event.ownPort] : []));
  const shown = ({ journal }: SimulatedLoadBalancer) =>
    loadBalancerRows(replay(journal)).loadBalancers?.[0]?.['vrrpPorts'];
  const served = (topology: 'SINGLE' | 'ACTIVE_STANDBY') => {
    const simulated = new SimulatedLoadBalancer();
    simulated.command(createLoadBalancer(simulated.id, { topology, listeners: [listener(80)] }));
    untilQuiet(simulated);
    return simulated;
  };

  test('is noted once for each, and shown', () => {
    const simulated = served('SINGLE');
    simulated.command({ type: 'createListener', listener: listener(81) });
    untilQuiet(simulated);
    const [first] = simulated.alive;
    const ofFirst = { portId: `port-${first}`, address: `own-${first}` };
    expect([noted(simulated.journal), shown(simulated)]).toEqual([[ofFirst], { [String(first)]: ofFirst }]);
    simulated.command({ type: 'failoverLoadBalancer' });
    untilQuiet(simulated);
    const [second] = simulated.alive;
    const ofSecond = { portId: `port-${second}`, address: `own-${second}` };
    expect(second).not.toBe(first);
    expect([noted(simulated.journal), shown(simulated)]).toEqual([[ofFirst, ofSecond], { [String(second)]: ofSecond }]);
  });

  test('is noted with the next push of a load balancer that an earlier version served', () => {
    const simulated = served('SINGLE');
    const before = simulated.journal.map((event) => {
      if (event.type !== 'pushAccepted') return event;
      const { ownPort: _, ...earlier } = event;
      return earlier;
    });
    simulated.journal.splice(0, before.length, ...before);
    simulated.crash(fortunate);
    expect(shown(simulated)).toEqual({});
    simulated.command({ type: 'createListener', listener: listener(81) });
    untilQuiet(simulated);
    expect(Object.keys(shown(simulated) as object)).toEqual([...simulated.alive]);
  });

  test('is not that of a pair, whose ports are made before it serves', () => {
    const simulated = served('ACTIVE_STANDBY');
    expect(noted(simulated.journal)).toEqual([]);
    expect(Object.keys(shown(simulated) as object)).toHaveLength(2);
  });
});

function untilQuiet(simulated: SimulatedLoadBalancer): void {
  for (let steps = 0; steps < 100 && simulated.running.length > 0; steps++) simulated.step(fortunate);
}
