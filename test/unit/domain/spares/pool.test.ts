import { describe, expect, test } from '@jest/globals';
import type { AmphoraId, LoadBalancerId } from '../../../../src/domain/ids.ts';
import { type AmphoraKind, plainKind } from '../../../../src/domain/amphora/kind.ts';
import {
  apartFrom,
  bootPauseMs,
  emptyPool,
  findGranted,
  findSpare,
  type KnownAmphora,
  overview,
  type PoolLimits,
  type PoolState,
  planPool,
  type Request,
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

const spareAt = (
  pool: PoolState,
  now: number,
  limits: Pick<PoolLimits, 'antiAffinity'> = {},
  request: Request = { id: 1, loadBalancerId: lb },
) => findSpare(overview(pool, limits, now), request, limits);

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
    expect(planPool(pool, { size, maxBooting: 4 }, 0).boot).toHaveLength(boot);
  });

  test('lets go of what is more than its size', () => {
    expect(planPool(poolOf('READY', 'READY', 'READY'), { size: 1, maxBooting: 4 }, 0).remove).toEqual(['a0', 'a1']);
  });

  test('suggests a spare to one asker at a time, and again when nobody took it', () => {
    const pool = poolOf('ALLOCATED', 'READY');
    expect(spareAt(pool, 0)).toBe('a1');
    pool.amphorae.set('a1' as AmphoraId, { status: 'READY', loadBalancerId: null, suggestedAt: 0 });
    expect(spareAt(pool, suggestionMs - 1)).toBeUndefined();
    expect(spareAt(pool, suggestionMs)).toBe('a1');
  });

  test('finds what was granted to a load balancer that does not know it', () => {
    const pool = poolOf('ALLOCATED', 'ALLOCATED');
    expect(findGranted(pool, lb, ['a0' as AmphoraId])).toBe('a1');
    expect(findGranted(pool, 'b2' as LoadBalancerId, [])).toBeUndefined();
  });

  test('waits longer after each boot that failed, a minute at most', () => {
    const pool = poolOf();
    pool.notBefore = 100;
    expect(planPool(pool, { size: 1, maxBooting: 4 }, 50)).toEqual({ boot: [], remove: [], againAt: 100 });
    expect([0, 1, 2, 50].map(bootPauseMs)).toEqual([500, 1_000, 2_000, 60_000]);
  });
});

describe('the spares pool, of kinds and machines,', () => {
  const large: AmphoraKind = { ...plainKind, computeFlavor: 'large' };
  const known = (more: Partial<KnownAmphora>): KnownAmphora => ({
    status: 'READY',
    loadBalancerId: null,
    suggestedAt: Number.NEGATIVE_INFINITY,
    ...more,
  });
  const pooled = (...amphorae: readonly Partial<KnownAmphora>[]): PoolState => {
    const pool = emptyPool();
    amphorae.forEach((more, index) => pool.amphorae.set(`a${index}` as AmphoraId, known(more)));
    return pool;
  };
  const limits = { size: 1, maxBooting: 4 };

  test('suggests a spare of the kind that is wanted only', () => {
    const pool = pooled({}, { kind: large });
    expect(spareAt(pool, 0, {}, { id: 1, loadBalancerId: lb, kind: large })).toBe('a1');
    expect(spareAt(pooled({}), 0, {}, { id: 1, loadBalancerId: lb, kind: large })).toBeUndefined();
  });

  test('boots what another kind is waited for, and keeps its spares', () => {
    const pool = pooled({});
    pool.waiting.set(1, { id: 1, loadBalancerId: lb, kind: large });
    expect(planPool(pool, limits, 0)).toEqual({
      boot: [{ kind: large, meantFor: lb }],
      remove: [],
      againAt: undefined,
    });
  });

  test('lets go of a spare of another kind that nobody waits for', () => {
    expect(planPool(pooled({}, { kind: large }), limits, 0).remove).toEqual(['a1']);
  });

  test.each([
    { antiAffinity: 'off', spare: 'a1' },
    { antiAffinity: 'soft', spare: 'a2' },
    { antiAffinity: 'hard', spare: 'a2' },
  ] as const)('with anti-affinity $antiAffinity suggests $spare beside one on the same machine', (more) => {
    const pool = pooled({ status: 'ALLOCATED', loadBalancerId: lb, host: 'h1' }, { host: 'h1' }, { host: 'h2' });
    expect(spareAt(pool, 0, more, { id: 1, loadBalancerId: lb })).toBe(more.spare);
  });

  test('shares a machine where it must not be apart, and boots another one where it must', () => {
    const pool = pooled({ status: 'ALLOCATED', loadBalancerId: lb, host: 'h1' }, { host: 'h1' });
    const request = { id: 1, loadBalancerId: lb };
    expect(spareAt(pool, 0, { antiAffinity: 'soft' }, request)).toBe('a1');
    expect(spareAt(pool, 0, { antiAffinity: 'hard' }, request)).toBeUndefined();
    pool.waiting.set(1, request);
    const [boot] = planPool(pool, { ...limits, antiAffinity: 'hard' }, 0).boot;
    if (boot === undefined) throw new Error('nothing boots');
    expect(boot.meantFor).toBe(lb);
    expect(apartFrom(pool, boot, { antiAffinity: 'hard' }, 0)).toEqual({ amphorae: ['a0'], isHard: true });
  });

  test('counts the machine of what was suggested to the load balancer just now', () => {
    const pool = pooled({ host: 'h1', meantFor: lb, suggestedAt: 0 }, { host: 'h1' }, { host: 'h2' });
    expect(spareAt(pool, 1, { antiAffinity: 'hard' }, { id: 2, loadBalancerId: lb })).toBe('a2');
  });

  test('does not count the machine of one that goes', () => {
    const pool = pooled({ status: 'PENDING_DELETE', loadBalancerId: lb, meantFor: lb, host: 'h1' }, { host: 'h1' });
    expect(spareAt(pool, 0, { antiAffinity: 'hard' }, { id: 1, loadBalancerId: lb })).toBe('a1');
  });
});
