// What this node owns, and until when it may act. Keeps the session and the lease, claims free shards, and says when
// it has gained or lost any. The lease is counted on a monotonic clock from before the renewal was sent, so a clock
// that jumps, or a process that was stopped, cannot prolong it.
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import { StaleEpochError } from '../../domain/journal.ts';
import type { Fence } from '../../domain/journal.ts';
import { shardCount, shardOf } from '../../domain/ids.ts';
import { type Family, families, type OwnedShard, type OwnershipSessionPort } from '../../domain/ownership.ts';

export interface OwnershipOptions {
  readonly nodeId: string;
  readonly leaseMs: number;
  /** Opens a session for this node. @throws when the database is away */
  readonly openSession: () => Promise<OwnershipSessionPort>;
  readonly log: Logger;
  /** Shards that are held under a new epoch: what has work left there must be taken up. */
  readonly onGained: (shards: readonly number[]) => void;
  readonly onLost: () => void;
}

const reopenDelayMs = 250;
const reclaimDelayMs = 500;
const everything = shardCount * Object.keys(families).length;

export class Ownership {
  readonly #options: OwnershipOptions;
  /** What was claimed last. Outlives a lost session: until somebody else takes a shard, its epoch still counts. */
  #held: ReadonlyMap<string, OwnedShard> = new Map();
  #session: OwnershipSessionPort | undefined;
  /** Whether the session has claimed: its first claim renews the epochs of what this node held before. */
  #hasClaimed = false;
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
    return [...this.#held.values()].filter(({ family }) => family === families.entities).length;
  }

  owns(id: string): boolean {
    return this.#held.has(keyOf(families.entities, shardOf(id)));
  }

  /** What an append of that entity must show. @throws StaleEpochError when this node does not own it */
  fenceOf(id: string): Fence {
    const shard = shardOf(id);
    const held = this.#held.get(keyOf(families.entities, shard));
    if (held === undefined) throw new StaleEpochError('entity', id);
    return { family: families.entities, shard, node: this.#options.nodeId, epoch: held.epoch };
  }

  /** An append with that fence was refused: another node owns the shard, unless it was claimed anew meanwhile. */
  disown({ family, shard, epoch }: Fence): void {
    const key = `${family}/${shard}`;
    if (this.#held.get(key)?.epoch !== epoch) return;
    this.#held = new Map([...this.#held].filter(([other]) => other !== key));
    this.#options.onLost();
    this.#claimLater();
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
    this.#held = new Map();
    await session?.close();
  }

  async #open(): Promise<void> {
    const askedAt = performance.now();
    const session = await this.#options.openSession();
    if (this.#isStopped) return session.close();
    this.#session = session;
    this.#hasClaimed = false;
    this.#prolong(askedAt);
    this.#scheduleRenewal();
    void session.ended.then((error) => this.#onSessionEnded(session, error));
    await this.#claim(session);
  }

  #isCurrent(session: OwnershipSessionPort): boolean {
    return session === this.#session && !this.#isStopped;
  }

  /** A claim may have to wait for appends longer than it is allowed to: then it is tried again. */
  async #claim(session: OwnershipSessionPort): Promise<void> {
    clearTimeout(this.#claimTimer);
    try {
      const claimed = await session.claimFree(this.#hasClaimed ? [...this.#held.values()] : []);
      if (this.#isCurrent(session)) this.#take(claimed);
    } catch (error) {
      if (this.#isCurrent(session)) this.#options.log.warn({ err: error }, 'shards could not be claimed');
    }
    if (this.#isCurrent(session)) this.#claimLater();
  }

  /** Until this node owns everything it looks again: a node that has just died may not be known as dead yet. */
  #claimLater(): void {
    clearTimeout(this.#claimTimer);
    const session = this.#session;
    if (session === undefined || this.#isStopped || (this.#hasClaimed && this.#held.size === everything)) return;
    this.#claimTimer = setTimeout(() => void this.#claim(session), reclaimDelayMs);
  }

  /** The first claim of a session tells all that is held; later ones tell what comes to it. */
  #take(claimed: readonly OwnedShard[]): void {
    const before = this.#held;
    const held = new Map(this.#hasClaimed ? before : []);
    for (const shard of claimed) held.set(keyOf(shard.family, shard.shard), shard);
    this.#held = held;
    this.#hasClaimed = true;
    if ([...before.keys()].some((key) => !held.has(key))) this.#options.onLost();
    const gained = claimed.filter(({ family }) => family === families.entities).map(({ shard }) => shard);
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
      const isAlive = await session.renew();
      if (!this.#isCurrent(session)) return;
      if (!isAlive) return await this.#onDeclaredDead(session);
      this.#prolong(askedAt);
    } catch (error) {
      if (!this.#isCurrent(session)) return;
      this.#options.log.warn({ err: error }, 'the lease could not be renewed');
    }
    this.#scheduleRenewal();
  }

  /** The end of the session makes this node open another one. */
  async #onDeclaredDead(session: OwnershipSessionPort): Promise<void> {
    this.#options.log.warn('this node was declared dead by another one: it claims anew');
    this.#loseLease('this node was declared dead');
    this.#held = new Map();
    this.#options.onLost();
    await session.close();
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
    if (!this.#isCurrent(session)) return;
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
        await this.#open();
      } catch (error) {
        this.#options.log.debug({ err: error }, 'the database is still away');
      }
    }
  }
}

function keyOf(family: Family, shard: number): string {
  return `${family}/${shard}`;
}

/** Every step under way listens to it. */
function newLease(): AbortController {
  const lease = new AbortController();
  setMaxListeners(0, lease.signal);
  return lease;
}
