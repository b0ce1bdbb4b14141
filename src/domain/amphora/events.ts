// What has happened to an amphora: its journal.
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import type { AmphoraRole } from '../statuses.ts';
import type { StepEvent } from '../step.ts';
import type { AmphoraKind, Apart, InstancePlace } from './kind.ts';
import type { Sharing } from './sharing.ts';
import type { AgentAddress, AgentFacts, Farewell } from './state.ts';

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
