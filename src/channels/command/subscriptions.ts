// What a connection listens to: one subscription of a kind at most, ended with the connection.
import type { Peer } from '../rpc/method.ts';

export class Subscriptions<T> {
  readonly #method: string;
  readonly #subscribe: (listener: (news: T) => void, loadBalancerId?: string) => Promise<() => void>;
  readonly #byPeer = new WeakMap<Peer, () => void>();

  /** `method` is the name of the notification. */
  constructor(
    method: string,
    subscribe: (listener: (news: T) => void, loadBalancerId?: string) => Promise<() => void>,
  ) {
    this.#method = method;
    this.#subscribe = subscribe;
  }

  /** Replaces an earlier subscription of the connection. */
  async begin(peer: Peer, loadBalancerId: string | undefined): Promise<{ readonly subscribed: true }> {
    const stop = await this.#subscribe((news) => peer.notify(this.#method, news), loadBalancerId);
    this.end(peer);
    const forget = peer.onClose(stop);
    this.#byPeer.set(peer, () => {
      stop();
      forget();
    });
    return { subscribed: true };
  }

  end(peer: Peer): { readonly subscribed: false } {
    this.#byPeer.get(peer)?.();
    this.#byPeer.delete(peer);
    return { subscribed: false };
  }
}
