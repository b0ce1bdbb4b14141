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

interface Expected {
  readonly since: number;
  /** Its silence cannot be long enough before: until then nobody need look. There may be a hundred thousand. */
  lookAt: number;
}

export interface WatchdogState {
  /** Amphorae that ought to send heartbeats. */
  readonly expected: Map<AmphoraId, Expected>;
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

/** Why an amphora must be left alone whatever it says, as a sentence; undefined when it need not. */
export type Maintenance = (id: AmphoraId) => string | undefined;

export function startWatching(now: number): WatchdogState {
  return { expected: new Map(), asked: new Map(), graceFrom: now, lastTickAt: now, recent: [] };
}

/** From now on it ought to be heard; nothing changes for one that ought to already. */
export function expectFrom({ expected }: WatchdogState, id: AmphoraId, now: number): void {
  if (!expected.has(id)) expected.set(id, { since: now, lookAt: now });
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
  maintenance: Maintenance = () => undefined,
): Judgement {
  const wasStopped = now - state.lastTickAt > limits.tickMs + limits.timeoutMs / 2;
  state.lastTickAt = now;
  if (blind || wasStopped) {
    state.graceFrom = now;
    return quiet;
  }
  const silent: { id: AmphoraId; silentMs: number }[] = [];
  for (const [id, expected] of state.expected) {
    if (expected.lookAt > now) continue;
    const from = Math.max(expected.since, lastSeen(id) ?? 0, state.graceFrom);
    const silentMs = now - from;
    if (silentMs >= limits.timeoutMs) silent.push({ id, silentMs });
    else {
      expected.lookAt = from + limits.timeoutMs;
      state.asked.delete(id);
    }
  }
  return silent.length === 0 ? quiet : pace(state, silent, now, limits, maintenance);
}

function pace(
  state: WatchdogState,
  silent: readonly { id: AmphoraId; silentMs: number }[],
  now: number,
  limits: WatchdogLimits,
  maintenance: Maintenance,
): Judgement {
  const held = silent.map(({ id }) => id);
  if (silent.length >= limits.breakerMinimum && silent.length > state.expected.size * limits.breakerShare) {
    const holdReason = `${silent.length} of ${state.expected.size} amphorae are silent at once: that looks like one cause`;
    return { failover: [], held, holdReason };
  }
  state.recent = state.recent.filter((at) => now - at < 60_000);
  const maintained = silent.filter(({ id }) => maintenance(id) !== undefined).map(({ id }) => id);
  const due = silent
    .filter(({ id }) => !maintained.includes(id))
    .filter(({ id }) => now - (state.asked.get(id) ?? Number.NEGATIVE_INFINITY) >= limits.timeoutMs);
  const budget = Math.max(0, limits.failoversPerMinute - state.recent.length);
  const failover = due.slice(0, budget);
  for (const { id } of failover) {
    if (!state.asked.has(id)) state.recent.push(now);
    state.asked.set(id, now);
  }
  const waiting = due.slice(budget).map(({ id }) => id);
  const paced = waiting.length === 0 ? undefined : `${limits.failoversPerMinute} failovers a minute are the limit`;
  const [first] = maintained;
  const holdReason = paced ?? (first === undefined ? undefined : maintenance(first));
  return { failover, held: [...maintained, ...waiting], holdReason };
}
