import { describe, expect, test } from '@jest/globals';
import type { AmphoraId, LoadBalancerId } from '../../../../src/domain/ids.ts';
import { type AmphoraKind, plainKind } from '../../../../src/domain/amphora/kind.ts';
import { apartFrom, bootPauseMs, planPool } from '../../../../src/domain/spares/plan.ts';
import {
  emptyPool,
  findGranted,
  type KnownAmphora,
  notePointed,
  type PoolLimits,
  type PoolState,
  type Request,
  suggestionMs,
} from '../../../../src/domain/spares/pool.ts';
import { findSpare, overview } from '../../../../src/domain/spares/overview.ts';
import type { Sharing } from '../../../../src/domain/amphora/sharing.ts';
import type { AmphoraStatus } from '../../../../src/domain/statuses.ts';

const lb = 'b1' as LoadBalancerId;

function poolOf(...statuses: readonly AmphoraStatus[]): PoolState {
  const pool = emptyPool();
  statuses.forEach((status, index) => {
    const loadBalancerIds = status === 'ALLOCATED' ? [lb] : [];
    pool.amphorae.set(`a${index}` as AmphoraId, { status, loadBalancerIds, suggestedAt: Number.NEGATIVE_INFINITY });
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
    pool.amphorae.set('a1' as AmphoraId, { status: 'READY', loadBalancerIds: [], suggestedAt: 0 });
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
    expect(planPool(pool, { size: 1, maxBooting: 4 }, 50)).toEqual({
      point: [],
      boot: [],
      remove: [],
      againAt: 100,
    });
    expect([0, 1, 2, 50].map(bootPauseMs)).toEqual([500, 1_000, 2_000, 60_000]);
  });
});

describe('the spares pool, of kinds and machines,', () => {
  const large: AmphoraKind = { ...plainKind, computeFlavor: 'large' };
  const known = (more: Partial<KnownAmphora>): KnownAmphora => ({
    status: 'READY',
    loadBalancerIds: [],
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
      point: [],
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
    const pool = pooled({ status: 'ALLOCATED', loadBalancerIds: [lb], host: 'h1' }, { host: 'h1' }, { host: 'h2' });
    expect(spareAt(pool, 0, more, { id: 1, loadBalancerId: lb })).toBe(more.spare);
  });

  test('shares a machine where it must not be apart, and boots another one where it must', () => {
    const pool = pooled({ status: 'ALLOCATED', loadBalancerIds: [lb], host: 'h1' }, { host: 'h1' });
    const request = { id: 1, loadBalancerId: lb };
    expect(spareAt(pool, 0, { antiAffinity: 'soft' }, request)).toBe('a1');
    expect(spareAt(pool, 0, { antiAffinity: 'hard' }, request)).toBeUndefined();
    pool.waiting.set(1, request);
    const [boot] = planPool(pool, { ...limits, antiAffinity: 'hard' }, 0).boot;
    if (boot === undefined) throw new Error('nothing boots');
    expect(boot.meantFor).toBe(lb);
    expect(apartFrom(pool, boot, { antiAffinity: 'hard' }, 0)).toEqual({ amphorae: ['a0'], isHard: true });
  });

  test('keeps apart whom their flavor has apart, whatever the settings say', () => {
    const pool = pooled({ status: 'ALLOCATED', loadBalancerIds: [lb], host: 'h1' }, { host: 'h1' });
    const request = { id: 1, loadBalancerId: lb };
    pool.waiting.set(1, { ...request, antiAffinity: 'hard' });
    const { point, boot } = planPool(pool, limits, 0);
    expect([point, boot]).toEqual([[], [{ kind: plainKind, meantFor: lb, antiAffinity: 'hard' }]]);
    expect(apartFrom(pool, { kind: plainKind, meantFor: lb, antiAffinity: 'hard' }, {}, 0).amphorae).toEqual(['a0']);
    pool.waiting.set(1, { ...request, antiAffinity: 'off' });
    expect(planPool(pool, { ...limits, antiAffinity: 'hard' }, 0).point).toMatchObject([{ amphoraId: 'a1' }]);
  });

  test('counts the machine of what was suggested to the load balancer just now', () => {
    const pool = pooled({ host: 'h1', meantFor: lb, suggestedAt: 0 }, { host: 'h1' }, { host: 'h2' });
    expect(spareAt(pool, 1, { antiAffinity: 'hard' }, { id: 2, loadBalancerId: lb })).toBe('a2');
  });

  test('does not count the machine of one that goes', () => {
    const pool = pooled({ status: 'PENDING_DELETE', loadBalancerIds: [lb], meantFor: lb, host: 'h1' }, { host: 'h1' });
    expect(spareAt(pool, 0, { antiAffinity: 'hard' }, { id: 1, loadBalancerId: lb })).toBe('a1');
  });
});

