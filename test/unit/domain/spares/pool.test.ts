import { describe, expect, test } from '@jest/globals';
import type { AmphoraId, LoadBalancerId } from '../../../../src/domain/ids.ts';
import {
  bootPauseMs,
  emptyPool,
  findGranted,
  findSpare,
  type PoolState,
  planPool,
  suggestionMs,
} from '../../../../src/domain/spares/pool.ts';
import type { AmphoraStatus } from '../../../../src/domain/statuses.ts';

const lb = 'b1' as LoadBalancerId;

function poolOf(...statuses: readonly AmphoraStatus[]): PoolState {
  const pool = emptyPool();
  statuses.forEach((status, index) => {
    const loadBalancerId = status === 'ALLOCATED' ? lb : null;
    pool.amphorae.set(`a${index}` as AmphoraId, { status, loadBalancerId, suggestedAt: Number.NEGATIVE_INFINITY });
  });
  return pool;
}

function waitingFor(pool: PoolState, count: number): PoolState {
  for (let id = 0; id < count; id++) pool.waiting.set(id, { id, loadBalancerId: lb });
  return pool;
}

describe('the spares pool', () => {
  test.each([
    { name: 'boots up to its size', pool: poolOf(), size: 2, boot: 2 },
    { name: 'counts what boots already', pool: poolOf('BOOTING'), size: 2, boot: 1 },
    { name: 'boots for those who wait, beyond its size', pool: waitingFor(poolOf(), 3), size: 1, boot: 4 },
    { name: 'boots no more at a time than it may', pool: waitingFor(poolOf('BOOTING'), 9), size: 1, boot: 3 },
    { name: 'boots nothing when it is full', pool: poolOf('READY', 'READY'), size: 2, boot: 0 },
    {
      name: 'does not count amphorae of load balancers',
      pool: poolOf('ALLOCATED', 'PENDING_DELETE'),
      size: 1,
      boot: 1,
    },
  ])('$name', ({ pool, size, boot }) => {
    expect(planPool(pool, { size, maxBooting: 4 }, 0).boot).toBe(boot);
  });

  test('lets go of what is more than its size', () => {
    expect(planPool(poolOf('READY', 'READY', 'READY'), { size: 1, maxBooting: 4 }, 0).remove).toEqual(['a0', 'a1']);
  });

  test('suggests a spare to one asker at a time, and again when nobody took it', () => {
    const pool = poolOf('ALLOCATED', 'READY');
    expect(findSpare(pool, 0)).toBe('a1');
    pool.amphorae.set('a1' as AmphoraId, { status: 'READY', loadBalancerId: null, suggestedAt: 0 });
    expect(findSpare(pool, suggestionMs - 1)).toBeUndefined();
    expect(findSpare(pool, suggestionMs)).toBe('a1');
  });

  test('finds what was granted to a load balancer that does not know it', () => {
    const pool = poolOf('ALLOCATED', 'ALLOCATED');
    expect(findGranted(pool, lb, ['a0' as AmphoraId])).toBe('a1');
    expect(findGranted(pool, 'b2' as LoadBalancerId, [])).toBeUndefined();
  });

  test('waits longer after each boot that failed, a minute at most', () => {
    const pool = poolOf();
    pool.notBefore = 100;
    expect(planPool(pool, { size: 1, maxBooting: 4 }, 50)).toEqual({ boot: 0, remove: [], againAt: 100 });
    expect([0, 1, 2, 50].map(bootPauseMs)).toEqual([500, 1_000, 2_000, 60_000]);
  });
});
