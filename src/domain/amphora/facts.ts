// What others than its owner know of an amphora: whose it is, who may join them, where it runs, and whom it reports to. Pure.
import type { AmphoraKind } from './kind.ts';
import type { LoadBalancerId } from '../ids.ts';
import type { AmphoraStatus } from '../statuses.ts';
import { type Sharing, sharingOf } from './sharing.ts';
import type { AmphoraState } from './state.ts';
import { amphoraStatus } from './status.ts';

export interface AmphoraFacts {
  readonly status: AmphoraStatus;
  /** Whose it is, in the order in which they came; none of a spare. */
  readonly loadBalancerIds: readonly LoadBalancerId[];
  /** Who may join them; absent when nobody may. */
  readonly sharing?: Sharing;
  /** Why it goes without ever having been ready; null otherwise. */
  readonly bootFailure: string | null;
  /** host:port of every node that it sends heartbeats to. */
  readonly controllers: readonly string[];
  /** Plain when absent. */
  readonly kind?: AmphoraKind;
  /** The machine it runs on; absent where compute does not tell. */
  readonly host?: string;
  /** The availability zone it runs in, or was to; absent where compute has none. */
  readonly zone?: string;
}

const nobody: readonly LoadBalancerId[] = [];

/** Who may join those that have it; undefined when nobody may. */
export function openSharing({ allocations, vacating, deletion }: AmphoraState): Sharing | undefined {
  const sharing = vacating !== undefined || deletion !== null ? undefined : sharingOf(allocations);
  return sharing !== undefined && allocations.length < sharing.most ? sharing : undefined;
}

export function amphoraFacts(state: AmphoraState): AmphoraFacts {
  const zone = state.place?.zone ?? state.kind?.computeZone ?? null;
  const sharing = openSharing(state);
  const neverReady = state.agent === null && state.deletion !== null;
  return {
    status: amphoraStatus(state),
    loadBalancerIds:
      state.allocations.length === 0 ? nobody : state.allocations.map(({ loadBalancerId }) => loadBalancerId),
    ...(sharing !== undefined && { sharing }),
    bootFailure: neverReady ? (state.deletion?.reason ?? '') : null,
    controllers: state.controllers,
    ...(state.kind !== undefined && { kind: state.kind }),
    ...(typeof state.place?.host === 'string' && { host: state.place.host }),
    ...(zone !== null && { zone }),
  };
}

/** As facts of amphorae go to other nodes: those of earlier versions know one load balancer each. */
export interface ToldFacts extends AmphoraFacts {
  readonly loadBalancerId: LoadBalancerId | null;
}

export function toldFacts(facts: AmphoraFacts): ToldFacts {
  return { ...facts, loadBalancerId: facts.loadBalancerIds[0] ?? null };
}

/** What another node has told, which may be of an earlier version. */
export function heardFacts({
  loadBalancerId,
  loadBalancerIds,
  ...facts
}: Omit<ToldFacts, 'loadBalancerIds'> & Partial<Pick<ToldFacts, 'loadBalancerIds'>>): AmphoraFacts {
  return { ...facts, loadBalancerIds: loadBalancerIds ?? (loadBalancerId === null ? nobody : [loadBalancerId]) };
}
