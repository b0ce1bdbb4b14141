// What this node owns. Keeps the session and the lease, looks at the cluster, takes its share of what is free, gives away what
// is beyond it, and says what it has gained and lost.
import type { Logger } from 'pino';
import { type Fence, StaleEpochError } from '../../domain/journal.ts';
import { shardOf } from '../../domain/ids.ts';
import {
  type ClusterView,
  emptyView,
  type Family,
  type OwnedShard,
  type OwnershipSessionPort,
  planClaims,
  planRelease,
} from '../../domain/ownership.ts';
import { Lease } from './lease.ts';

export interface OwnershipOptions {
  readonly nodeId: string;
  readonly leaseMs: number;
  /** Opens a session for this node. @throws when the database is away */
  readonly openSession: () => Promise<OwnershipSessionPort>;
  readonly log: Logger;
  /** Shards that are held under a new epoch: what has work left there must be taken up. */
  readonly onGained: (shards: readonly OwnedShard[]) => void;
  readonly onLost: () => void;
  /** Brings what is under way in shards that are leaving to an end. Resolves in bounded time. */
  readonly handOver?: (shards: readonly OwnedShard[]) => Promise<void>;
  /** After every look at the cluster. */
  readonly onView?: (view: ClusterView) => void;
}

const reopenDelayMs = 250;
const lookEveryMs = 500;
/** After this time free shards are taken beyond one's share. */
const overdueMs = 750;
/** Shards of a family that leave together. */
const mostAtOnce = 16;

export class Ownership {
  readonly #options: OwnershipOptions;
  /** What was claimed last. Outlives a lost session: until somebody else takes a shard, its epoch still counts. */
  #held: ReadonlyMap<string, OwnedShard> = new Map();
  /** Of these, what is being handed over: it takes nothing new. */
  #leaving: ReadonlySet<string> = new Set();
  /** Let go of here, and not yet given away in the database. */
  #releasing: readonly OwnedShard[] = [];
  #view: ClusterView = emptyView;
  /** Since when free shards have been left to others; infinite while there are none. */
  #shortSince = Number.POSITIVE_INFINITY;
  #session: OwnershipSessionPort | undefined;
  /** A session that others have declared dead: it only has to end. */
  #condemned: OwnershipSessionPort | undefined;
  /** Whether the session has claimed: its first claim renews the epochs of what this node held before. */
  #hasClaimed = false;
  readonly #lease: Lease;
  #renewTimer: NodeJS.Timeout | undefined;
  #lookTimer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #mustLookAgain = false;
  #handingOver: Promise<void> | undefined;
  readonly #waiting = new Set<() => void>();
  #isStopped = false;

  constructor(options: OwnershipOptions) {
    this.#options = options;
    this.#lease = new Lease(options.leaseMs);
  }

  get nodeId(): string {
    return this.#options.nodeId;
  }

  /** Aborted when the lease or the session is lost; replaced by a new one when there is a lease again. */
  get leaseLost(): AbortSignal {
    return this.#lease.lost;
  }

  get isConnected(): boolean {
    return this.#session !== undefined;
  }

  /** This node takes part no more. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** The cluster as it was seen last. */
  get view(): ClusterView {
    return this.#view;
  }

  get ownedShards(): number {
    return this.count('entities');
  }

