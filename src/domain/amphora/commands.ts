// What an amphora can be asked, and what it answers.
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import type { AmphoraRole } from '../statuses.ts';
import type { AmphoraKind, Apart } from './kind.ts';
import type { Sharing } from './sharing.ts';
import type { AmphoraState } from './state.ts';

export type AmphoraCommand =
  | {
      readonly type: 'createAmphora';
      readonly amphoraId: AmphoraId;
      /** Plain when absent. */
      readonly kind?: AmphoraKind;
      /** None when absent. */
      readonly apartFrom?: Apart;
    }
  | {
      readonly type: 'allocateAmphora';
      readonly loadBalancerId: LoadBalancerId;
      readonly role: AmphoraRole;
      /** Refused when it is of another; absent where any will do. */
      readonly kind?: AmphoraKind;
      /** With nobody when absent. */
      readonly sharing?: Sharing;
    }
  /** Nodes have come or gone: it shall send its heartbeats to these. */
  | { readonly type: 'reportTo'; readonly controllers: readonly string[] }
  /** Its agent is given its configuration again, as it is now: the heartbeat key may be another one. */
  | { readonly type: 'configureAgent' }
  /**
   * Its agent is given another certificate than the one with this fingerprint (null: than the one it has). Without effect when it
   * has another one already.
   */
  | { readonly type: 'rotateCertificate'; readonly fingerprint: string | null }
  | {
      readonly type: 'deleteAmphora';
      readonly reason: string;
      /**
       * Whose amphora the sender takes it to be: a load balancer's, or null for a spare. Refused when it is not so, because
       * the sender's picture may be older than an allocation.
       */
      readonly onBehalfOf: LoadBalancerId | null;
      /** Without effect while others share it. */
      readonly unlessShared?: boolean;
    }
  /** That load balancer serves nothing there any more: it is the others', or goes when there are none. */
  | { readonly type: 'releaseAmphora'; readonly loadBalancerId: LoadBalancerId }
  /** All that share it leave it for others, and nobody joins them. It goes with the last. */
  | { readonly type: 'vacateAmphora'; readonly reason: string };

/** What an accepted command is answered. */
export interface AmphoraAnswer {
  readonly id: AmphoraId;
  readonly instance: AmphoraState['instance'];
  /** Why it stays for whoever wanted it deleted: others `shared` it, or it was `left` to them before. Absent when it goes. */
  readonly stays?: 'shared' | 'left';
  /** Deleted and known to run no more. */
  readonly isGone: boolean;
}
