// A load balancer as its journal tells it: what is desired of every object, what amphorae have accepted, which amphorae
// serve it, and the steps under way. Statuses are not kept: `statuses.ts` derives them.
import type {
  AmphoraId,
  HealthMonitorId,
  L7PolicyId,
  L7RuleId,
  ListenerId,
  LoadBalancerId,
  MemberId,
  ObjectId,
  PoolId,
} from '../ids.ts';
import type { AntiAffinity, InstanceKind } from '../amphora/kind.ts';
import type { Provider } from '../catalogue.ts';
import type { AmphoraRole, Topology } from '../statuses.ts';
import type { StepsState } from '../step.ts';
import type {
  HealthMonitorAttributes,
  L7PolicyAttributes,
  L7RuleAttributes,
  ListenerAttributes,
  LoadBalancerAttributes,
  MemberAttributes,
  PoolAttributes,
  VnicType,
} from './attributes.ts';

/**
 * An object's life in three forms; null means absent. A change sets `desired`; a push that amphorae accept makes
 * `accepted` what was pushed. So a creation is accepted = null, a deletion is desired = null.
 */
interface Tracked<Kind extends string, Id, ParentId, Attributes> {
  readonly kind: Kind;
  readonly id: Id;
  readonly parentId: ParentId;
  readonly desired: Attributes | null;
  /** What the push under way carries, kept when `desired` was changed after the push had started. */
  readonly pushed: { readonly form: Attributes | null } | null;
  readonly accepted: Attributes | null;
  /** Generation of the newest change. */
  readonly changedIn: number;
  /** Generation of the newest change that amphorae have accepted; 0 before the first. */
  readonly acceptedIn: number;
  /** Why amphorae refused the newest change; null when they did not. */
  readonly refusal: string | null;
  /** Place among all objects in order of creation. */
  readonly order: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export type SelfObject = Tracked<'loadBalancer', LoadBalancerId, LoadBalancerId, LoadBalancerAttributes>;
export type ListenerObject = Tracked<'listener', ListenerId, LoadBalancerId, ListenerAttributes>;
export type PoolObject = Tracked<'pool', PoolId, LoadBalancerId, PoolAttributes>;
export type MemberObject = Tracked<'member', MemberId, PoolId, MemberAttributes>;
export type HealthMonitorObject = Tracked<'healthMonitor', HealthMonitorId, PoolId, HealthMonitorAttributes>;
export type L7PolicyObject = Tracked<'l7Policy', L7PolicyId, ListenerId, L7PolicyAttributes>;
export type L7RuleObject = Tracked<'l7Rule', L7RuleId, L7PolicyId, L7RuleAttributes>;

export type LbObject =
  | SelfObject
  | ListenerObject
  | PoolObject
  | MemberObject
  | HealthMonitorObject
  | L7PolicyObject
  | L7RuleObject;
export type ObjectKind = LbObject['kind'];

/** An amphora that the load balancer has claimed. */
export interface Slot {
  readonly amphoraId: AmphoraId;
  readonly role: AmphoraRole;
  readonly computeId: string;
  readonly agent: { readonly host: string; readonly port: number };
  /** Whether it is known what it serves: it has accepted a configuration, and none has gone unanswered since. */
  readonly serves: boolean;
  /** Set when it shall go: `lost` is replaced after it has gone, `replaced` goes once its replacement is there. */
  readonly leaving: { readonly why: 'lost' | 'replaced'; readonly reason: string } | null;
  /** Its port on the VIP's subnet; of a pair only, and absent until it has one. */
  readonly port?: { readonly portId: string | null; readonly address: string };
  /** The same of one that stands alone, where the network has ports: for those who look. */
  readonly ownPort?: { readonly portId: string | null; readonly address: string };
  /**
   * Address of the other one of the pair, as it was told last; absent when it was told none, null while it has not answered
   * and may have been told any.
   */
  readonly knownPeer?: string | null;
  /** Of what it has accepted last (`digest.ts`); null when that was nothing, absent while it is not known. */
  readonly digest?: string | null;
  /** It came to a load balancer that was being served. */
  readonly hasJoined?: true;
  /** Why it shall be replaced when its turn comes: a pair is replaced one after the other. */
  readonly replaceFor?: string;
  /** When a push that was interrupted can reach it no more; absent when there was none. Of one that may be shared only. */
  readonly unsettledUntil?: number;
}

/** A configuration on its way to the amphorae. */
export interface Push {
  readonly generation: number;
  /** The changes it carries, in order; all others are pushed in their accepted form. */
  readonly carries: readonly ObjectId[];
  /** Amphorae that have not answered. */
  readonly awaits: readonly AmphoraId[];
}

/**
 * The search for the change that amphorae refuse: `suspects` in order of change, the first `good` of them accepted
 * together, the first `bad` refused together. Done when bad = good + 1.
 */
export interface Narrowing {
  readonly generation: number;
  readonly suspects: readonly ObjectId[];
  readonly good: number;
  readonly bad: number;
  readonly reason: string;
}

export interface RequestedVip {
  readonly subnetId: string;
  /** Null for any. */
  readonly requestedAddress: string | null;
}

export interface VipPort {
  readonly portId: string;
  readonly address: string;
  /** Of the further VIPs, in their order; absent for none. */
  readonly additional?: readonly { readonly subnetId: string; readonly address: string }[];
}

/** What was asked for. */
export interface VipWish extends RequestedVip {
  readonly networkId: string;
  /** Of amphorae's own ports; normal when absent. */
  readonly vnicType?: VnicType;
  readonly additional?: readonly RequestedVip[];
}

export interface VipState {
  readonly subnetId: string;
  readonly networkId: string;
  /** Of amphorae's own ports; normal when absent. */
  readonly vnicType?: VnicType;
  /** What the user asked for; null for any. */
  readonly requestedAddress: string | null;
  /** Further VIPs on other subnets of the network; absent for none. */
  readonly additional?: readonly RequestedVip[];
  /** Addresses offered by the network driver that others hold. */
  readonly taken: readonly string[];
  readonly port: VipPort | null;
  /** When an allocation that was interrupted can make a port no more; absent when there was none. */
  readonly unsettledUntil?: number;
}

export interface LoadBalancerState {
  readonly id: LoadBalancerId;
  readonly projectId: string;
  /** SINGLE when absent. */
  readonly topology?: Topology;
  /** What its flavor and availability zone ask of its amphorae; plain when absent. */
  readonly instances?: InstanceKind;
  /** The name under which it was asked for; `amphora` when absent. */
  readonly provider?: Provider;
  /** Whether its flavor lets members ask for ports of SR-IOV; not when absent. */
  readonly allowsMemberSriov?: boolean;
  /** How many load balancers of its project may be on one amphora, itself included; alone when absent. */
  readonly perAmphora?: number;
  /** Whether its amphorae are on different machines; as the settings say when absent. */
  readonly antiAffinity?: AntiAffinity;
  readonly vip: VipState;
  readonly objects: Readonly<Record<ObjectId, LbObject>>;
  /** Counts accepted changes. */
  readonly generation: number;
  readonly nextOrder: number;
  readonly slots: readonly Slot[];
  readonly push: Push | null;
  readonly narrowing: Narrowing | null;
  readonly steps: StepsState;
  /**
   * When a push of an owner that is gone can reach an amphora no more: what they serve is confirmed then. Null when there
   * was none.
   */
  readonly confirmAt: number | null;
  /** Whether it has, or has had, listeners that LVS serves: amphorae may have some that are to be removed. */
  readonly hasLvs?: boolean;
  readonly deletion: 'no' | 'requested' | 'done';
}

/** Before the first event. */
export type MaybeLoadBalancer = LoadBalancerState | undefined;
