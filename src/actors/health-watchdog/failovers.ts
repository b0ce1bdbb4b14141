// What all nodes know of each other's failovers: how many each has begun in the last minute, and what each has counted among the
// amphorae that it judges. The watchdog of this node asks here what it may begin; whoever shows numbers asks here too.
import type { PeerNotices } from '../../domain/cluster/messages.ts';
import type { Peers } from '../../domain/cluster/peers.ts';
import { emptyTally, groupKinds, kindOf, type OpenBreakers, type Tally } from '../../domain/health/groups.ts';
import { allowance, budgetLeft, type Told } from '../../domain/health/pace.ts';
import { type Hold, holdKinds } from '../../domain/health/watchdog.ts';
import type { AmphoraId } from '../../domain/ids.ts';
import type { Ownership } from '../runtime/ownership.ts';

export interface FailoversOptions {
  readonly ownership: Pick<Ownership, 'nodeId' | 'view'>;
  readonly peers: Peers;
  /** In a minute, for the cluster. */
  readonly perMinute: number;
  readonly tickMs: number;
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number;
}

/** What another node has counted is not counted on any more after so many of its ticks, or seconds. */
const staleTicks = 5;
const staleMs = 5_000;

/** After so many ticks, or milliseconds, a node that tells nothing is taken to pass nothing on. */
const deafTicks = 4;
const deafMs = 1_000;

/** Why this node has failed amphorae over. `instance_ended`: somebody has ended it by intent. */
export const failoverCauses = ['silence', 'instance_gone', 'instance_ended'] as const;
export type FailoverCause = (typeof failoverCauses)[number];

export class Failovers {
  readonly #options: FailoversOptions;
  readonly #told = new Map<string, Told & Pick<Tally, 'groups'> & { readonly since: number }>();
  #own: Tally = emptyTally;
  #held: ReadonlyMap<AmphoraId, Hold> = new Map();
  #open: OpenBreakers = new Map();
  /** Begun by this node since its start, by cause. */
  readonly counts: Record<FailoverCause, number> = { silence: 0, instance_gone: 0, instance_ended: 0 };

  constructor(options: FailoversOptions) {
    this.#options = options;
  }

  /** Another node tells. */
  hear({ node, failovers, groups }: PeerNotices['failovers.tally']): void {
    const counts = groups.map(([group, late, suspect, silent]) => [group, { late, suspect, silent }] as const);
    const now = this.#options.now();
    const since = this.heardSince(node) ?? now;
    this.#told.set(node, { failovers, groups: new Map(counts), at: now, since });
  }

  /**
   * Since when a node has told at each of its ticks: so long it has passed on what it heard of amphorae. Undefined while it
   * does not; −Infinity for this one.
   */
  heardSince(node: string): number | undefined {
    const { ownership, now, tickMs } = this.#options;
    if (node === ownership.nodeId) return Number.NEGATIVE_INFINITY;
    const told = this.#told.get(node);
    return told === undefined || now() - told.at > Math.max(deafMs, deafTicks * tickMs) ? undefined : told.since;
  }

  /** The watchdog of this node has judged. */
  tell(tally: Tally, held: ReadonlyMap<AmphoraId, Hold>, open: OpenBreakers): void {
    const { peers, ownership } = this.#options;
    this.#own = tally;
    this.#held = held;
    this.#open = open;
    const groups = Array.from(
      tally.groups,
      ([group, { late, suspect, silent }]) => [group, late, suspect, silent] as const,
    );
    peers.tellAll('failovers.tally', { node: ownership.nodeId, failovers: tally.failovers, groups });
    this.#forgetOld();
  }

  /** The watchdog of this node has ended. */
  rest(): void {
    this.#own = { ...emptyTally, failovers: this.#own.failovers };
    this.#held = new Map();
    this.#open = new Map();
  }

  /** What the other nodes have counted of late. */
  get tallies(): readonly Pick<Tally, 'groups'>[] {
    const { now, tickMs } = this.#options;
    const fresh = now() - Math.max(staleMs, staleTicks * tickMs);
    return [...this.#told.values()].filter(({ at }) => at > fresh);
  }

  get perMinute(): number {
    return this.#options.perMinute;
  }

  /** Of the cluster in this minute, as far as is known here. */
  left(own: number = this.#own.failovers): number {
    const { ownership, perMinute, now } = this.#options;
    const others = this.#judges().filter((id) => id !== ownership.nodeId);
    return budgetLeft(perMinute, own, this.#told, others, now());
  }

  /** What this node may begin now, `own` having been begun by it in the last minute. */
  allowance(own: number): number {
    const { ownership, tickMs } = this.#options;
    const judges = this.#judges();
    const place = judges.indexOf(ownership.nodeId);
    // Two ticks: what the one before has begun in its turn is told by then.
    const turn = Math.floor(Date.now() / (2 * tickMs));
    return allowance(this.left(own), Math.max(1, judges.length), Math.max(0, place), turn);
  }

  /** Of the amphorae that this node judges, those whose failover is held, by kind of reason. */
  get held(): Readonly<Record<string, number>> {
    const counts = Object.fromEntries(holdKinds.map((kind) => [kind, 0]));
    for (const { kind } of this.#held.values()) counts[kind] = (counts[kind] ?? 0) + 1;
    return counts;
  }

  /** Breakers that are open as this node sees it, by kind of group. */
  get openBreakers(): Readonly<Record<string, number>> {
    const counts = Object.fromEntries(groupKinds.map((kind) => [kind, 0]));
    for (const group of this.#open.keys()) counts[kindOf(group)] = (counts[kindOf(group)] ?? 0) + 1;
    return counts;
  }

  /** Nodes that judge, in an order that is the same on all of them. */
  #judges(): readonly string[] {
    const judges = new Set(this.#options.ownership.view.owners.health.filter((owner) => owner !== null));
    return [...judges].toSorted();
  }

  #forgetOld(): void {
    const { now } = this.#options;
    for (const [node, { at }] of this.#told) if (now() - at > 60_000) this.#told.delete(node);
  }
}
