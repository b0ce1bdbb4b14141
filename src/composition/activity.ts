// What only the node that owns shards does: it listens to heartbeats, keeps spares, watches, keeps house, and takes up
// what has work left. A node that owns nothing stands by. Begins when shards are gained, ends when all are lost.
import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Chore } from '../actors/housekeeping/housekeeping.ts';
import type { Ownership } from '../actors/runtime/ownership.ts';
import type { Tree } from '../actors/tree.ts';
import type { HeartbeatReceiver } from '../channels/heartbeat/receiver.ts';
import { dueEntities } from '../db/repositories/due.ts';
import { allAmphorae } from '../db/repositories/fleet.ts';

export interface ActivityOptions {
  readonly tree: Tree;
  readonly pool: pg.Pool;
  readonly ownership: () => Ownership;
  readonly chores: readonly Chore[];
  readonly listen: () => Promise<HeartbeatReceiver>;
  readonly log: Logger;
}

/** A predecessor that has just died may still hold the heartbeat port. */
const retryDelayMs = 500;

export class Activity {
  readonly #options: ActivityOptions;
  /** One change after the other. */
  #changes: Promise<void> = Promise.resolve();
  #receiver: HeartbeatReceiver | undefined;
  #mayRetry = false;
  #isStopped = false;

  constructor(options: ActivityOptions) {
    this.#options = options;
  }

  /** The port heartbeats come to; null while this node stands by. */
  get heartbeatPort(): number | null {
    return this.#receiver?.port ?? null;
  }

  get counters(): HeartbeatReceiver['counters'] | undefined {
    return this.#receiver?.counters;
  }

  gained(shards: readonly number[]): void {
    this.#enqueue(() => this.#takeUp(shards));
  }

  lost(): void {
    this.#enqueue(() => this.#standBy());
  }

  /** Waits for what was begun at the start. @throws what kept it from beginning; later on it is tried again instead */
  async started(): Promise<void> {
    await this.#changes;
    this.#mayRetry = true;
    // Failures of the start are its caller's, those from now on are retried and end nowhere.
    this.#changes = Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#changes.catch(() => undefined);
    await this.#standBy();
  }

  #enqueue(change: () => Promise<void>): void {
    this.#changes = this.#changes.then(change);
    // Whoever waits for `started` hears of it.
    this.#changes.catch(() => undefined);
  }

  async #takeUp(shards: readonly number[]): Promise<void> {
    const { tree, pool, ownership, log } = this.#options;
    while (!this.#isStopped && ownership().ownedShards > 0) {
      try {
        await this.#begin();
        for (const due of await dueEntities(pool, shards)) tree.resume(due);
        return;
      } catch (error) {
        if (!this.#mayRetry) throw error;
        log.warn({ err: error }, 'this node owns shards and cannot begin its work yet');
        await wait(retryDelayMs);
      }
    }
  }

  /** Does nothing when it is active already. */
  async #begin(): Promise<void> {
    if (this.#receiver !== undefined) return;
    const { tree, pool, chores, listen, log } = this.#options;
    const fleet = await allAmphorae(pool);
    this.#receiver = await listen();
    tree.activate(new Map(fleet.map((row) => [row.id, { ...row, bootFailure: null }])), chores);
    log.info({ amphorae: fleet.length }, 'this node is active');
  }

  async #standBy(): Promise<void> {
    const receiver = this.#receiver;
    if (receiver === undefined || (!this.#isStopped && this.#options.ownership().ownedShards > 0)) return;
    this.#receiver = undefined;
    this.#options.tree.deactivate();
    await receiver.close();
    this.#options.log.info('this node stands by');
  }
}
