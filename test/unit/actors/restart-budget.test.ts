import { describe, expect, test } from '@jest/globals';
import { neverGivenUp } from '../../../src/actors/runtime/actor.ts';
import { defaultRestartLimits, judgeCrash, type RestartLimits } from '../../../src/actors/runtime/restart-budget.ts';

const limits: RestartLimits = { restarts: 3, windowMs: 1_000, firstDelayMs: 10, longestDelayMs: 25 };

describe('a crashed actor', () => {
  test.each([
    ['never before', [], { type: 'restart', delayMs: 10 }],
    ['once before', [900], { type: 'restart', delayMs: 20 }],
    ['twice before, up to the longest pause', [800, 900], { type: 'restart', delayMs: 25 }],
    ['as often as its budget allows', [700, 800, 900], { type: 'giveUp' }],
    ['as often, but partly before the window', [0, 800, 900], { type: 'restart', delayMs: 25 }],
    ['exactly a window ago', [0], { type: 'restart', delayMs: 10 }],
  ])('that crashed %s', (_, history, verdict) => {
    expect(judgeCrash(history, 1_000, limits, 0)).toEqual(verdict);
  });

  test('waits up to a quarter longer, so that many do not start at the same moment', () => {
    expect(judgeCrash([], 0, limits, 1)).toEqual({ type: 'restart', delayMs: 13 });
  });

  test('gets its whole budget in time: five restarts take less than the window', () => {
    const history: number[] = [];
    let now = 0;
    for (;;) {
      const verdict = judgeCrash(history, now, defaultRestartLimits, 1);
      if (verdict.type === 'giveUp') break;
      history.push(now);
      now += verdict.delayMs;
    }
    expect(history).toHaveLength(defaultRestartLimits.restarts);
    expect(now).toBeLessThan(defaultRestartLimits.windowMs);
  });

  test('that the node cannot do without is never given up, and never in a hot loop', () => {
    const history: number[] = [];
    let now = 0;
    for (let count = 0; count < 100; count++) {
      const verdict = judgeCrash(history, now, neverGivenUp, 0);
      expect(verdict.type).toBe('restart');
      history.push(now);
      now += verdict.type === 'restart' ? verdict.delayMs : 0;
    }
    expect(now / 100).toBeGreaterThan(10_000);
  });
});
