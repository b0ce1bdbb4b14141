// So many requests per second for each client: a bucket that fills at that rate and holds twice a second's worth.

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Clients remembered. Whoever is forgotten begins with a full bucket. */
const mostClients = 10_000;

export class RateLimit {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  /** 0 for no limit. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Seconds until the client may ask again; undefined when it may now. `now` in milliseconds, monotonic. */
  take(client: string, now: number): number | undefined {
    if (this.#perSecond === 0) return undefined;
    const most = this.#perSecond * 2;
    const bucket = this.#buckets.get(client) ?? { tokens: most, filledAt: now };
    bucket.tokens = Math.min(most, bucket.tokens + ((now - bucket.filledAt) / 1000) * this.#perSecond);
    bucket.filledAt = now;
    // Moved to the end: the map's first entry is the client that was silent longest.
    this.#buckets.delete(client);
    this.#buckets.set(client, bucket);
    const [oldest] = this.#buckets.size > mostClients ? this.#buckets.keys() : [];
    if (oldest !== undefined) this.#buckets.delete(oldest);
    if (bucket.tokens < 1) return (1 - bucket.tokens) / this.#perSecond;
    bucket.tokens -= 1;
    return undefined;
  }
}
