// How many amphorae the spares pool boots or lets go, and which one it suggests. The pool only suggests: the amphora's
// own journal grants. Pure.
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import type { AmphoraStatus } from '../statuses.ts';

export interface KnownAmphora {
  readonly status: AmphoraStatus;
  readonly loadBalancerId: LoadBalancerId | null;
  /** When it was suggested last; it is not suggested again before somebody could have taken it. */
  readonly suggestedAt: number;
}

export interface Request {
  readonly id: number;
  readonly loadBalancerId: LoadBalancerId;
}

export interface PoolState {
  readonly amphorae: Map<AmphoraId, KnownAmphora>;
  readonly waiting: Map<number, Request>;
  /** Boots that failed since the last that did not. */
  failedBoots: number;
  notBefore: number;
}

export interface PoolLimits {
  readonly size: number;
  readonly maxBooting: number;
}

export interface PoolPlan {
  readonly boot: number;
  readonly remove: readonly AmphoraId[];
  /** When to plan again though nothing has changed. */
  readonly againAt: number | undefined;
}

/** How long a suggestion is honoured before the amphora is offered to somebody else. */
export const suggestionMs = 10_000;

export function emptyPool(): PoolState {
  return { amphorae: new Map(), waiting: new Map(), failedBoots: 0, notBefore: 0 };
}

/** A spare nobody else has been pointed to lately; undefined when there is none. */
export function findSpare(pool: PoolState, now: number): AmphoraId | undefined {
  for (const [id, known] of pool.amphorae) {
    if (known.status === 'READY' && now - known.suggestedAt >= suggestionMs) return id;
  }
  return undefined;
}

/** An amphora that was granted to the load balancer before, though the grant never reached its journal. */
export function findGranted(
  pool: PoolState,
  loadBalancerId: LoadBalancerId,
  claimed: readonly AmphoraId[],
): AmphoraId | undefined {
  for (const [id, known] of pool.amphorae) {
    if (known.status === 'ALLOCATED' && known.loadBalancerId === loadBalancerId && !claimed.includes(id)) return id;
  }
  return undefined;
}

export function planPool(pool: PoolState, limits: PoolLimits, now: number): PoolPlan {
  const spares: AmphoraId[] = [];
  let booting = 0;
  let suggested = 0;
  for (const [id, { status, suggestedAt }] of pool.amphorae) {
    if (status === 'BOOTING') booting++;
    if (status !== 'READY') continue;
    if (now - suggestedAt >= suggestionMs) spares.push(id);
    else suggested++;
  }
  const wanted = limits.size + pool.waiting.size;
  const missing = wanted - spares.length - booting;
  if (missing <= 0) {
    const surplus = pool.waiting.size === 0 && suggested === 0 ? Math.max(0, spares.length - limits.size) : 0;
    return { boot: 0, remove: spares.slice(0, surplus), againAt: undefined };
  }
  if (pool.notBefore > now) return { boot: 0, remove: [], againAt: pool.notBefore };
  return { boot: Math.max(0, Math.min(missing, limits.maxBooting - booting)), remove: [], againAt: undefined };
}

/** After a boot that failed: the pause doubles up to a minute. */
export function bootPauseMs(failedBoots: number): number {
  return Math.min(60_000, 500 * 2 ** Math.min(failedBoots, 20));
}
