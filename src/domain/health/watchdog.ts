// Which silence is an amphora's, and which is ours; and which failovers go on, and which are held. Pure: clocks are arguments, and
// monotonic, so that a wall clock that jumps means nothing.
import type { Whereabouts } from '../cluster/orders.ts';
import type { AmphoraId } from '../ids.ts';
import {
  type BreakerLimits,
  breakerSentence,
  type Group,
  type GroupKind,
  groupsOf,
  type OpenBreakers,
  openBreakers,
  type Silence,
  silenceOf,
  standsOutAfterMs,
  type Tally,
} from './groups.ts';
import type { Urgency } from './pace.ts';

export interface WatchdogLimits {
  readonly timeoutMs: number;
  /** Between two heartbeats of an amphora. */
  readonly intervalMs: number;
  /** Time between two judgements. */
  readonly tickMs: number;
  /** Failovers in a minute, for the whole cluster. */
  readonly failoversPerMinute: number;
  readonly breakers: Readonly<Record<GroupKind, BreakerLimits>>;
}

interface Expected {
  readonly since: number;
  /** Before that it cannot be late: until then nobody need look. There may be a hundred thousand. */
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
  /** Groups whose breaker is open. */
  open: OpenBreakers;
}

/** Why a failover waits. `loss`: heartbeats of the living are lost, too. `pace`: others come first. */
export const holdKinds = ['maintenance', 'breaker', 'loss', 'pace'] as const;
export type HoldKind = (typeof holdKinds)[number];

export interface Hold {
  readonly kind: HoldKind;
  /** A sentence. */
  readonly why: string;
}

export interface HeldAmphora extends Hold {
  readonly amphoraId: AmphoraId;
}

export interface Lost {
  readonly id: AmphoraId;
  readonly silentMs: number;
}

export interface Judgement {
  readonly failover: readonly Lost[];
  /** Silent, but left alone for now. */
  readonly held: ReadonlyMap<AmphoraId, Hold>;
  /** What this node has to tell the others. */
  readonly tally: Tally;
}

/** What is known from elsewhere when silence is judged. */
export interface Circumstances {
  readonly lastSeen: (id: AmphoraId) => number | undefined;
  readonly now: number;
  /** This node could not know: without the database or its lease nobody may be failed over. */
  readonly blind: boolean;
  readonly whereabouts: (id: AmphoraId) => Whereabouts;
  /** Of the other nodes. */
  readonly tallies: Iterable<Pick<Tally, 'groups'>>;
  /** Amphorae that ought to be heard, by whichever node. */
  readonly sizes: () => ReadonlyMap<Group, number>;
  /** The sentence of the maintenance that somewhere is under. */
  readonly maintenance: (where: Whereabouts) => string | undefined;
  /** Whether operators have let failovers there go on, whatever it looks like. */
  readonly isReleased: (where: Whereabouts) => boolean;
  /** Failovers that this node may begin now. */
  readonly allowance: (recent: number) => number;
  readonly urgencies: (lost: ReadonlySet<AmphoraId>) => ReadonlyMap<AmphoraId, Urgency>;
}

export function startWatching(now: number): WatchdogState {
  return { expected: new Map(), asked: new Map(), graceFrom: now, lastTickAt: now, recent: [], open: new Map() };
}

/** From now on it ought to be heard; nothing changes for one that ought to already. */
export function expectFrom({ expected }: WatchdogState, id: AmphoraId, now: number): void {
  if (!expected.has(id)) expected.set(id, { since: now, lookAt: now });
}

/**
 * Judges once. When a blindness is over everybody gets the whole time-out again. So does a node that was stopped itself:
 * heartbeats of that time were never read.
 */
export function judge(state: WatchdogState, around: Circumstances, limits: WatchdogLimits): Judgement {
  const { now, blind } = around;
  const wasStopped = now - state.lastTickAt > limits.tickMs + limits.timeoutMs / 2;
  state.lastTickAt = now;
  state.recent = state.recent.filter((at) => now - at < 60_000);
  if (blind || wasStopped) state.graceFrom = now;
  const { groups, silent } = look(state, around, limits);
  const silence = silenceOf([{ groups }, ...around.tallies]);
  const sizes = silence.size === 0 ? new Map<Group, number>() : around.sizes();
  // Two intervals: by then whoever lives was heard.
  state.open = openBreakers(state.open, silence, sizes, limits.breakers, now, 2 * limits.intervalMs);
  const held = new Map<AmphoraId, Hold>();
  const going: Lost[] = [];
  for (const lost of silent) {
    const hold = holdOf(state, lost, around, silence, sizes, limits);
    if (hold !== undefined) held.set(lost.id, hold);
    else if (now - (state.asked.get(lost.id) ?? Number.NEGATIVE_INFINITY) >= limits.timeoutMs) going.push(lost);
  }
  const failover = going.length === 0 ? going : pace(state, going, around, limits, held);
  return { failover, held, tally: { groups, failovers: state.recent.length } };
}

