// How many amphorae the spares pool boots or lets go, of which kind, and whom it points to which. It keeps spares of one kind;
// for others it boots on demand. Load balancers that share fill what their project has before they take another one.
import { type Apart, plainKind } from '../amphora/kind.ts';
import type { AmphoraId } from '../ids.ts';
import { assign, type Boot } from './assign.ts';
import { isOfKind, type Overview, overview } from './overview.ts';
import { antiAffinityOf, type Pointing, type PoolLimits, type PoolState, suggestionMs } from './pool.ts';

export interface PoolPlan {
  readonly point: readonly Pointing[];
  readonly boot: readonly Boot[];
  readonly remove: readonly AmphoraId[];
  /** When to plan again though nothing has changed. */
  readonly againAt: number | undefined;
}

export function planPool(pool: PoolState, limits: PoolLimits, now: number): PoolPlan {
  const seen = overview(pool, limits, now);
  const mayBoot = Math.max(0, limits.maxBooting - seen.booting.size);
  const { point, boots: wanted } = assign(pool, seen, limits, now);
  const boots = [...wanted, ...missingSpares(seen, limits)];
  const againAt = pool.waiting.size > point.length ? nextLapse(seen) : undefined;
  if (boots.length === 0) {
    const isCalm = pool.waiting.size === 0 && seen.suggested.size === 0;
    return { point, boot: [], remove: isCalm ? surplus(seen, limits) : [], againAt };
  }
  if (pool.notBefore > now) return { point, boot: [], remove: [], againAt: pool.notBefore };
  return { point, boot: boots.slice(0, mayBoot), remove: [], againAt };
}

/** When one that was suggested to somebody whom others would join counts as not taken; undefined without such. */
function nextLapse({ suggested }: Overview): number | undefined {
  let next: number | undefined;
  for (const { sharing, suggestedAt } of suggested.values()) {
    if (sharing !== undefined) next = Math.min(next ?? Number.POSITIVE_INFINITY, suggestedAt + suggestionMs);
  }
  return next;
}

/** Amphorae whose machine one that is about to boot must not share, or should not. */
export function apartFrom(pool: PoolState, boot: Boot, limits: Pick<PoolLimits, 'antiAffinity'>, now: number): Apart {
  const antiAffinity = antiAffinityOf(boot, limits);
  const isHard = antiAffinity === 'hard';
  if (boot.meantFor === null || antiAffinity === 'off') return { amphorae: [], isHard };
  return { amphorae: [...(overview(pool, { antiAffinity }, now).byOwner.get(boot.meantFor)?.keys() ?? [])], isHard };
}

function missingSpares({ spares, booting }: Overview, { size, kind = plainKind }: PoolLimits): readonly Boot[] {
  const there = [...spares.values(), ...booting.values()].filter((known) => isOfKind(known, { kind })).length;
  return Array.from({ length: Math.max(0, size - there) }, () => ({ kind, meantFor: null }));
}

/** More than the size, and all of kinds that nobody waits for. */
function surplus({ spares }: Overview, { size, kind = plainKind }: PoolLimits): readonly AmphoraId[] {
  const usual = [...spares].filter(([, known]) => isOfKind(known, { kind }));
  const others = [...spares].filter(([, known]) => !isOfKind(known, { kind }));
  return [...others, ...usual.slice(0, Math.max(0, usual.length - size))].map(([id]) => id);
}

/** After a boot that failed: the pause doubles up to a minute. */
export function bootPauseMs(failedBoots: number): number {
  return Math.min(60_000, 500 * 2 ** Math.min(failedBoots, 20));
}
