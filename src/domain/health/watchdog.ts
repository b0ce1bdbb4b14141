// Which silence is an amphora's, and which is ours. Pure: clocks are arguments, and monotonic, so that a wall clock
// that jumps means nothing.
import type { AmphoraId } from '../ids.ts';

export interface WatchdogLimits {
  readonly timeoutMs: number;
  /** Time between two judgements. */
  readonly tickMs: number;
  /** Failovers in a minute, for the whole node. */
  readonly failoversPerMinute: number;
  /** Above this share of the fleet (and from `breakerMinimum` on) a loss is taken for one cause, and left to an operator. */
  readonly breakerShare: number;
  readonly breakerMinimum: number;
}

export interface WatchdogState {
  /** Amphorae that ought to send heartbeats → since when. */
  readonly expected: Map<AmphoraId, number>;
  /** Failovers asked for → when; asked again when they did not come about. */
  readonly asked: Map<AmphoraId, number>;
  /** Silence before this moment does not count. */
  graceFrom: number;
  lastTickAt: number;
  /** Times of failovers in the last minute. */
  recent: number[];
}

export interface Judgement {
  readonly failover: readonly { readonly id: AmphoraId; readonly silentMs: number }[];
  /** Silent, but left alone for now. */
  readonly held: readonly AmphoraId[];
  /** Why, as a sentence; undefined when nothing is held. */
  readonly holdReason: string | undefined;
}

export function startWatching(now: number): WatchdogState {
  return { expected: new Map(), asked: new Map(), graceFrom: now, lastTickAt: now, recent: [] };
}

const quiet: Judgement = { failover: [], held: [], holdReason: undefined };

/**
 * Judges once. `blind` is true while this node could not know: without the database or its lease nobody may be failed
 * over, and when it is over everybody gets the whole time-out again. So does a node that was stopped itself: heartbeats
 * of that time were never read.
 */
export function judge(
  state: WatchdogState,
  lastSeen: (id: AmphoraId) => number | undefined,
  now: number,
  blind: boolean,
  limits: WatchdogLimits,
): Judgement {
  const wasStopped = now - state.lastTickAt > limits.tickMs + limits.timeoutMs / 2;
  state.lastTickAt = now;
  if (blind || wasStopped) {
    state.graceFrom = now;
    return quiet;
  }
  const silent: { id: AmphoraId; silentMs: number }[] = [];
  for (const [id, since] of state.expected) {
    const silentMs = now - Math.max(since, lastSeen(id) ?? 0, state.graceFrom);
    if (silentMs >= limits.timeoutMs) silent.push({ id, silentMs });
    else state.asked.delete(id);
  }
  return silent.length === 0 ? quiet : pace(state, silent, now, limits);
}

function pace(
  state: WatchdogState,
  silent: readonly { id: AmphoraId; silentMs: number }[],
  now: number,
  limits: WatchdogLimits,
): Judgement {
  const held = silent.map(({ id }) => id);
  if (silent.length >= limits.breakerMinimum && silent.length > state.expected.size * limits.breakerShare) {
    const holdReason = `${silent.length} of ${state.expected.size} amphorae are silent at once: that looks like one cause`;
    return { failover: [], held, holdReason };
  }
  state.recent = state.recent.filter((at) => now - at < 60_000);
  const due = silent.filter(({ id }) => now - (state.asked.get(id) ?? Number.NEGATIVE_INFINITY) >= limits.timeoutMs);
  const budget = Math.max(0, limits.failoversPerMinute - state.recent.length);
  const failover = due.slice(0, budget);
  for (const { id } of failover) {
    if (!state.asked.has(id)) state.recent.push(now);
    state.asked.set(id, now);
  }
  const waiting = due.slice(budget).map(({ id }) => id);
  const holdReason = waiting.length === 0 ? undefined : `${limits.failoversPerMinute} failovers a minute are the limit`;
  return { failover, held: waiting, holdReason };
}