interface Looked {
  readonly groups: ReadonlyMap<Group, Silence>;
  readonly silent: readonly Lost[];
}

/** Counts those that are late, and finds those whose time-out is over. */
function look(state: WatchdogState, { lastSeen, now, whereabouts }: Circumstances, limits: WatchdogLimits): Looked {
  const { timeoutMs, intervalMs } = limits;
  const lateMs = Math.min(timeoutMs, 1.5 * intervalMs);
  // Who was struck by the same cause fell silent within an interval of the first one.
  const suspectMs = Math.max(lateMs, timeoutMs - 1.5 * intervalMs);
  const groups = new Map<Group, { late: number; suspect: number; silent: number }>();
  const silent: Lost[] = [];
  for (const [id, expected] of state.expected) {
    if (expected.lookAt > now) continue;
    const from = Math.max(expected.since, lastSeen(id) ?? 0, state.graceFrom);
    const silentMs = now - from;
    if (silentMs < timeoutMs) state.asked.delete(id);
    if (silentMs < lateMs) {
      expected.lookAt = from + lateMs;
      continue;
    }
    if (silentMs >= timeoutMs) silent.push({ id, silentMs });
    for (const group of groupsOf(whereabouts(id))) {
      let counts = groups.get(group);
      if (counts === undefined) groups.set(group, (counts = { late: 0, suspect: 0, silent: 0 }));
      counts.late++;
      if (silentMs >= suspectMs) counts.suspect++;
      if (silentMs >= timeoutMs) counts.silent++;
    }
  }
  return { groups, silent };
}

function holdOf(
  state: WatchdogState,
  { id, silentMs }: Lost,
  { whereabouts, maintenance, isReleased }: Circumstances,
  silence: ReadonlyMap<Group, Silence>,
  sizes: ReadonlyMap<Group, number>,
  limits: WatchdogLimits,
): Hold | undefined {
  const where = whereabouts(id);
  const order = maintenance(where);
  if (order !== undefined) return { kind: 'maintenance', why: order };
  if (isReleased(where)) return undefined;
  const groups = groupsOf(where);
  const open = groups.find((group) => state.open.has(group));
  if (open !== undefined) {
    return { kind: 'breaker', why: breakerSentence(open, silence.get(open)?.suspect ?? 0, sizes.get(open) ?? 0) };
  }
  const neededMs = standsOutAfterMs(groups, silence, sizes, limits);
  if (silentMs >= neededMs) return undefined;
  const seconds = Math.round(neededMs / 1000);
  return { kind: 'loss', why: `heartbeats of many are lost: it counts as lost itself after ${seconds} s of silence` };
}

/** The most important first, as many as may begin now. Those that were asked for before cost nothing. */
function pace(
  state: WatchdogState,
  going: readonly Lost[],
  { now, allowance, urgencies }: Circumstances,
  { failoversPerMinute }: WatchdogLimits,
  held: Map<AmphoraId, Hold>,
): readonly Lost[] {
  const again = going.filter(({ id }) => state.asked.has(id));
  const fresh = going.filter(({ id }) => !state.asked.has(id));
  const most = allowance(state.recent.length);
  const urgency = fresh.length > most ? urgencies(new Set(fresh.map(({ id }) => id))) : new Map<AmphoraId, Urgency>();
  const rank = ({ id }: Lost) => urgency.get(id) ?? 2;
  const inOrder = fresh.toSorted((a, b) => rank(a) - rank(b) || b.silentMs - a.silentMs);
  const begun = inOrder.slice(0, most);
  for (const { id } of inOrder.slice(most)) {
    held.set(id, { kind: 'pace', why: `${failoversPerMinute} failovers a minute are the limit` });
  }
  state.recent.push(...begun.map(() => now));
  for (const { id } of [...again, ...begun]) state.asked.set(id, now);
  return [...again, ...begun];
}
