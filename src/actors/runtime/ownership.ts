// What this node owns, and until when it may act. Keeps the session and the lease, claims free shards, and says when
// it has gained or lost any. The lease is counted on a monotonic clock from before the renewal was sent, so a clock
// that jumps, or a process that was stopped, cannot prolong it.
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import { StaleEpochError } from '../../domain/journal.ts';
import type { Fence } from '../../domain/journal.ts';
import { shardCount, shardOf } from '../../domain/ids.ts';
import { families, type OwnedShard, type OwnershipSessionPort } from '../../domain/ownership.ts';

export interface OwnershipOptions {
  readonly nodeId: string;
  readonly leaseMs: number;
  /** Opens a session for this node. @throws when the database is away */
  readonly openSession: () => Promise<OwnershipSessionPort>;
  readonly log: Logger;
  readonly onGained: (shards: readonly number[]) => void;
  readonly onLost: () => void;
}

const reopenDelayMs = 250;
const reclaimDelayMs = 500;

export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #epochs = new Map<number, number>();
  #session: OwnershipSessionPort | undefined;
  #leaseUntil = 0;
  #lease = newLease();
  #leaseTimer: NodeJS.Timeout | undefined;
  #renewTimer: NodeJS.Timeout | undefined;
  #claimTimer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: OwnershipOptions) {
    this.#options = options;
  }

  /** Aborted when the lease or the session is lost; replaced by a new one when there is a lease again. */
  get leaseLost(): AbortSignal {
    return this.#lease.signal;
  }

  get isConnected(): boolean {
    return this.#session !== undefined;
  }

  get ownedShards(): number {
    return this.#epochs.size;
  }

  owns(id: string): boolean {
    return this.#epochs.has(shardOf(id));
  }

  /** What an append of that entity must show. @throws StaleEpochError when this node does not own it */
  fenceOf(id: string): Fence {
    const shard = shardOf(id);
    const epoch = this.#epochs.get(shard);
    if (epoch === undefined) throw new StaleEpochError('entity', id);
    return { family: families.entities, shard, node: this.#options.nodeId, epoch };
  }

  /** Opens the session and claims what is free. @throws when the database is away */
  async start(): Promise<void> {
    await this.#open();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#renewTimer);
    clearTimeout(this.#claimTimer);
    this.#loseLease('this node is stopping');
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  async #open(): Promise<void> {
    const askedAt = performance.now();
    const session = await this.#options.openSession();
    if (this.#isStopped) return session.close();
    this.#session = session;
    this.#prolong(askedAt);
    void session.ended.then((error) => this.#onSessionEnded(session, error));
    await this.#claim();
    this.#scheduleRenewal();
  }

  /** Until this node owns everything it looks again: a node that has just died may not be known as dead yet. */
  async #claim(): Promise<void> {
    clearTimeout(this.#claimTimer);
    const claimed = (await this.#session?.claimFree()) ?? [];
    this.#take(claimed);
    if (this.#epochs.size === shardCount || this.#isStopped) return;
    this.#claimTimer = setTimeout(() => {
      this.#claim().catch((error: unknown) => this.#options.log.warn({ err: error }, 'shards could not be claimed'));
    }, reclaimDelayMs);
  }

  #take(claimed: readonly OwnedShard[]): void {
    const gained: number[] = [];
    for (const { family, shard, epoch } of claimed) {
      if (family !== families.entities) continue;
      if (!this.#epochs.has(shard)) gained.push(shard);
      this.#epochs.set(shard, epoch);
    }
    if (gained.length > 0) this.#options.onGained(gained);
  }

  #scheduleRenewal(): void {
    clearTimeout(this.#renewTimer);
    this.#renewTimer = setTimeout(() => void this.#renew(), this.#options.leaseMs / 3);
  }

  async #renew(): Promise<void> {
    const session = this.#session;
    if (session === undefined || this.#isStopped) return;
    try {
      const askedAt = performance.now();
      if (await session.renew()) {
        this.#prolong(askedAt);
      } else {
        this.#options.log.warn('this node was declared dead by another one: it claims anew');
        this.#epochs.clear();
        this.#options.onLost();
        await session.close();
        return;
      }
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the lease could not be renewed');
    }
    this.#scheduleRenewal();
  }

  #prolong(askedAt: number): void {
    if (this.#lease.signal.aborted) this.#lease = newLease();
    this.#leaseUntil = askedAt + this.#options.leaseMs;
    clearTimeout(this.#leaseTimer);
    const remaining = Math.max(0, this.#leaseUntil - performance.now());
    this.#leaseTimer = setTimeout(() => this.#loseLease('the lease ran out'), remaining);
  }

  #loseLease(why: string): void {
    clearTimeout(this.#leaseTimer);
    if (!this.#lease.signal.aborted) this.#lease.abort(new Error(why));
  }

  #onSessionEnded(session: OwnershipSessionPort, error: Error | undefined): void {
    if (session !== this.#session || this.#isStopped) return;
    this.#options.log.warn({ err: error }, 'the database session was lost: steps are stopped until there is a new one');
    this.#session = undefined;
    clearTimeout(this.#renewTimer);
    clearTimeout(this.#claimTimer);
    this.#loseLease('the database session was lost');
    void this.#reopen();
  }

  /** A node that comes back finds its shards as it left them, unless another one has taken them meanwhile. */
  async #reopen(): Promise<void> {
    while (!this.#isStopped && this.#session === undefined) {
      await new Promise((resolve) => setTimeout(resolve, reopenDelayMs));
      if (this.#isStopped) return;
      try {
        const before = new Map(this.#epochs);
        this.#epochs.clear();
        await this.#open();
        if ([...before.keys()].some((shard) => !this.#epochs.has(shard))) this.#options.onLost();
      } catch (error) {
        this.#options.log.debug({ err: error }, 'the database is still away');
      }
    }
  }
}

/** Every step under way listens to it. */
function newLease(): AbortController {
  const lease = new AbortController();
  setMaxListeners(0, lease.signal);
  return lease;
}
