// How many failovers a node may begin now, of the cluster's budget for a minute, and which come first. Pure.
import type { AmphoraFacts } from '../amphora/facts.ts';
import type { AmphoraId, LoadBalancerId } from '../ids.ts';

/** What a node has told of late. */
export interface Told {
  /** Failovers that it has begun in the minute before. */
  readonly failovers: number;
  /** When it told; milliseconds on a monotonic clock. */
  readonly at: number;
}

const minuteMs = 60_000;
/** Of a judge that has told nothing for so long it is not known what it does. */
const staleMs = 5_000;

/**
 * Failovers that the cluster may still begin in this minute, as far as one node knows. Others that judge and have told nothing
 * are taken to have used their share; what was begun by a node that is gone counts until its minute is over.
 */
export function budgetLeft(
  perMinute: number,
  own: number,
  told: ReadonlyMap<string, Told>,
  otherJudges: readonly string[],
  now: number,
): number {
  let used = own;
  for (const { failovers, at } of told.values()) if (now - at < minuteMs) used += failovers;
  const share = Math.ceil(perMinute / (otherJudges.length + 1));
  for (const judge of otherJudges) {
    const { at = Number.NEGATIVE_INFINITY, failovers = 0 } = told.get(judge) ?? {};
    if (now - at >= staleMs) used += Math.max(0, share - (now - at < minuteMs ? failovers : 0));
  }
  return Math.max(0, perMinute - used);
}

/**
 * What a node may begin at one look: an equal part of what is left, so that all together never begin more. The odd ones go round:
 * `place` is the node's among the judges, `turn` a number that is the same on all of them and rises.
 */
export function allowance(left: number, judges: number, place: number, turn: number): number {
  return Math.floor(left / judges) + ((place + turn) % judges < left % judges ? 1 : 0);
}

/** What a failover waits behind: 0, load balancers that nobody serves; 1, those whose other amphora does; 2, spares. */
export type Urgency = 0 | 1 | 2;

/** Of amphorae that are lost. `isHeard` tells whether another amphora is heard, as far as this node knows. */
export function urgencies(
  lost: ReadonlySet<AmphoraId>,
  fleet: Iterable<readonly [AmphoraId, AmphoraFacts]>,
  isHeard: (id: AmphoraId) => boolean,
): ReadonlyMap<AmphoraId, Urgency> {
  const owners = new Map<AmphoraId, readonly LoadBalancerId[]>();
  const served = new Set<LoadBalancerId>();
  for (const [id, { loadBalancerIds, status }] of fleet) {
    if (lost.has(id)) owners.set(id, loadBalancerIds);
    else if (loadBalancerIds.length > 0 && status === 'ALLOCATED' && isHeard(id)) {
      for (const loadBalancerId of loadBalancerIds) served.add(loadBalancerId);
    }
  }
  const urgency = new Map<AmphoraId, Urgency>();
  for (const [id, theirs] of owners) {
    const isServed = theirs.every((loadBalancerId) => served.has(loadBalancerId));
    urgency.set(id, theirs.length === 0 ? 2 : isServed ? 1 : 0);
  }
  return urgency;
}
