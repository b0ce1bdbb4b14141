// The steps of an amphora: their keys, what each is told, and what each brings back.
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import type { StepEnded } from '../step.ts';
import type { Topology } from '../statuses.ts';
import type { AmphoraKind, Apart, InstancePlace } from './kind.ts';
import type { AgentAddress, AgentFacts, Farewell } from './state.ts';

/** Keys are in journals and must not change. */
export const stepKeys = {
  boot: 'boot',
  awaitAgent: 'await-agent',
  checkAllocation: 'check-allocation',
  configureAgent: 'configure-agent',
  rotateCertificate: 'rotate-certificate',
  destroy: 'destroy',
  tell: (loadBalancerId: LoadBalancerId): string => `tell:${loadBalancerId}`,
};

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
