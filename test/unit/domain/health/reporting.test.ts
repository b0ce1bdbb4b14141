import { describe, expect, test } from '@jest/globals';
import { planReporting, silenceCountsFrom, startReporting } from '../../../../src/domain/health/reporting.ts';
import type { AmphoraId } from '../../../../src/domain/ids.ts';

const one = 'amphora-1' as AmphoraId;
const two = 'amphora-2' as AmphoraId;

describe('amphorae', () => {
  test('that report to other nodes than they shall are told once, and again when nothing came of it', () => {
    const state = startReporting();
    const told = new Map([
      [one, ['a:1']],
      [two, ['a:1', 'b:1']],
    ]);
    const plan = (now: number) => planReporting(state, told.keys(), (id) => told.get(id), ['a:1', 'b:1'], now);
    expect(plan(0)).toEqual([one]);
    expect(plan(29_000)).toEqual([]);
    expect(plan(31_000)).toEqual([one]);
    told.set(one, ['a:1', 'b:1']);
    expect(plan(70_000)).toEqual([]);
    expect(plan(4_000_000)).toEqual([]);
    expect(state.advised.size).toBe(0);
  });

  test('are told a few at a time, and nothing while no node listens', () => {
    const many = Array.from({ length: 200 }, (_, index) => `amphora-${index}` as AmphoraId);
    const state = startReporting();
    expect(planReporting(state, many, () => [], [], 0)).toEqual([]);
    expect(planReporting(state, many, () => [], ['a:1'], 0)).toHaveLength(50);
    expect(planReporting(state, many, () => [], ['a:1'], 1)).toHaveLength(50);
    expect(state.advised.size).toBe(100);
  });
});

describe('silence', () => {
  const always = (addresses: readonly string[]) => new Map(addresses.map((address) => [address, -Infinity]));
  const countsFrom = (controllers: readonly string[], listening: readonly string[], state = startReporting()) =>
    silenceCountsFrom(state, one, controllers, always(listening), 1_000, 50_000, 10_000);

  test('counts from the last heartbeat, and later by an interval for each node of the list that is away', () => {
    expect(countsFrom(['a:1', 'b:1'], ['a:1', 'b:1'])).toBe(1_000);
    expect(countsFrom(['a:1', 'b:1', 'c:1'], ['b:1'])).toBe(21_000);
  });

  test('does not count while the amphora knows nobody who listens, until it was told of one', () => {
    expect(countsFrom(['a:1'], ['b:1'])).toBe(50_000);
    const state = startReporting();
    planReporting(state, [one], () => ['a:1'], ['b:1'], 30_000);
    expect(countsFrom(['a:1'], ['b:1'], state)).toBe(30_000);
  });

  test('counts anew from when the amphora has a list with somebody who listens', () => {
    const state = startReporting();
    const told = { list: ['a:1'] };
    const plan = (now: number) => planReporting(state, [one], () => told.list, ['a:1', 'b:1'], now);
    plan(45_000);
    told.list = ['a:1', 'b:1'];
    expect(countsFrom(told.list, ['b:1'], state)).toBe(55_000);
    plan(46_000);
    expect(countsFrom(told.list, ['b:1'], state)).toBe(56_000);
  });

  test('does not count again when all of a list that was taken are away later', () => {
    const state = startReporting();
    planReporting(state, [one], () => ['a:1'], ['b:1'], 10_000);
    planReporting(state, [one], () => ['b:1'], ['b:1'], 11_000);
    expect(countsFrom(['b:1'], ['c:1'], state)).toBe(50_000);
  });

  test('counts anew when the only node that the amphora reports to comes back from where it told nothing', () => {
    const from = (listening: readonly (readonly [string, number])[], controllers: readonly string[]) =>
      silenceCountsFrom(startReporting(), one, controllers, new Map(listening), 1_000, 50_000, 10_000);
    expect(from([['a:1', 49_000]], ['a:1'])).toBe(49_000);
    // Another one was there all the time.
    expect(
      from(
        [
          ['a:1', 49_000],
          ['b:1', -Infinity],
        ],
        ['a:1', 'b:1'],
      ),
    ).toBe(1_000);
  });
});
