// Whom amphorae report to. They send their heartbeats to the nodes of their list in turn, so when nodes come or go the list has to
// follow; and as long as it does not, silence is our fault, not theirs. Pure: times are milliseconds on a monotonic clock.
import type { AmphoraId } from '../ids.ts';

export interface ReportingState {
  /** Amphorae that were given another list → which, when for the first time, and when last. */
  readonly advised: Map<AmphoraId, { readonly list: string; readonly firstAt: number; readonly lastAt: number }>;
}

/** Amphorae that are given another list in one go. */
const mostAtOnce = 50;
/** Time for the list to arrive before it is given again. */
const againAfterMs = 30_000;

export function startReporting(): ReportingState {
  return { advised: new Map() };
}

/** Those that shall be given the list now, in any order. */
export function planReporting(
  { advised }: ReportingState,
  ids: Iterable<AmphoraId>,
  told: (id: AmphoraId) => readonly string[] | undefined,
  wanted: readonly string[],
  now: number,
): readonly AmphoraId[] {
  const list = wanted.join();
  const plan: AmphoraId[] = [];
  if (list === '') return plan;
  for (const id of ids) {
    if (told(id)?.join() === list) {
      advised.delete(id);
      continue;
    }
    const last = advised.get(id);
    if (last !== undefined && last.list === list && now - last.lastAt < againAfterMs) continue;
    // The first advice counts: an amphora that takes none is judged by its silence in the end.
    advised.set(id, { list, firstAt: last?.firstAt ?? now, lastAt: now });
    plan.push(id);
    if (plan.length === mostAtOnce) break;
  }
  return plan;
}

/**
 * From when an amphora's silence counts, which was heard last at `lastSeen`. Each node of its list that does not listen costs
 * an interval; when none does, it is not judged before it was given a list with one that does.
 */
export function silenceCountsFrom(
  { advised }: ReportingState,
  id: AmphoraId,
  controllers: readonly string[],
  listening: ReadonlySet<string>,
  lastSeen: number | undefined,
  now: number,
  intervalMs: number,
): number | undefined {
  const deaf = controllers.filter((address) => !listening.has(address)).length;
  if (deaf < controllers.length) return lastSeen === undefined ? undefined : lastSeen + deaf * intervalMs;
  return Math.max(lastSeen ?? 0, advised.get(id)?.firstAt ?? now);
}
