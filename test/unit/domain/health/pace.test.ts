import { expect, test } from '@jest/globals';
import type { AmphoraFacts } from '../../../../src/domain/amphora/facts.ts';
import { budgetLeft, urgencies } from '../../../../src/domain/health/pace.ts';
import type { AmphoraId, LoadBalancerId } from '../../../../src/domain/ids.ts';

const told = (failovers: number, at: number) => ({ failovers, at });

test('what is left of a minute is what no node has used', () => {
  const all = new Map([
    ['b', told(7, 99_000)],
    ['c', told(3, 99_500)],
  ]);
  expect(budgetLeft(60, 10, all, ['b', 'c'], 100_000)).toBe(40);
  expect(budgetLeft(10, 10, all, ['b', 'c'], 100_000)).toBe(0);
  expect(budgetLeft(60, 0, new Map(), [], 100_000)).toBe(60);
});

test('a judge that has told nothing for five seconds is taken to have used its share', () => {
  expect(budgetLeft(60, 0, new Map(), ['b'], 100_000)).toBe(30);
  expect(budgetLeft(60, 0, new Map([['b', told(5, 90_000)]]), ['b'], 100_000)).toBe(30);
  expect(budgetLeft(60, 0, new Map([['b', told(40, 90_000)]]), ['b'], 100_000)).toBe(20);
});

test('what a node has begun that is gone counts until its minute is over', () => {
  const gone = new Map([['b', told(20, 50_000)]]);
  expect(budgetLeft(60, 0, gone, [], 100_000)).toBe(40);
  expect(budgetLeft(60, 0, gone, [], 110_000)).toBe(60);
});

test('load balancers without any amphora are urgent, then pairs whose other one is heard, then spares', () => {
  const facts = (loadBalancerId: string | null): AmphoraFacts => ({
    status: loadBalancerId === null ? 'READY' : 'ALLOCATED',
    loadBalancerIds: loadBalancerId === null ? [] : [loadBalancerId as LoadBalancerId],
    bootFailure: null,
    controllers: [],
  });
  const fleet = new Map(
    Object.entries({
      single: facts('one'),
      lostHalf: facts('half'),
      livingHalf: facts('half'),
      lostBoth1: facts('both'),
      lostBoth2: facts('both'),
      lostElsewhere: facts('elsewhere'),
      unheard: facts('elsewhere'),
      spare: facts(null),
    }) as [AmphoraId, AmphoraFacts][],
  );
  const lost = new Set(['single', 'lostHalf', 'lostBoth1', 'lostBoth2', 'lostElsewhere', 'spare'] as AmphoraId[]);
  const found = urgencies(lost, fleet, (id) => id !== ('unheard' as AmphoraId));
  expect(Object.fromEntries(found)).toEqual({
    single: 0,
    lostHalf: 1,
    lostBoth1: 0,
    lostBoth2: 0,
    lostElsewhere: 0,
    spare: 2,
  });
});
