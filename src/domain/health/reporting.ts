// Whom amphorae report to. They send their heartbeats to the nodes of their list in turn, so when nodes come or go the list has to
// follow; and as long as it does not, silence is our fault, not theirs. Pure: times are milliseconds on a monotonic clock.
import type { AmphoraId } from '../ids.ts';

interface Advice {
  readonly list: string;
  readonly firstAt: number;
  readonly lastAt: number;
  /** When the amphora was found to have the list; null until then. */
  readonly takenAt: number | null;
}

export interface ReportingState {
  /** Amphorae that were given another list of late. */
  readonly advised: Map<AmphoraId, Advice>;
}

/** Amphorae that are given another list in one go. */
const mostAtOnce = 50;
/** Time for the list to arrive before it is given again. */
const againAfterMs = 30_000;
/** By then an amphora that has taken a list was heard, or was judged by its silence. */
const forgetAfterMs = 3_600_000;

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
    const last = advised.get(id);
    if (told(id)?.join() === list) {
      if (last?.takenAt === null) advised.set(id, { ...last, takenAt: now });
      else if (last !== undefined && now - (last.takenAt ?? now) > forgetAfterMs) advised.delete(id);
      continue;
    }
    const open = last?.takenAt === null ? last : undefined;
    if (open?.list === list && now - open.lastAt < againAfterMs) continue;
    // The first advice counts: an amphora that takes none is judged by its silence in the end.
    advised.set(id, { list, firstAt: open?.firstAt ?? now, lastAt: now, takenAt: null });
    plan.push(id);
    if (plan.length === mostAtOnce) break;
  }
  return plan;
}

/** host:port → since when somebody listens there and tells what is heard, as far as is known here; −Infinity for always. */
export type Listening = ReadonlyMap<string, number>;

/**
 * From when an amphora's silence counts, which was heard last at `lastSeen`. Each node of its list that does not listen costs
 * an interval; when none does, it is not judged before it was given a list with one that does. Who has just been given one has
 * its whole time-out before it, and so has one of whose nodes none was there all the time: there was nobody to hear it.
 */
export function silenceCountsFrom(
  { advised }: ReportingState,
  id: AmphoraId,
  controllers: readonly string[],
  listening: Listening,
  lastSeen: number | undefined,
  now: number,
  intervalMs: number,
): number | undefined {
  let deaf = 0;
  let heardSince = Number.POSITIVE_INFINITY;
  for (const address of controllers) {
    const since = listening.get(address);
    if (since === undefined) deaf++;
    else heardSince = Math.min(heardSince, since);
  }
  const advice = advised.get(id);
  if (deaf === controllers.length) return Math.max(lastSeen ?? 0, advice?.takenAt === null ? advice.firstAt : now);
  const from = Math.max(lastSeen ?? 0, advice?.takenAt ?? advice?.firstAt ?? 0, heardSince);
  return from === 0 ? undefined : from + deaf * intervalMs;
}
