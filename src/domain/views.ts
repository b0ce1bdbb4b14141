// What users and operators read of each object: its attributes, its statuses and its neighbours by id. Times are
// ISO 8601 in UTC.
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
import type { HoldKind } from './health/watchdog.ts';
import type { AlarmedKind } from './load-balancer/alarms.ts';
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

/** An amphora that is silent and not failed over. */
export interface HeldFailoverView {
  readonly amphoraId: string;
  /** Null for a spare. */
  readonly loadBalancerId: string | null;
  readonly zone: string | null;
  readonly host: string | null;
  /** What it waits for. */
  readonly kind: HoldKind;
  /** The same as a sentence. */
  readonly why: string;
  readonly since: string;
}

export interface SparesPoolView {
  /** Spares that shall be there. */
  readonly size: number;
  readonly ready: number;
  readonly booting: number;
  /** Load balancers that wait for an amphora. */
  readonly waiting: number;
  /** Boots that failed in a row. */
  readonly failedBoots: number;
  /** When the next boot may be tried; null when at once. */
  readonly notBefore: string | null;
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

/** Why a load balancer is as it is: one answer to "why is this not ACTIVE?". */
export interface ExplanationView {
  /** Why it is not ACTIVE, in sentences, the most telling first; that nothing is left to do when it is. */
  readonly why: readonly string[];
  readonly id: string;
  readonly name: string;
  readonly provisioningStatus: ProvisioningStatus;
  readonly operatingStatus: OperatingStatus;
  readonly errorReason: string | null;
  /** Why its actor itself was given up; null while it is sound. */
  readonly fault: string | null;
  /** The node that owns it; null when nobody does. */
  readonly owner: { readonly nodeId: string; readonly epoch: number } | null;
  /** Steps under way, and steps that failed and wait for their next try. */
  readonly steps: readonly ExplainedStep[];
  /** When it looks again though nothing has happened. */
  readonly wakeAt: string | null;
  /** Objects whose newest change amphorae refused, or that are not ACTIVE yet. */
  readonly unsettled: readonly UnsettledObject[];
  readonly amphorae: readonly AmphoraView[];
  /** Newest entries of its journal, newest first. */
  readonly history: readonly HistoryEntry[];
}

export interface ExplainedStep {
  readonly key: string;
  readonly state: 'running' | 'waiting' | 'givenUp';
  /** When the run under way began and by when it must be over; null when none is. */
  readonly startedAt: string | null;
  readonly deadlineAt: string | null;
  readonly failures: number;
  readonly retryAt: string | null;
  readonly lastError: string | null;
  /** The driver's call that failed last, and the request's id where the other side gave one. */
  readonly call: string | null;
  readonly requestId: string | null;
}

export interface UnsettledObject {
  readonly kind: ObjectKind;
  readonly id: string;
  readonly name: string;
  readonly provisioningStatus: ProvisioningStatus;
  readonly errorReason: string | null;
}

export interface HistoryEntry {
  readonly seq: number;
  readonly at: string;
  readonly node: string;
  readonly epoch: number;
  readonly commandId: string | null;
  readonly events: readonly { readonly type: string }[];
}

export interface NodeView {
  readonly id: string;
  readonly roles: readonly string[];
  readonly address: string | null;
  readonly version: string;
  readonly startedAt: string;
  readonly leaseUntil: string;
  readonly stoppedAt: string | null;
  /** It gives its shards to the others and takes none. */
  readonly isDraining: boolean;
  /** host:port that amphorae send heartbeats to; null when it listens to none. */
  readonly heartbeatAddress: string | null;
  /** Shards of load balancers and amphorae that it owns. */
  readonly shards: number;
  /** Shards of amphorae whose health it judges. */
  readonly healthShards: number;
  /** What runs once in the cluster, and here: `spares`, `housekeeping`. */
  readonly singletons: readonly string[];
}

/** A live actor. */
export interface ActorView {
  /** Id of the node it lives on. */
  readonly node: string;
  /** Such as `load-balancers/lb-<id>`. */
  readonly path: string;
  readonly kind: string;
  readonly startedAt: string;
  /** Messages waiting, the one in hand included. */
  readonly pending: number;
  readonly processed: number;
  readonly restarts: number;
  readonly lastError: { readonly message: string; readonly at: string } | null;
  /** Type of the message in hand; null when idle. */
  readonly handling: string | null;
  readonly lastActiveAt: string;
}

export interface ActorDetails extends ActorView {
  /** What the actor says of itself; null when it says nothing. */
  readonly state: unknown;
}

/** A message that found no actor. */
export interface DeadLetterView {
  readonly path: string;
  readonly type: string;
  readonly at: string;
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

/** That an object's operating status is, or was, alarming: one alert from the first time until it has been well for a while. */
export interface AlertView {
  readonly id: string;
  readonly kind: AlarmedKind;
  readonly objectId: string;
  /** Of the object; a member's address and port where it has none. */
  readonly name: string;
  readonly loadBalancerId: string;
  readonly loadBalancerName: string;
  readonly projectId: string;
  /** Before it began. */
  readonly oldStatus: OperatingStatus;
  /** The worst since. */
  readonly status: OperatingStatus;
  readonly reason: string;
  readonly since: string;
  /** How often it has become alarming since. */
  readonly times: number;
  /** Since when all is well again, though perhaps not for long enough; null while it is not. */
  readonly wellSince: string | null;
  /** Null while it is open. */
  readonly clearedAt: string | null;
}

/** An alert that was opened, has become worse, or was cleared. */
export interface AlertChange extends Omit<AlertView, 'oldStatus' | 'status'> {
  readonly what: 'opened' | 'worsened' | 'cleared';
  readonly oldStatus: OperatingStatus;
  /** `DELETED` when the object is gone. */
  readonly newStatus: OperatingStatus | 'DELETED';
  readonly at: string;
}
