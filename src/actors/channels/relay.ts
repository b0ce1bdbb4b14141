// News for those who listen on any node: each node tells its own to its listeners and to the nodes that have listeners, which
// say so again and again. While nobody listens it does nothing.
import type { Peers } from '../../domain/cluster/peers.ts';

export interface OtherNodes {
  readonly nodeId: string;
  readonly ids: () => readonly string[];
  readonly peers: Peers;
}

export interface RelayOptions<T> {
  readonly others: OtherNodes;
  /** Asks another node to tell this one for a while. */
  readonly ask: (peers: Peers, node: string, thisNode: string, signal: AbortSignal) => Promise<unknown>;
  readonly send: (peers: Peers, node: string, news: readonly T[]) => void;
  readonly now: () => number;
}

/** How long a node is told after it has said that it wants to hear. */
const wantedForMs = 15_000;
const wantAgainMs = 5_000;
const wantTimeoutMs = 1_000;

export class Relay<T extends { readonly loadBalancerId: string }> {
  readonly #options: RelayOptions<T>;
  readonly #listeners = new Map<(news: T) => void, string | undefined>();
  /** Node → until when it wants to hear. */
  readonly #wantedBy = new Map<string, number>();
  #unsent: T[] = [];
  #again: NodeJS.Timeout | undefined;

  constructor(options: RelayOptions<T>) {
    this.#options = options;
  }

  /** Calls back with everything from now on, of one load balancer or of all. Returns how to stop that. */
  async subscribe(listener: (news: T) => void, loadBalancerId?: string): Promise<() => void> {
    this.#listeners.set(listener, loadBalancerId);
    await this.#wantFromOthers();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.stop();
    };
  }

  /** Another node has listeners. */
  want(node: string): void {
    this.#wantedBy.set(node, this.#options.now() + wantedForMs);
  }

  /** What another node has told. */
  hear(news: readonly T[]): void {
    for (const one of news) this.#tellListeners(one);
  }

  /** Whether anybody anywhere listens to news of that load balancer. */
  isHeard(loadBalancerId: string): boolean {
    for (const wanted of this.#listeners.values()) if (wanted === undefined || wanted === loadBalancerId) return true;
    return this.#isWantedElsewhere;
  }

  tell(one: T): void {
    this.#tellListeners(one);
    if (!this.#isWantedElsewhere) return;
    if (this.#unsent.length === 0) setImmediate(() => this.#send());
    this.#unsent.push(one);
  }

  stop(): void {
    clearTimeout(this.#again);
    this.#again = undefined;
  }

  /** A node that cannot be asked just now is asked again soon. */
  async #wantFromOthers(): Promise<void> {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => void this.#wantFromOthers(), wantAgainMs).unref();
    const { others, ask } = this.#options;
    const signal = AbortSignal.timeout(wantTimeoutMs);
    await Promise.allSettled(others.ids().map((id) => ask(others.peers, id, others.nodeId, signal)));
  }

  get #isWantedElsewhere(): boolean {
    for (const [node, until] of this.#wantedBy) if (until < this.#options.now()) this.#wantedBy.delete(node);
    return this.#wantedBy.size > 0;
  }

  #tellListeners(one: T): void {
    for (const [listener, wanted] of this.#listeners) {
      if (wanted === undefined || wanted === one.loadBalancerId) listener(one);
    }
  }

  #send(): void {
    const news = this.#unsent;
    this.#unsent = [];
    const { others, send } = this.#options;
    for (const node of this.#wantedBy.keys()) send(others.peers, node, news);
  }
}
