// The steps of a load balancer: their keys, what each is told, and what each brings back.
import type { VipPort } from './state.ts';
import type { WantedAmphora } from '../amphora/wanted.ts';
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import type { AmphoraRole } from '../statuses.ts';
import type { ServedTree, VipPolicy, VnicType } from './attributes.ts';

const claimPrefix = 'claim:';
const plugPrefix = 'plug:';
const deployPrefix = 'deploy:';

/** At most one step of a key runs at a time. Keys are in journals and must not change. */
export const stepKeys = {
  vip: 'vip',
  releaseVip: 'release-vip',
  claim: (role: AmphoraRole): string => `${claimPrefix}${role}`,
  plug: (amphoraId: AmphoraId): string => `${plugPrefix}${amphoraId}`,
  deploy: (amphoraId: AmphoraId): string => `${deployPrefix}${amphoraId}`,
  retire: (amphoraId: AmphoraId): string => `retire:${amphoraId}`,
  isClaim: (key: string): boolean => key.startsWith(claimPrefix),
  isPlug: (key: string): boolean => key.startsWith(plugPrefix),
  isDeploy: (key: string): boolean => key.startsWith(deployPrefix),
};

export interface SlotAddress {
  readonly amphoraId: AmphoraId;
  readonly computeId: string;
  readonly agent: { readonly host: string; readonly port: number };
}

/** An amphora's own port on the VIP's subnet. */
export interface VrrpPort {
  /** Null where the network has no ports. */
  readonly portId: string | null;
  readonly address: string;
}

/** What an amphora of a pair is told about the pair. */
export interface Pairing {
  readonly role: AmphoraRole;
  /** Its own. */
  readonly address: string;
  /** What its keepalived begins as. Who joins a pair that serves begins as BACKUP, so that the VIP stays where it is. */
  readonly beginsAs: 'MASTER' | 'BACKUP';
  /** Null while there is no other one. */
  readonly peer: { readonly amphoraId: AmphoraId; readonly address: string } | null;
  /** It knows a peer that is gone, and goes on with that until there is another one. */
  readonly keepsPeer: boolean;
}

export interface PlacedVip {
  readonly portId: string;
  readonly address: string;
  readonly subnetId: string;
  readonly networkId: string;
  /** Of amphorae's own ports; normal when absent. */
  readonly vnicType?: VnicType;
  /** Further VIPs of the port; absent for none. */
  readonly additional?: readonly { readonly subnetId: string; readonly address: string }[];
}

export type LoadBalancerStep = { readonly key: string; readonly loadBalancerId: LoadBalancerId } & (
  | {
      readonly type: 'allocateVip';
      readonly subnetId: string;
      readonly address: string | null;
      /** Further addresses for the port; absent for none. */
      readonly additional?: readonly { readonly subnetId: string; readonly address: string | null }[];
      readonly taken: readonly string[];
    }
  | {
      readonly type: 'claimAmphora';
      readonly role: AmphoraRole;
      readonly wanted: WantedAmphora;
      readonly isRepeat: boolean;
    }
  /** Gives one of a pair its port: the other one must know its address. */
  | {
      readonly type: 'plugAmphora';
      readonly slot: SlotAddress;
      readonly vip: PlacedVip;
      readonly policy: VipPolicy;
    }
  | {
      readonly type: 'deploy';
      readonly slot: SlotAddress;
      readonly vip: PlacedVip;
      readonly tree: ServedTree;
      /** Whether the amphora may have listeners of LVS. */
      readonly hasLvs: boolean;
      /** Null for an amphora that stands alone. */
      readonly pairing: Pairing | null;
    }
  | {
      readonly type: 'retireAmphora';
      readonly slot: SlotAddress;
      readonly reason: string;
      /** It is well and may have the VIP: the other one is to take that over first. */
      readonly handsOver: boolean;
      /** Where others may share it: how to leave it to them. Null where it has to go. */
      readonly leave: { readonly vip: PlacedVip | null; readonly hasLvs: boolean } | null;
    }
  | { readonly type: 'releaseVip' }
);

export type LoadBalancerStepResult =
  | ({ readonly type: 'vipOffered' } & VipPort)
  | ({ readonly type: 'amphoraGranted'; readonly role: AmphoraRole } & SlotAddress)
  | { readonly type: 'amphoraPlugged'; readonly amphoraId: AmphoraId; readonly port: VrrpPort }
  /**
   * `peerAddress` is that of the peer it was told; absent when it was told none. `digest` names what it serves (`digest.ts`).
   * `ownPort` is that of one that stands alone, where the network has ports.
   */
  | {
      readonly type: 'served';
      readonly amphoraId: AmphoraId;
      readonly peerAddress?: string;
      readonly digest?: string | null;
      readonly ownPort?: VrrpPort;
    }
  | { readonly type: 'servingRefused'; readonly amphoraId: AmphoraId; readonly reason: string }
  /** There is nobody to push to: nobody knows the amphora any more. */
  | { readonly type: 'amphoraGone'; readonly amphoraId: AmphoraId }
  | { readonly type: 'amphoraRetired'; readonly amphoraId: AmphoraId }
  | { readonly type: 'vipReleased' };
