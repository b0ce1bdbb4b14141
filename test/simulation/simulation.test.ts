import { describe, expect, test } from '@jest/globals';
import { type Bug, bugs } from './bugs.ts';
import { simulate } from './simulation.ts';

describe('a service whose controllers crash, freeze and come back', () => {
  test('keeps every promise in a thousand schedules', () => {
    for (let seed = 1; seed <= 1_000; seed++) {
      const { broken, crashes } = simulate(seed);
      // A seed that fails is repeated by `npm run simulate -- --seed N`.
      expect({ seed, broken, crashed: crashes >= 0 }).toEqual({ seed, broken: [], crashed: true });
    }
  });

  test('goes the same way for the same seed', () => {
    expect(simulate(7)).toEqual(simulate(7));
  });
});

describe('the simulation finds', () => {
  test.each(Object.entries(bugs) as [Bug, string][])('%s: %s', (bug) => {
    const found = firstSeedThatFails(bug);
    expect(found).toBeLessThanOrEqual(10_000);
  });
});

function firstSeedThatFails(bug: Bug): number {
  for (let seed = 1; seed <= 10_000; seed++) if (simulate(seed, new Set([bug])).broken.length > 0) return seed;
  return Number.POSITIVE_INFINITY;
}
