import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { type Accepted, DriftRepair } from '../../../../src/actors/housekeeping/drift-repair.ts';
import type { AmphoraId, LoadBalancerId } from '../../../../src/domain/ids.ts';

function amphora(name: string, more: Partial<Accepted> = {}): Accepted {
  return {
    loadBalancerId: `lb of ${name}` as LoadBalancerId,
    amphoraId: name as AmphoraId,
    agentHost: '127.0.0.1',
    agentPort: 9443,
    zone: null,
    digest: 'proper',
    hasLvs: false,
    ...more,
  };
}

function setting(held: Readonly<Record<string, string | Error>>) {
  const made = { now: 0, looked: [] as string[], repaired: [] as string[] };
  const drift = new DriftRepair({
    roundMs: 1_000,
    count: async () => 0,
    next: async () => [],
    look: async ({ amphoraId }) => {
      made.looked.push(amphoraId);
      const found = held[amphoraId];
      if (found instanceof Error) throw found;
      return found;
    },
    repair: ({ amphoraId }) => made.repaired.push(amphoraId),
    isHeld: (zone) => zone === 'held',
    now: () => made.now,
    log: pino({ level: 'silent' }),
  });
  return { made, drift };
}

describe('an amphora that is looked at', () => {
  test('is repaired when it holds something else, or nothing, or anything where it should hold nothing', async () => {
    const { made, drift } = setting({ same: 'proper', other: 'changed', some: 'any' });
    for (const one of [amphora('same'), amphora('other'), amphora('none'), amphora('some', { digest: null })]) {
      made.now += 10_000;
      await drift.visit(one);
    }
    await drift.visit(amphora('empty', { digest: null }));
    expect(made.repaired).toEqual(['other', 'none', 'some']);
    expect(drift.counts).toEqual({ looks: 5, repairs: 3, unreachable: 0 });
  });

  test('waits for the next round when another one was repaired just before', async () => {
    const { made, drift } = setting({});
    await drift.visit(amphora('first'));
    made.now += 1_000;
    await drift.visit(amphora('second'));
    made.now += 1_000;
    await drift.visit(amphora('second'));
    expect(made.repaired).toEqual(['first', 'second']);
  });

  test('is left alone where it cannot be reached, and not even looked at under maintenance', async () => {
    const { made, drift } = setting({ away: new Error('away') });
    await drift.visit(amphora('away'));
    await drift.visit(amphora('held', { zone: 'held' }));
    expect([made.looked, made.repaired]).toEqual([['away'], []]);
  });
});
