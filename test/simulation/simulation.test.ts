import { describe, expect, test } from '@jest/globals';
import { type Bug, bugs } from './bugs.ts';
import { simulate } from './simulation.ts';

describe('a service whose controllers crash, freeze and come back', () => {
  test('keeps every promise in a thousand schedules', () => {
    for (let seed = 1; seed <= 1_000; seed++) {
      // A seed that fails is repeated by `npm run simulate -- --seed N`.
      expect({ seed, broken: simulate(seed).broken }).toEqual({ seed, broken: [] });
    }
  }, 300_000);

  test('goes the same way for the same seed', () => {
    expect(simulate(7)).toEqual(simulate(7));
  });
});

describe('the simulation finds', () => {
  // The rarest takes some 2,000 schedules: half a minute on a busy machine.
  test.each(Object.entries(bugs) as [Bug, string][])(
    '%s: %s',
    (bug) => {
      expect(firstSeedThatFails(bug)).toBeLessThanOrEqual(10_000);
    },
    300_000,
  );
});

function firstSeedThatFails(bug: Bug): number {
  for (let seed = 1; seed <= 10_000; seed++) if (simulate(seed, new Set([bug])).broken.length > 0) return seed;
  return Number.POSITIVE_INFINITY;
}
