// What a load balancer can be asked. Attributes come complete and checked for type and range; ids come with the
// command, so that the same command sent twice means the same objects.
import type { VipWish } from './state.ts';
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
import type { Topology } from '../statuses.ts';
import type {
  HealthMonitorAttributes,
  L7PolicyAttributes,
  L7RuleAttributes,
  ListenerAttributes,
  LoadBalancerAttributes,
  MemberAttributes,
  PoolAttributes,
} from './attributes.ts';

/** The attributes given replace; the others stay. */
export type Patch<Attributes> = { readonly [K in keyof Attributes]?: Attributes[K] | undefined };

export interface NewListener {
  readonly id: ListenerId;
  readonly attributes: ListenerAttributes;
  /** Each takes its place among those before it. None when absent. */
  readonly l7Policies?: readonly NewL7Policy[];
}

export interface NewL7Policy {
  readonly id: L7PolicyId;
  readonly attributes: L7PolicyAttributes;
  readonly rules: readonly NewL7Rule[];
}

export interface NewL7Rule {
  readonly id: L7RuleId;
  readonly attributes: L7RuleAttributes;
}

export interface NewMember {
  readonly id: MemberId;
  readonly attributes: MemberAttributes;
}

export interface NewHealthMonitor {
  readonly id: HealthMonitorId;
  readonly attributes: HealthMonitorAttributes;
}

export interface NewPool {
  readonly id: PoolId;
  readonly attributes: PoolAttributes;
  readonly members: readonly NewMember[];
  readonly healthMonitor: NewHealthMonitor | null;
}

export type LoadBalancerCommand =
  | {
      readonly type: 'createLoadBalancer';
      readonly loadBalancerId: LoadBalancerId;
      readonly projectId: string;
      /** SINGLE when absent. */
      readonly topology?: Topology;
      /** What is asked of its amphorae; plain when absent. */
      readonly instances?: InstanceKind;
      /** `amphora` when absent. */
      readonly provider?: Provider;
      /** Whether members may ask for ports of SR-IOV; not when absent. */
      readonly allowsMemberSriov?: boolean;
      /** How many load balancers may be on one amphora; alone when absent. */
      readonly perAmphora?: number;
      /** Whether its amphorae are on different machines; as the settings say when absent. */
      readonly antiAffinity?: AntiAffinity;
      readonly vip: VipWish;
      readonly attributes: LoadBalancerAttributes;
      readonly listeners: readonly NewListener[];
      readonly pools: readonly NewPool[];
    }
  | { readonly type: 'updateLoadBalancer'; readonly patch: Patch<LoadBalancerAttributes> }
  | { readonly type: 'deleteLoadBalancer'; readonly cascade: boolean }
  | { readonly type: 'failoverLoadBalancer' }
  | {
      readonly type: 'failoverAmphora';
      readonly amphoraId: AmphoraId;
      readonly why: 'lost' | 'replaced';
      readonly reason: string;
    }
  /** This amphora does not hold what has that digest and was accepted last. Without effect when it has accepted more since. */
  | { readonly type: 'repairAmphora'; readonly amphoraId: AmphoraId; readonly digest: string | null }
  | {
      readonly type: 'createListener';
      readonly listener: NewListener;
      /** That the listener and its policies bring. None when absent. */
      readonly pools?: readonly NewPool[];
    }
  | { readonly type: 'updateListener'; readonly id: ListenerId; readonly patch: Patch<ListenerAttributes> }
  | { readonly type: 'createPool'; readonly pool: NewPool; readonly listenerId: ListenerId | null }
  | { readonly type: 'updatePool'; readonly id: PoolId; readonly patch: Patch<PoolAttributes> }
  | { readonly type: 'createMember'; readonly poolId: PoolId; readonly member: NewMember }
  | {
      readonly type: 'updateMember';
      readonly id: MemberId;
      readonly poolId: PoolId;
      readonly patch: Patch<MemberAttributes>;
    }
  | {
      /** Members are known by address and port: new ones are made, known ones updated, the rest removed. */
      readonly type: 'replaceMembers';
      readonly poolId: PoolId;
      readonly members: readonly { readonly id: MemberId; readonly attributes: MemberAttributes }[];
      /** Leave members that are not named as they are. */
      readonly additiveOnly: boolean;
    }
  | { readonly type: 'createHealthMonitor'; readonly poolId: PoolId; readonly healthMonitor: NewHealthMonitor }
  | {
      readonly type: 'updateHealthMonitor';
      readonly id: HealthMonitorId;
      readonly patch: Patch<HealthMonitorAttributes>;
    }
  | {
      readonly type: 'createL7Policy';
      readonly listenerId: ListenerId;
      readonly l7Policy: NewL7Policy;
      /** That the policy brings. None when absent. */
      readonly pools?: readonly NewPool[];
    }
  | { readonly type: 'updateL7Policy'; readonly id: L7PolicyId; readonly patch: Patch<L7PolicyAttributes> }
  | { readonly type: 'createL7Rule'; readonly l7PolicyId: L7PolicyId; readonly l7Rule: NewL7Rule }
  | { readonly type: 'updateL7Rule'; readonly id: L7RuleId; readonly patch: Patch<L7RuleAttributes> }
  | {
      readonly type: 'deleteObject';
      readonly kind: 'listener' | 'pool' | 'member' | 'healthMonitor' | 'l7Policy' | 'l7Rule';
      readonly id: ObjectId;
    };

/** What a command that was accepted is answered: the object it was about. */
export interface CommandAnswer {
  readonly id: ObjectId;
}
