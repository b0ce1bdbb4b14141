// Other nodes, as a node sees them. `src/channels/peer` speaks to them.
import type { PeerCalls, PeerNotices } from './messages.ts';

/** The node cannot be reached, or the connection ended before it answered: what was asked may have happened. */
export class PeerUnreachableError extends Error {
  constructor(node: string, cause?: unknown) {
    super(`node ${node} cannot be reached: ${cause instanceof Error ? cause.message : 'it has no address'}`, { cause });
    this.name = 'PeerUnreachableError';
  }
}

export interface Peers {
  /**
   * Asks a node. When the signal aborts, the node is told that nobody waits any more.
   *
   * @throws PeerUnreachableError, the signal's reason, and the refusal of a node that does not understand
   */
  call<M extends keyof PeerCalls>(
    node: string,
    method: M,
    params: PeerCalls[M]['params'],
    signal: AbortSignal,
  ): Promise<PeerCalls[M]['result']>;
  /** Tells a node, if it can be reached just now; false when it cannot. Never fails. */
  tell<N extends keyof PeerNotices>(node: string, notice: N, params: PeerNotices[N]): boolean;
  /** Tells all other nodes that can be reached just now. */
  tellAll<N extends keyof PeerNotices>(notice: N, params: PeerNotices[N]): void;
}

/** A node that is alone. */
export const noPeers: Peers = {
  call: (node) => Promise.reject(new PeerUnreachableError(node)),
  tell: () => false,
  tellAll: () => undefined,
};
