// What silent amphorae have in common: the fleet, a zone, a host. A loss of many of one group at once is taken for one cause, and
// left to an operator (a breaker opens). Every node counts those it judges and tells the others, so that a group is seen as a
// whole by all. Pure: times are milliseconds on a monotonic clock.
import type { Whereabouts } from '../cluster/orders.ts';

export const groupKinds = ['fleet', 'zone', 'host'] as const;
export type GroupKind = (typeof groupKinds)[number];

/** `fleet`, `zone/<name>` or `host/<name>`. */
export type Group = 'fleet' | `zone/${string}` | `host/${string}`;

export function groupsOf({ zone, host }: Whereabouts): readonly Group[] {
  const groups: Group[] = ['fleet'];
  if (zone !== null) groups.push(`zone/${zone}`);
  if (host !== null) groups.push(`host/${host}`);
  return groups;
}

export function kindOf(group: Group): GroupKind {
  return group.startsWith('zone/') ? 'zone' : group.startsWith('host/') ? 'host' : 'fleet';
}

/** Amphorae of a group that were not heard of late; who is in a later one is in those before, too. */
export interface Silence {
  /** At least one heartbeat of theirs is overdue. */
  readonly late: number;
  /** Silent for so long that they will not outlast another one whose time-out is over, if one cause has struck both. */
  readonly suspect: number;
  /** Silent for the time-out. */
  readonly silent: number;
}

/** What a node has to say about the amphorae that it judges. */
export interface Tally {
  /** Groups with any that are late. */
  readonly groups: ReadonlyMap<Group, Silence>;
  /** Failovers that it has begun in the last minute. */
  readonly failovers: number;
}

export const emptyTally: Tally = { groups: new Map(), failovers: 0 };

const none: Silence = { late: 0, suspect: 0, silent: 0 };

export function silenceOf(tallies: Iterable<Pick<Tally, 'groups'>>): ReadonlyMap<Group, Silence> {
  const sum = new Map<Group, Silence>();
  for (const { groups } of tallies) {
    for (const [group, { late, suspect, silent }] of groups) {
      const before = sum.get(group) ?? none;
      sum.set(group, {
        late: before.late + late,
        suspect: before.suspect + suspect,
        silent: before.silent + silent,
      });
    }
  }
  return sum;
}

/** A breaker opens above `share` of a group, when at least `minimum` of it are silent. With share 1 it never does. */
export interface BreakerLimits {
  readonly share: number;
  readonly minimum: number;
}

/** Group → when its breaker was last kept open by what is silent. */
export type OpenBreakers = ReadonlyMap<Group, number>;

/** An open one is kept open above this part of the share: while a partition heals, the rest of it is not failed over. */
const keptAbove = 0.5;

/**
 * Groups whose breaker is open from `now` on, given those whose breaker was. One closes when for `lingerMs` few enough have been
 * silent, so that all that are coming back have been heard. `sizes`: of all amphorae that ought to be heard.
 */
export function openBreakers(
  before: OpenBreakers,
  silence: ReadonlyMap<Group, Silence>,
  sizes: ReadonlyMap<Group, number>,
  limits: Readonly<Record<GroupKind, BreakerLimits>>,
  now: number,
  lingerMs: number,
): OpenBreakers {
  const open = new Map([...before].filter(([, keptAt]) => now - keptAt < lingerMs));
  for (const [group, { suspect }] of silence) {
    const { share, minimum } = limits[kindOf(group)];
    if (share === 1) continue;
    const above = (size: number) => suspect > size * (sizes.get(group) ?? 0);
    if (before.has(group) ? above(share * keptAbove) : suspect >= minimum && above(share)) open.set(group, now);
  }
  return open;
}

/** How likely it may be that any amphora that lives has lost so many heartbeats in a row. */
const improbable = 1e-6;
/** So many in a row are not lost by chance, whatever is lost. */
const mostInRow = 30;
/** Fewer that are late say nothing of the network. */
const fewLate = 3;

/**
 * How long an amphora of these groups may be silent before it counts as lost, at least `timeoutMs`: a network that loses
 * heartbeats of those that live loses several in a row of one now and then. What is lost is seen by how many others are late.
 */
export function standsOutAfterMs(
  groups: readonly Group[],
  silence: ReadonlyMap<Group, Silence>,
  sizes: ReadonlyMap<Group, number>,
  { timeoutMs, intervalMs }: { readonly timeoutMs: number; readonly intervalMs: number },
): number {
  let longest = timeoutMs;
  for (const group of groups) {
    if (kindOf(group) === 'host') continue;
    const { late, silent } = silence.get(group) ?? none;
    if (late - silent < fewLate) continue;
    const living = Math.max(1, (sizes.get(group) ?? 0) - silent);
    const inRow = Math.min(mostInRow, Math.log(improbable / living) / Math.log(lossOf((late - silent) / living)));
    longest = Math.max(longest, inRow * intervalMs);
  }
  return longest;
}

/** A living amphora is late when it lost the last heartbeat that was due long enough ago: (p + p²) / 2 of them, with a loss of p. */
function lossOf(lateShare: number): number {
  const share = Math.min(0.99, lateShare);
  return (Math.sqrt(1 + 8 * share) - 1) / 2;
}

/** As in `12 of 20 amphorae of zone az1 are silent at once: that looks like one cause`. */
export function breakerSentence(group: Group, silent: number, size: number): string {
  const whose = group === 'fleet' ? '' : ` of ${group.replace('/', ' ')}`;
  return `${silent} of ${size} amphorae${whose} are silent at once: that looks like one cause`;
}