  count(family: Family): number {
    let count = 0;
    for (const shard of this.#held.values()) if (shard.family === family) count++;
    return count;
  }

  /** Whether this node writes the journal of an entity. */
  owns(id: string): boolean {
    return this.holds('entities', shardOf(id));
  }

  /** Whether it takes messages for it, too: not while it hands it over. */
  accepts(id: string): boolean {
    const key = keyOf('entities', shardOf(id));
    return this.#held.has(key) && !this.#leaving.has(key);
  }

  holds(family: Family, shard: number): boolean {
    return this.#held.has(keyOf(family, shard));
  }

  /** Id of the node that owns a shard, as far as is known here. */
  ownerOf(family: Family, shard: number): string | undefined {
    if (this.holds(family, shard)) return this.#options.nodeId;
    const owner = this.#view.owners[family][shard] ?? undefined;
    return owner === this.#options.nodeId ? undefined : owner;
  }

  /** What an append of that entity must show. @throws StaleEpochError when this node does not own it */
  fenceOf(id: string): Fence {
    const shard = shardOf(id);
    const held = this.#held.get(keyOf('entities', shard));
    if (held === undefined) throw new StaleEpochError('entity', id);
    return { family: 'entities', shard, node: this.#options.nodeId, epoch: held.epoch };
  }

  /** An append with that fence was refused: another node owns the shard, unless it was claimed anew meanwhile. */
  disown({ family, shard, epoch }: Fence): void {
    const key = `${family}/${shard}`;
    if (this.#held.get(key)?.epoch !== epoch) return;
    this.#drop((other) => keyOf(other.family, other.shard) === key);
    this.lookSoon();
  }

  /** Resolves when anything has changed here or in the cluster, and after that time at the latest. */
  changed(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.#waiting.add(done);
    });
  }

  /** Opens the session, and claims its share of what is free. @throws when the database is away or the settings differ */
  async start(): Promise<void> {
    await this.#open();
  }

  /** Gives everything away to others, as far as there are any, and within that time. */
  async drain(withinMs: number): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    const deadline = performance.now() + withinMs;
    await session.setDraining(this.#options.nodeId, true);
    this.lookSoon();
    while (!this.#hasGivenAll && performance.now() < deadline && this.#isCurrent(session))
      await this.changed(lookEveryMs);
  }

  /** It drains, and has nothing more that others would take. */
  get #hasGivenAll(): boolean {
    const { nodeId } = this.#options;
    const isDraining = this.#view.nodes.some((node) => node.id === nodeId && node.isDraining);
    const surplus = planRelease(this.#view, nodeId, [...this.#held.values()], 1);
    return isDraining && surplus.length === 0 && this.#handingOver === undefined;
  }

  /** Has a node give everything away, or take part again. False when there is no such node. @throws without a session */
  async setDraining(nodeId: string, isDraining: boolean): Promise<boolean> {
    if (this.#session === undefined) throw new Error('this node has no session with the database');
    return this.#session.setDraining(nodeId, isDraining);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#renewTimer);
    clearTimeout(this.#lookTimer);
    this.#lease.lose('this node is stopping');
    const session = this.#session;
    this.#session = undefined;
    this.#held = new Map();
    this.#tellWaiting();
    await session?.close();
  }

  /** Looks at the cluster now: a hint came that it has changed. */
  lookSoon(): void {
    if (this.#isLooking) this.#mustLookAgain = true;
    else void this.#look();
  }

  async #open(): Promise<void> {
    const askedAt = performance.now();
    const session = await this.#options.openSession();
    if (this.#isStopped) return session.close();
    this.#session = session;
    this.#hasClaimed = false;
    this.#lease.prolong(askedAt);
    this.#scheduleRenewal();
    session.onNotice(() => {
      if (this.#isCurrent(session)) this.lookSoon();
    });
    void session.ended.then((error) => this.#onSessionEnded(session, error));
    await this.#look();
  }

  #isCurrent(session: OwnershipSessionPort): boolean {
    return session === this.#session && !this.#isStopped;
  }

  /** One look at a time; what was asked for meanwhile is one more. */
  async #look(): Promise<void> {
    clearTimeout(this.#lookTimer);
    const session = this.#session;
    if (session === undefined || this.#isLooking || this.#isStopped) return;
    this.#isLooking = true;
    this.#mustLookAgain = false;
    try {
      const view = await session.look();
      if (this.#isCurrent(session)) await this.#share(session, view);
    } catch (error) {
      // A claim may have to wait for appends longer than it is allowed to: then it is tried again.
      if (this.#isCurrent(session)) this.#options.log.warn({ err: error }, 'shards could not be claimed');
    }
    this.#isLooking = false;
    if (this.#session === undefined || this.#isStopped) return;
    this.#lookTimer = setTimeout(() => void this.#look(), this.#mustLookAgain ? 0 : lookEveryMs);
  }

  async #share(session: OwnershipSessionPort, view: ClusterView): Promise<void> {
    if (!view.nodes.some(({ id }) => id === this.#options.nodeId)) return this.#onDeclaredDead(session);
    this.#setView(view);
    const held = this.#hasClaimed ? [...this.#held.values(), ...this.#releasing] : [];
    const isOverdue = performance.now() - this.#shortSince > overdueMs;
    const plan = planClaims(view, this.#options.nodeId, held, isOverdue);
    if (!plan.isShort) this.#shortSince = Number.POSITIVE_INFINITY;
    else if (this.#shortSince === Number.POSITIVE_INFINITY) this.#shortSince = performance.now();
    if (plan.isNeeded || !this.#hasClaimed) {
      const claimed = await session.claim(plan, held);
      if (this.#isCurrent(session)) this.#take(claimed);
    } else {
      this.#dropForeign(view);
    }
    this.#giveSurplus(session);
  }

  #setView(view: ClusterView): void {
    this.#view = view;
    this.#options.onView?.(view);
    this.#tellWaiting();
  }

  /** The first claim of a session tells all that is held; later ones tell what comes to it. */
  #take(claimed: readonly OwnedShard[]): void {
    const before = this.#held;
    const held = new Map(this.#hasClaimed ? before : []);
    for (const shard of claimed) held.set(keyOf(shard.family, shard.shard), shard);
    this.#held = held;
    this.#hasClaimed = true;
    if ([...before.keys()].some((key) => !held.has(key))) this.#options.onLost();
    if (claimed.length > 0) this.#options.onGained(claimed);
    this.#tellWaiting();
  }

  /** What the database says belongs to another node does, whatever is remembered here. */
  #dropForeign(view: ClusterView): void {
    this.#drop(({ family, shard }) => {
      const owner = view.owners[family][shard];
      return typeof owner === 'string' && owner !== this.#options.nodeId;
    });
  }

  #drop(isGone: (shard: OwnedShard) => boolean): void {
    const kept = new Map([...this.#held].filter(([, shard]) => !isGone(shard)));
    if (kept.size === this.#held.size) return;
    this.#held = kept;
    this.#options.onLost();
    this.#tellWaiting();
  }

  /** A few at a time: what is under way in them comes to its end first, and the next ones go when these are gone. */
  #giveSurplus(session: OwnershipSessionPort): void {
    if (this.#handingOver !== undefined) return;
    const shards = planRelease(this.#view, this.#options.nodeId, [...this.#held.values()], mostAtOnce);
    if (shards.length === 0) return;
    this.#handingOver = this.#give(session, shards)
      .catch((error: unknown) => this.#options.log.warn({ err: error }, 'shards could not be handed over'))
      .then(() => {
        this.#handingOver = undefined;
        this.#leaving = new Set();
        this.#releasing = [];
        this.#takeBack(shards);
        this.#tellWaiting();
        this.lookSoon();
      });
  }

  /** Shards that were to go and are held after all, because the session ended meanwhile: what is due there has to be woken. */
  #takeBack(shards: readonly OwnedShard[]): void {
    const kept = shards.flatMap(({ family, shard }) => this.#held.get(keyOf(family, shard)) ?? []);
    if (kept.length > 0) this.#options.onGained(kept);
  }

  async #give(session: OwnershipSessionPort, shards: readonly OwnedShard[]): Promise<void> {
    this.#leaving = new Set(shards.map(({ family, shard }) => keyOf(family, shard)));
    await this.#options.handOver?.(shards);
    if (!this.#isCurrent(session)) return;
    this.#releasing = shards;
    this.#drop((held) => this.#leaving.has(keyOf(held.family, held.shard)));
    await session.release(shards);
    this.#options.log.info({ shards: shards.length }, 'shards were handed over');
  }

  #tellWaiting(): void {
    for (const tell of this.#waiting) tell();
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
      this.#lease.prolong(askedAt);
    } catch (error) {
      if (!this.#isCurrent(session)) return;
      this.#options.log.warn({ err: error }, 'the lease could not be renewed');
    }
    this.#scheduleRenewal();
  }

  /** The end of the session makes this node open another one. */
  async #onDeclaredDead(session: OwnershipSessionPort): Promise<void> {
    if (this.#condemned === session) return;
    this.#condemned = session;
    this.#options.log.warn('this node was declared dead by another one: it claims anew');
    this.#lease.lose('this node was declared dead');
    this.#held = new Map();
    this.#options.onLost();
    this.#tellWaiting();
    await session.close();
  }

  #onSessionEnded(session: OwnershipSessionPort, error: Error | undefined): void {
    if (!this.#isCurrent(session)) return;
    this.#options.log.warn({ err: error }, 'the database session was lost: steps are stopped until there is a new one');
    this.#session = undefined;
    clearTimeout(this.#renewTimer);
    clearTimeout(this.#lookTimer);
    this.#lease.lose('the database session was lost');
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

function keyOf(family: string, shard: number): string {
  return `${family}/${shard}`;
}
