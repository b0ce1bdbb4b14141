// The steps of a load balancer: their keys, what each is told, and what each brings back.
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import type { AmphoraRole } from '../statuses.ts';
import type { StepFailure } from '../step.ts';
import type { ServedTree } from './attributes.ts';

/** Roles that a load balancer fills. One today: a pair needs VRRP. */
export const roles: readonly AmphoraRole[] = ['STANDALONE'];

const claimPrefix = 'claim:';
const deployPrefix = 'deploy:';

/** At most one step of a key runs at a time. Keys are in journals and must not change. */
export const stepKeys = {
  vip: 'vip',
  releaseVip: 'release-vip',
  claim: (role: AmphoraRole): string => `${claimPrefix}${role}`,
  deploy: (amphoraId: AmphoraId): string => `${deployPrefix}${amphoraId}`,
  retire: (amphoraId: AmphoraId): string => `retire:${amphoraId}`,
  isClaim: (key: string): boolean => key.startsWith(claimPrefix),
  isDeploy: (key: string): boolean => key.startsWith(deployPrefix),
};

export interface SlotAddress {
  readonly amphoraId: AmphoraId;
  readonly computeId: string;
  readonly agent: { readonly host: string; readonly port: number };
}

export interface PlacedVip {
  readonly portId: string;
  readonly address: string;
  readonly subnetId: string;
  readonly networkId: string;
}

export type LoadBalancerStep = { readonly key: string; readonly loadBalancerId: LoadBalancerId } & (
  | {
      readonly type: 'allocateVip';
      readonly subnetId: string;
      readonly address: string | null;
      readonly taken: readonly string[];
    }
  | { readonly type: 'claimAmphora'; readonly role: AmphoraRole; readonly isRepeat: boolean }
  | {
      readonly type: 'deploy';
      readonly slot: SlotAddress;
      readonly vip: PlacedVip;
      readonly tree: ServedTree;
      /** Whether the amphora may have listeners of LVS. */
      readonly hasLvs: boolean;
    }
  | { readonly type: 'retireAmphora'; readonly slot: SlotAddress; readonly reason: string }
  | { readonly type: 'releaseVip' }
);

export type LoadBalancerStepResult =
  | { readonly type: 'vipOffered'; readonly portId: string; readonly address: string }
  | ({ readonly type: 'amphoraGranted'; readonly role: AmphoraRole } & SlotAddress)
  | { readonly type: 'served'; readonly amphoraId: AmphoraId }
  | { readonly type: 'servingRefused'; readonly amphoraId: AmphoraId; readonly reason: string }
  /** There is nobody to push to: nobody knows the amphora any more. */
  | { readonly type: 'amphoraGone'; readonly amphoraId: AmphoraId }
  | { readonly type: 'amphoraRetired'; readonly amphoraId: AmphoraId }
  | { readonly type: 'vipReleased' };

export type StepOutcome<Result> =
  | { readonly ok: true; readonly result: Result }
  | {
      readonly ok: false;
      readonly failure: StepFailure;
      /** It ended for our own sake, not for the driver's: this is not one of the tries that the budget counts. */
      readonly isInterrupted?: boolean | undefined;
    };

/** How a step's end comes back to its entity. `run` tells a late end of an earlier run apart. */
export interface StepEnded<Result> {
  readonly type: 'stepEnded';
  readonly key: string;
  readonly run: number;
  readonly outcome: StepOutcome<Result>;
}
