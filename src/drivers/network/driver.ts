// The network port: subnets, VIPs and how an amphora gets an interface on them. Keyed by `lb-<id>-vip`, so that every
// call can be repeated.
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import type { VipPolicy, VnicType } from '../../domain/load-balancer/attributes.ts';

export interface Subnet {
  readonly id: string;
  readonly name: string;
  readonly networkId: string;
  readonly cidr: string;
  readonly gateway: string | null;
  /** Made for additional VIPs: nobody means it who names none. */
  readonly isForAdditionalVips?: boolean;
}

/** What a user asked for; at least one id is given. */
export interface VipRequest {
  readonly subnetId: string | null;
  readonly networkId: string | null;
  readonly portId: string | null;
  readonly address: string | null;
}

export type VipResolution =
  | { readonly ok: true; readonly subnetId: string; readonly networkId: string; readonly address: string | null }
  | {
      readonly ok: false;
      readonly field: 'vipSubnetId' | 'vipNetworkId' | 'vipPortId' | 'vipAddress';
      readonly reason: string;
    };

/** A further VIP of the same port, on another subnet of its network. */
export interface AdditionalVip {
  readonly subnetId: string;
  readonly address: string;
}

export interface Vip {
  readonly portId: string;
  readonly address: string;
  readonly subnetId: string;
  readonly networkId: string;
  /** Of the amphorae's own ports that carry it, as `plugVip` makes them; normal when absent. */
  readonly vnicType?: VnicType;
  /** In the order they were asked for; absent for none. */
  readonly additional?: readonly AdditionalVip[];
}

export interface AllocateVip {
  readonly loadBalancerId: LoadBalancerId;
  readonly subnetId: string;
  /** An address that was asked for, or null for any. */
  readonly address: string | null;
  /** Further addresses for the port; each is one that was asked for, or null for any. Absent for none. */
  readonly additional?: readonly { readonly subnetId: string; readonly address: string | null }[];
  /** Addresses that turned out to be taken. The driver must offer another one. */
  readonly taken: readonly string[];
}

/** What the agent is told in `POST /1.0/plug/vip/{vip}`. */
export interface PluggedPort {
  readonly subnetCidr: string;
  readonly gateway: string | null;
  readonly macAddress: string;
  /** The amphora's own address on the VIP's subnet. */
  readonly vrrpAddress: string;
  /** The port of that address; null where the network has no ports. */
  readonly portId: string | null;
  readonly mtu: number | null;
  /** The port is of SR-IOV: no security group holds there, and the agent keeps out who is not to come. Absent: it is not. */
  readonly isSriov?: boolean;
  /** Of further VIPs; absent for none. */
  readonly additional?: readonly {
    readonly address: string;
    readonly subnetCidr: string;
    readonly gateway: string | null;
  }[];
}

export interface PlugVip {
  readonly loadBalancerId: LoadBalancerId;
  readonly amphoraId: AmphoraId;
  readonly computeId: string;
  /** Where the amphora's agent listens. */
  readonly agentHost: string;
  readonly vip: Vip;
  /** How the network shall treat the VIP; a call changes what an earlier one has set. */
  readonly policy: VipPolicy;
}

/** What a network has; nothing else is ever asked of it. */
export interface NetworkOffers {
  readonly qosPolicies: boolean;
  readonly securityGroups: boolean;
  /** Ports of SR-IOV, for VIPs and on the subnets of members. */
  readonly sriovPorts: boolean;
}

/**
 * All calls fail with TransientFailure or PermanentFailure, stop early when `signal` aborts, and may be repeated.
 */
export interface NetworkDriver {
  readonly name: string;
  /** What may be asked of ports. */
  readonly offers: NetworkOffers;
  subnets(signal: AbortSignal): Promise<readonly Subnet[]>;
  /** Checks a request without claiming anything: unknown subnet, address outside it, port that does not exist. */
  resolveVip(request: VipRequest, signal: AbortSignal): Promise<VipResolution>;
  /** Makes, or finds, the port `lb-<id>-vip`. */
  allocateVip(request: AllocateVip, signal: AbortSignal): Promise<Vip>;
  /** Gives the amphora an interface that may carry the VIP. */
  plugVip(request: PlugVip, signal: AbortSignal): Promise<PluggedPort>;
  /** Takes that interface away. No error when there is none. */
  unplugVip(request: Omit<PlugVip, 'policy'>, signal: AbortSignal): Promise<void>;
  /** Removes the port `lb-<id>-vip` where this service made it. No error when there is none. */
  releaseVip(loadBalancerId: LoadBalancerId, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
