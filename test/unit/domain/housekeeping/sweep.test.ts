import { describe, expect, test } from '@jest/globals';
import { planSweep, type SweepInput, type SweepLimits } from '../../../../src/domain/housekeeping/sweep.ts';
import type { AmphoraId } from '../../../../src/domain/ids.ts';

const limits: SweepLimits = { graceMs: 1_000, share: 0.05, atLeast: 1 };

function ids(count: number, prefix = 'a'): readonly AmphoraId[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}` as AmphoraId);
}

function input(more: Partial<SweepInput>): SweepInput {
  return { listed: [], known: new Set(), seen: new Map(), now: 0, ...more };
}

describe('the sweep', () => {
  test('removes nothing at the first sight', () => {
    const plan = planSweep(input({ listed: ids(1) }), limits);
    expect(plan).toMatchObject({ remove: [], waiting: ['a0'], stopped: undefined });
    // Not even without any time of grace: it may be younger than the list of what is known.
    expect(planSweep(input({ listed: ids(1) }), { ...limits, graceMs: 0 }).remove).toEqual([]);
  });

  test('removes an orphan that was seen before and has had its time of grace', () => {
    const first = planSweep(input({ listed: ids(1) }), limits);
    expect(planSweep(input({ listed: ids(1), seen: first.seen, now: 999 }), limits).remove).toEqual([]);
    expect(planSweep(input({ listed: ids(1), seen: first.seen, now: 1_000 }), limits).remove).toEqual(['a0']);
  });

  test('leaves instances of known amphorae alone, and begins anew with one that was known in between', () => {
    const first = planSweep(input({ listed: ids(1) }), limits);
    const second = planSweep(input({ listed: ids(1), known: new Set(ids(1)), seen: first.seen, now: 2_000 }), limits);
    expect(second).toMatchObject({ remove: [], waiting: [] });
    expect(planSweep(input({ listed: ids(1), seen: second.seen, now: 3_000 }), limits).remove).toEqual([]);
  });

  test('stops for an operator above its share of the fleet', () => {
    const orphans = ids(6, 'orphan');
    const listed = [...ids(94), ...orphans];
    const seen = new Map(orphans.map((id) => [id, 0]));
    const plan = planSweep(input({ listed, known: new Set(ids(94)), seen, now: 5_000 }), limits);
    expect(plan.remove).toEqual([]);
    expect(plan.stopped).toBe(
      '6 of 100 instances have no amphora, more than the 5 that are removed without being asked',
    );
    const five = planSweep(input({ listed: listed.slice(0, 99), known: new Set(ids(94)), seen, now: 5_000 }), limits);
    expect(five.remove).toHaveLength(0);
    const four = planSweep(input({ listed: listed.slice(0, 98), known: new Set(ids(94)), seen, now: 5_000 }), limits);
    expect(four.remove).toHaveLength(4);
  });
});
