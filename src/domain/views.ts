// What users read of each object: its attributes, its statuses and its neighbours by id. Times are ISO 8601 in UTC.
import type {
  HealthMonitorAttributes,
  L7PolicyAttributes,
  L7RuleAttributes,
  ListenerAttributes,
  LoadBalancerAttributes,
  MemberAttributes,
  PoolAttributes,
  VnicType,
} from './load-balancer/attributes.ts';
import type { Provider } from './catalogue.ts';
import type { ObjectKind } from './load-balancer/state.ts';
import type { AmphoraRole, AmphoraStatus, OperatingStatus, ProvisioningStatus, Topology } from './statuses.ts';

/** What every object of a load balancer shows beside its attributes. */
export interface ObjectView {
  readonly id: string;
  readonly provisioningStatus: ProvisioningStatus;
  readonly operatingStatus: OperatingStatus;
  /** Why it is in ERROR; null when it is not. */
  readonly errorReason: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface AdditionalVipView {
  readonly subnetId: string;
  /** Null until one is allocated. */
  readonly ipAddress: string | null;
  readonly portId: string | null;
}

export interface LoadBalancerView extends ObjectView, LoadBalancerAttributes {
  readonly projectId: string;
  /** Null until one is allocated. */
  readonly vipAddress: string | null;
  readonly vipPortId: string | null;
  readonly vipSubnetId: string;
  readonly vipNetworkId: string;
  /** `direct`: amphorae's own ports are of SR-IOV. */
  readonly vipVnicType: VnicType;
  readonly additionalVips: readonly AdditionalVipView[];
  readonly topology: Topology;
  readonly provider: Provider;
  readonly flavorId: string | null;
  readonly availabilityZone: string | null;
  readonly listeners: readonly string[];
  readonly pools: readonly string[];
}

export interface ListenerView extends ObjectView, ListenerAttributes {
  readonly loadBalancerId: string;
  /** In order of position. */
  readonly l7Policies: readonly string[];
}

export interface PoolView extends ObjectView, PoolAttributes {
  readonly loadBalancerId: string;
  /** Listeners that have it as their default, or with a policy that leads to it. */
  readonly listeners: readonly string[];
  readonly members: readonly string[];
  readonly healthMonitorId: string | null;
}

export interface MemberView extends ObjectView, Omit<MemberAttributes, 'requestSriov'> {
  /** `direct`: amphorae reach it by a port of SR-IOV. */
  readonly vnicType: VnicType;
  readonly loadBalancerId: string;
  readonly poolId: string;
}

export interface HealthMonitorView extends ObjectView, HealthMonitorAttributes {
  readonly loadBalancerId: string;
  readonly poolId: string;
}

export interface L7PolicyView extends ObjectView, L7PolicyAttributes {
  readonly loadBalancerId: string;
  readonly listenerId: string;
  readonly rules: readonly string[];
}

export interface L7RuleView extends ObjectView, L7RuleAttributes {
  readonly loadBalancerId: string;
  readonly l7PolicyId: string;
}

/** The view of each kind of object. */
export interface Views {
  readonly loadBalancer: LoadBalancerView;
  readonly listener: ListenerView;
  readonly pool: PoolView;
  readonly member: MemberView;
  readonly healthMonitor: HealthMonitorView;
  readonly l7Policy: L7PolicyView;
  readonly l7Rule: L7RuleView;
}

/** A load balancer with everything in it, as a create answers. */
export interface LoadBalancerTreeView extends Omit<LoadBalancerView, 'listeners' | 'pools'> {
  readonly listeners: readonly ListenerTreeView[];
  readonly pools: readonly PoolTreeView[];
}

export interface ListenerTreeView extends Omit<ListenerView, 'l7Policies'> {
  /** In order of position. */
  readonly l7Policies: readonly L7PolicyTreeView[];
}

export interface L7PolicyTreeView extends Omit<L7PolicyView, 'rules'> {
  readonly rules: readonly L7RuleView[];
}

export interface PoolTreeView extends Omit<PoolView, 'members' | 'healthMonitorId'> {
  readonly members: readonly MemberView[];
  readonly healthMonitor: HealthMonitorView | null;
}

export interface StatusView {
  readonly id: string;
  readonly name: string;
  readonly provisioningStatus: ProvisioningStatus;
  readonly operatingStatus: OperatingStatus;
}

/** Statuses of a load balancer's objects. A pool stands under each listener that leads to it. */
export interface StatusTreeView extends StatusView {
  readonly listeners: readonly ListenerStatusView[];
  /** Those that no listener leads to. */
  readonly pools: readonly PoolStatusView[];
}

export interface ListenerStatusView extends StatusView, Pick<ListenerAttributes, 'protocol' | 'protocolPort'> {
  /** In order of position. */
  readonly l7Policies: readonly (StatusView & Pick<L7PolicyAttributes, 'action'>)[];
  readonly pools: readonly PoolStatusView[];
}

export interface PoolStatusView extends StatusView {
  readonly healthMonitor: (StatusView & { readonly type: string }) | null;
  readonly members: readonly (StatusView & { readonly address: string; readonly protocolPort: number })[];
}

export interface AmphoraView {
  readonly id: string;
  /** Null for a spare. */
  readonly loadBalancerId: string | null;
  /** Others that share it. */
  readonly otherLoadBalancerIds: readonly string[];
  /** More of their project may come to share it. */
  readonly mayBeJoined: boolean;
  /** `FAILOVER_STOPPED`: it is silent, and its failover is held. */
  readonly status: AmphoraStatus | 'FAILOVER_STOPPED';
  /** Why its failover is held, as a sentence; null when it is not. */
  readonly failoverHeld: string | null;
  readonly role: AmphoraRole | null;
  readonly computeId: string | null;
  readonly agentHost: string | null;
  readonly agentPort: number | null;
  /** host:port of every node that it sends heartbeats to. */
  readonly controllers: readonly string[];
  /** As compute told; null where it does not. */
  readonly computeFlavor: string | null;
  readonly imageId: string | null;
  readonly cachedZone: string | null;
  readonly host: string | null;
  readonly haproxyVersion: string | null;
  readonly certificateFingerprint: string | null;
  readonly certificateExpiresAt: string | null;
  /** It is being given another one. */
  readonly certificateBusy: boolean;
  readonly errorReason: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** Sums since the listener, or the first listener of the load balancer, was created. */
export interface StatisticsView {
  /** Bytes from clients. */
  readonly bytesIn: number;
  /** Bytes to clients. */
  readonly bytesOut: number;
  /** Open now. */
  readonly activeConnections: number;
  readonly totalConnections: number;
  readonly requestErrors: number;
}

export interface AmphoraStatisticsView extends StatisticsView {
  readonly listenerId: string;
  readonly loadBalancerId: string;
}

export interface SubnetView {
  readonly id: string;
  readonly name: string;
  readonly networkId: string;
  readonly cidr: string;
  readonly gateway: string | null;
  /** Made for additional VIPs: nobody means it who names none. */
  readonly isForAdditionalVips?: boolean;
}

/** A status that is not what it was. */
export interface StatusChange {
  readonly objectId: string;
  readonly kind: ObjectKind;
  readonly loadBalancerId: string;
  /** `DELETED` is the last that is heard of an object. */
  readonly provisioningStatus: ProvisioningStatus;
  readonly operatingStatus: OperatingStatus;
  readonly at: string;
}