describe('the spares pool, of load balancers that share,', () => {
  const sharing: Sharing = { projectId: 'project', most: 3 };
  const limits = { size: 0, maxBooting: 10 };
  const ids = Array.from({ length: 9 }, (_, index) => `b${index}` as LoadBalancerId);
  const request = (id: number, more: Partial<Request> = {}): Request => {
    return { id, loadBalancerId: ids[id] as LoadBalancerId, sharing, ...more };
  };
  const poolWith = (known: readonly Partial<KnownAmphora>[], requests: readonly Request[]): PoolState => {
    const pool = emptyPool();
    known.forEach((more, index) => {
      const spare = { status: 'READY', loadBalancerIds: [], suggestedAt: Number.NEGATIVE_INFINITY } as const;
      pool.amphorae.set(`a${index}` as AmphoraId, { ...spare, ...more });
    });
    for (const each of requests) pool.waiting.set(each.id, each);
    return pool;
  };
  const had = (...owners: readonly number[]): Partial<KnownAmphora> => {
    return { status: 'ALLOCATED', loadBalancerIds: owners.map((owner) => ids[owner] as LoadBalancerId), sharing };
  };
  const pointed = ({ point }: ReturnType<typeof planPool>) =>
    point.map(({ request: { id }, amphoraId }) => `${id} to ${amphoraId}`);

  test('boots one for as many as share it', () => {
    const pool = poolWith(
      [],
      Array.from({ length: 7 }, (_, id) => request(id)),
    );
    const { boot } = planPool(pool, limits, 0);
    expect(boot).toHaveLength(3);
    expect(boot[0]).toEqual({ kind: plainKind, meantFor: ids[0], sharing });
  });

  test('points them to the one that others have, the fullest first, and to a spare when there is no room', () => {
    const pool = poolWith([{}, had(4), had(5, 6)], [request(0), request(1), request(2), request(3)]);
    expect(pointed(planPool(pool, limits, 0))).toEqual(['0 to a2', '1 to a1', '2 to a1', '3 to a0']);
  });

  test('counts those that were pointed there and have not come yet, for a time', () => {
    const pool = poolWith([had(5, 6)], [request(0)]);
    for (const pointing of planPool(pool, limits, 0).point) notePointed(pool, pointing, 0);
    pool.waiting.set(1, request(1));
    expect(planPool(pool, limits, 1)).toMatchObject({ point: [], boot: [{ meantFor: ids[1] }] });
    expect(pointed(planPool(pool, limits, suggestionMs))).toEqual(['1 to a0']);
  });

  test('lets them wait for one that was pointed to the first of them, until it counts as not taken', () => {
    const pool = poolWith([{}, {}], [request(0), request(1)]);
    const { point, boot, againAt } = planPool(pool, limits, 0);
    expect([point.length, boot.length, againAt]).toEqual([1, 0, undefined]);
    for (const pointing of point) notePointed(pool, pointing, 0);
    expect(planPool(pool, limits, 1)).toMatchObject({ point: [], boot: [], againAt: suggestionMs });
    pool.amphorae.set('a0' as AmphoraId, { ...had(0), suggestedAt: Number.NEGATIVE_INFINITY } as KnownAmphora);
    expect(pointed(planPool(pool, limits, 2))).toEqual(['1 to a0']);
  });

  test.each([
    ['of another project', { sharing: { ...sharing, projectId: 'other' } }],
    ['who would be alone', { sharing: undefined }],
    ['who takes fewer beside itself', { sharing: { ...sharing, most: 2 } }],
    ['of another kind', { kind: { ...plainKind, computeFlavor: 'large' } }],
    ['who has left it', { excluded: ['a0' as AmphoraId] }],
  ])('boots another one for one %s', (_, more) => {
    const pool = poolWith([had(5, 6)], [request(0, more as Partial<Request>)]);
    expect(planPool(pool, limits, 0)).toMatchObject({ point: [], boot: [{ meantFor: ids[0] }] });
  });
});
