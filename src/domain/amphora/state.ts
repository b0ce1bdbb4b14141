// An amphora as its journal tells it. Its journal alone says to whom it belongs.
import type { AmphoraKind, Apart, InstancePlace } from './kind.ts';
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import type { AmphoraRole, Topology } from '../statuses.ts';
import type { StepEvent, StepsState } from '../step.ts';
import type { StepEnded } from '../load-balancer/steps.ts';
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

export type AmphoraEvent =
  | {
      readonly type: 'amphoraCreated';
      readonly at: number;
      readonly id: AmphoraId;
      /** Plain when absent. */
      readonly kind?: AmphoraKind;
      /** None when absent. */
      readonly apartFrom?: Apart;
    }
  | {
      readonly type: 'amphoraBooted';
      readonly at: number;
      readonly computeId: string;
      readonly agent: AgentAddress;
      /** What it was given; empty when that is not known. */
      readonly controllers: readonly string[];
      readonly place?: InstancePlace;
    }
  | { readonly type: 'amphoraReady'; readonly at: number; readonly facts: AgentFacts }
  | {
      readonly type: 'amphoraAllocated';
      readonly at: number;
      readonly loadBalancerId: LoadBalancerId;
      readonly role: AmphoraRole;
      /** With nobody when absent. */
      readonly sharing?: Sharing;
    }
  /** The load balancer is named since amphorae are shared: before there was one alone. */
  | { readonly type: 'allocationConfirmed'; readonly at: number; readonly loadBalancerId?: LoadBalancerId }
  /** That load balancer does not claim it: it is a spare again, unless others have it. */
  | { readonly type: 'allocationReturned'; readonly at: number; readonly loadBalancerId?: LoadBalancerId }
  /** That load balancer has left it to the others. */
  | { readonly type: 'allocationReleased'; readonly at: number; readonly loadBalancerId: LoadBalancerId }
  | { readonly type: 'vacationWanted'; readonly at: number; readonly reason: string }
  /** That load balancer knows that it has to go on without it. */
  | {
      readonly type: 'farewellTold';
      readonly at: number;
      readonly loadBalancerId: LoadBalancerId;
      readonly why: Farewell;
    }
  | { readonly type: 'controllersWanted'; readonly at: number; readonly controllers: readonly string[] }
  | { readonly type: 'agentConfigured'; readonly at: number; readonly controllers: readonly string[] }
  | { readonly type: 'certificateRotationWanted'; readonly at: number }
  /** Its agent shows another certificate than before. */
  | { readonly type: 'certificateRotated'; readonly at: number; readonly facts: AgentFacts }
  | {
      readonly type: 'amphoraDeletionRequested';
      readonly at: number;
      readonly reason: string;
      readonly onBehalfOf?: LoadBalancerId;
    }
  | { readonly type: 'amphoraDeleted'; readonly at: number }
  | StepEvent;

export type AmphoraCommand =
  | {
      readonly type: 'createAmphora';
      readonly amphoraId: AmphoraId;
      /** Plain when absent. */
      readonly kind?: AmphoraKind;
      /** None when absent. */
      readonly apartFrom?: Apart;
    }
  | {
      readonly type: 'allocateAmphora';
      readonly loadBalancerId: LoadBalancerId;
      readonly role: AmphoraRole;
      /** Refused when it is of another; absent where any will do. */
      readonly kind?: AmphoraKind;
      /** With nobody when absent. */
      readonly sharing?: Sharing;
    }
  /** Nodes have come or gone: it shall send its heartbeats to these. */
  | { readonly type: 'reportTo'; readonly controllers: readonly string[] }
  /** Its agent is given its configuration again, as it is now: the heartbeat key may be another one. */
  | { readonly type: 'configureAgent' }
  /**
   * Its agent is given another certificate than the one with this fingerprint (null: than the one it has). Without effect when it
   * has another one already.
   */
  | { readonly type: 'rotateCertificate'; readonly fingerprint: string | null }
  | {
      readonly type: 'deleteAmphora';
      readonly reason: string;
      /**
       * Whose amphora the sender takes it to be: a load balancer's, or null for a spare. Refused when it is not so, because
       * the sender's picture may be older than an allocation.
       */
      readonly onBehalfOf: LoadBalancerId | null;
      /** Without effect while others share it. */
      readonly unlessShared?: boolean;
    }
  /** That load balancer serves nothing there any more: it is the others', or goes when there are none. */
  | { readonly type: 'releaseAmphora'; readonly loadBalancerId: LoadBalancerId }
  /** All that share it leave it for others, and nobody joins them. It goes with the last. */
  | { readonly type: 'vacateAmphora'; readonly reason: string };

/** What an accepted command is answered. */
export interface AmphoraAnswer {
  readonly id: AmphoraId;
  readonly instance: AmphoraState['instance'];
  /** Why it stays for whoever wanted it deleted: others `shared` it, or it was `left` to them before. Absent when it goes. */
  readonly stays?: 'shared' | 'left';
  /** Deleted and known to run no more. */
  readonly isGone: boolean;
}

export type AmphoraStep = { readonly key: string; readonly amphoraId: AmphoraId } & (
  | { readonly type: 'boot'; readonly kind: AmphoraKind; readonly apartFrom: Apart }
  | { readonly type: 'awaitAgent'; readonly agent: AgentAddress }
  | { readonly type: 'checkAllocation'; readonly loadBalancerId: LoadBalancerId }
  | {
      readonly type: 'configureAgent';
      readonly agent: AgentAddress;
      readonly controllers: readonly string[];
      readonly topology: Topology;
    }
  | {
      readonly type: 'rotateCertificate';
      readonly agent: AgentAddress;
      /** Of the certificate that is to go. */
      readonly fingerprint: string;
      /** Whose pushes are not to be disturbed. */
      readonly loadBalancerIds: readonly LoadBalancerId[];
    }
  | { readonly type: 'destroy' }
  /** One of those that share it is told to go on without it. */
  | {
      readonly type: 'tellFarewell';
      readonly loadBalancerId: LoadBalancerId;
      readonly why: Farewell;
      readonly reason: string;
      /** It may be about to claim the amphora: that it does not know it means nothing. */
      readonly isUnconfirmed: boolean;
    }
);

export type AmphoraStepResult =
  | {
      readonly type: 'booted';
      readonly computeId: string;
      readonly agent: AgentAddress;
      /** Whom it was told to report to; empty when it was made by an earlier step, and that is not known. */
      readonly controllers: readonly string[];
      /** What the agent said, when it was up already. */
      readonly facts: AgentFacts | null;
      readonly place?: InstancePlace | undefined;
    }
  | { readonly type: 'agentAnswered'; readonly facts: AgentFacts }
  | { readonly type: 'allocationChecked'; readonly loadBalancerId: LoadBalancerId; readonly isClaimed: boolean }
  | { readonly type: 'agentConfigured'; readonly controllers: readonly string[] }
  | { readonly type: 'certificateRotated'; readonly facts: AgentFacts }
  | { readonly type: 'destroyed' }
  | { readonly type: 'farewellTold'; readonly loadBalancerId: LoadBalancerId; readonly why: Farewell };

export type AmphoraStepEnded = StepEnded<AmphoraStepResult>;
