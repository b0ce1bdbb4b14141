// Which instances are orphans: made by this deployment, and of no amphora that the journal knows. Pure. Careful, because
// what is removed here cannot be asked back: the world is listed first and the journal read afterwards, an orphan is seen
// twice with a time of grace between, and too many at once are left to an operator.
import type { AmphoraId } from '../ids.ts';

export interface SweepLimits {
  readonly graceMs: number;
  /** Most orphans that are removed in one sweep, as a share of the fleet. */
  readonly share: number;
  /** So that the share of a small fleet is not nothing. */
  readonly atLeast: number;
}

export const sweepShares = { share: 0.05, atLeast: 1 };

export interface SweepInput {
  /** Instances of this deployment, listed before `known` was read. */
  readonly listed: readonly AmphoraId[];
  /** Of those, the ones with an amphora that is not deleted. */
  readonly known: ReadonlySet<AmphoraId>;
  /** Orphans of earlier sweeps → when they were seen first, milliseconds. */
  readonly seen: ReadonlyMap<AmphoraId, number>;
  readonly now: number;
}

export interface SweepPlan {
  readonly remove: readonly AmphoraId[];
  /** Seen, but not for long enough. */
  readonly waiting: readonly AmphoraId[];
  /** What to remember for the next sweep. */
  readonly seen: ReadonlyMap<AmphoraId, number>;
  /** Why nothing is removed though something would be due; undefined when nothing stands in the way. */
  readonly stopped: string | undefined;
}

export function planSweep({ listed, known, seen, now }: SweepInput, limits: SweepLimits): SweepPlan {
  const orphans = listed.filter((id) => !known.has(id));
  const remembered = new Map(orphans.map((id) => [id, seen.get(id) ?? now]));
  const isDue = (id: AmphoraId) => seen.has(id) && now - (seen.get(id) ?? now) >= limits.graceMs;
  const due = orphans.filter(isDue);
  const waiting = orphans.filter((id) => !isDue(id));
  const most = Math.max(limits.atLeast, Math.floor(listed.length * limits.share));
  if (due.length <= most) return { remove: due, waiting, seen: remembered, stopped: undefined };
  const stopped = `${due.length} of ${listed.length} instances have no amphora, more than the ${most} that are removed without being asked`;
  return { remove: [], waiting: [...waiting, ...due], seen: remembered, stopped };
}
