// An amphora as its journal tells it. Its journal alone says to whom it belongs.
import type { AmphoraKind, Apart, InstancePlace } from './kind.ts';
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import type { AmphoraRole } from '../statuses.ts';
import type { StepsState } from '../step.ts';
import type { Sharing } from './sharing.ts';

export interface AgentAddress {
  readonly host: string;
  readonly port: number;
}

export interface Allocation {
  readonly loadBalancerId: LoadBalancerId;
  readonly role: AmphoraRole;
  readonly at: number;
  /** The load balancer has said that it counts this amphora as its own. */
  readonly confirmed: boolean;
  /** With whom it would share the amphora; with nobody when absent. */
  readonly sharing?: Sharing;
  /** What the load balancer was told of the amphora: that it is to leave, or that it is lost. Nothing when absent. */
  readonly told?: Farewell;
}

/** Why a load balancer has to go on without the amphora. */
export type Farewell = 'lost' | 'replaced';

export interface AmphoraState {
  readonly id: AmphoraId;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Plain when absent. */
  readonly kind?: AmphoraKind;
  /** None when absent. */
  readonly apartFrom?: Apart;
  /** As compute told; absent where it does not. */
  readonly place?: InstancePlace;
  /** Where it runs; null until compute has made it. */
  readonly instance: { readonly computeId: string; readonly agent: AgentAddress } | null;
  /** What its agent said when it was ready; null until then. */
  readonly agent: AgentFacts | null;
  /** host:port of every node that it sends heartbeats to; empty while that is not known. */
  readonly controllers: readonly string[];
  /** To be sent them to instead; null when that is so already. */
  readonly wantedControllers: readonly string[] | null;
  /** Its certificate is being replaced; absent while it is not. */
  readonly rotation?: { readonly since: number };
  /** In the order in which they came; several only when all of them share. */
  readonly allocations: readonly Allocation[];
  /** Who has left it to others, and until when a call of theirs may still come: they do not return before. */
  readonly left?: readonly { readonly loadBalancerId: LoadBalancerId; readonly until: number }[];
  /** Those who share it are to leave, and nobody is to join them; absent when they need not. */
  readonly vacating?: { readonly reason: string };
  /** `onBehalfOf`: who asked for it; the others who share it are to be told. */
  readonly deletion: {
    readonly reason: string;
    readonly done: boolean;
    readonly onBehalfOf?: LoadBalancerId;
  } | null;
  readonly steps: StepsState;
}

export interface AgentFacts {
  readonly haproxyVersion: string;
  readonly certificateFingerprint: string;
  readonly certificateExpiresAt: number;
}

export type MaybeAmphora = AmphoraState | undefined;
