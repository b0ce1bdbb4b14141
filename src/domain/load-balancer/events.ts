// The facts a load balancer's journal is made of. Changing the meaning of one needs a new version and an upcaster
// (`src/domain/upcast.ts`); adding an optional field does not.
import type { AmphoraId, LoadBalancerId, ObjectId } from '../ids.ts';
import type { AntiAffinity, InstanceKind } from '../amphora/kind.ts';
import type { Provider } from '../catalogue.ts';
import type { AmphoraRole, Topology } from '../statuses.ts';
import type { StepEvent } from '../step.ts';
import type { LbObject, ObjectKind, VipPort, VipWish } from './state.ts';
import type { VrrpPort } from './steps.ts';

/** One object as it shall be from now on; `form` null removes it. */
export type ObjectChange = {
  [K in ObjectKind]: {
    readonly kind: K;
    readonly id: Extract<LbObject, { kind: K }>['id'];
    readonly parentId: Extract<LbObject, { kind: K }>['parentId'];
    readonly form: Extract<LbObject, { kind: K }>['desired'];
  };
}[ObjectKind];

export type LoadBalancerEvent =
  | {
      readonly type: 'loadBalancerCreated';
      readonly at: number;
      readonly id: LoadBalancerId;
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
    }
  | { readonly type: 'objectsChanged'; readonly at: number; readonly changes: readonly ObjectChange[] }
  | { readonly type: 'deletionRequested'; readonly at: number }
  /** Whatever has failed is tried again at once. */
  | { readonly type: 'failoverRequested'; readonly at: number }
  | ({ readonly type: 'vipAllocated'; readonly at: number } & VipPort)
  | { readonly type: 'vipTaken'; readonly at: number; readonly address: string }
  | {
      readonly type: 'amphoraClaimed';
      readonly at: number;
      readonly role: AmphoraRole;
      readonly amphoraId: AmphoraId;
      readonly computeId: string;
      readonly agent: { readonly host: string; readonly port: number };
    }
  | {
      readonly type: 'amphoraLeaving';
      readonly at: number;
      readonly amphoraId: AmphoraId;
      readonly why: 'lost' | 'replaced';
      readonly reason: string;
    }
  /** One of a pair has its port. */
  | {
      readonly type: 'amphoraPlugged';
      readonly at: number;
      readonly amphoraId: AmphoraId;
      readonly port: VrrpPort;
    }
  /** It shall be replaced when its turn comes. */
  | { readonly type: 'replacementDue'; readonly at: number; readonly amphoraId: AmphoraId; readonly reason: string }
  | { readonly type: 'amphoraRetired'; readonly at: number; readonly amphoraId: AmphoraId }
  | {
      readonly type: 'pushStarted';
      readonly at: number;
      readonly generation: number;
      readonly carries: readonly ObjectId[];
      readonly awaits: readonly AmphoraId[];
    }
  | {
      readonly type: 'pushAccepted';
      readonly at: number;
      readonly amphoraId: AmphoraId;
      /** Of a pair: address of the peer it was told. */
      readonly peerAddress?: string;
      /** Of what it serves (`digest.ts`); null when that is nothing. */
      readonly digest?: string | null;
      /** Of one that stands alone, when it has not been noted yet. */
      readonly ownPort?: VrrpPort;
    }
  | { readonly type: 'pushRefused'; readonly at: number; readonly amphoraId: AmphoraId; readonly reason: string }
  | { readonly type: 'changeRefused'; readonly at: number; readonly objectId: ObjectId; readonly reason: string }
  /** What amphorae serve may not be what they accepted last. */
  | { readonly type: 'confirmationDue'; readonly at: number }
  | { readonly type: 'loadBalancerDeleted'; readonly at: number }
  | StepEvent;
