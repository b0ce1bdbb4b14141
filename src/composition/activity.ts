// What a node does when it has gained or lost shards: it learns the fleet, begins and ends what it owns, and takes up what
// has work left: the most urgent first, and no more at a time than the database and the drivers take.
import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Ownership } from '../actors/runtime/ownership.ts';
import type { DueEntity, Tree } from '../actors/tree.ts';
import { dueEntities } from '../db/repositories/due.ts';
import { allAmphorae } from '../db/repositories/fleet.ts';
import type { OwnedShard } from '../domain/ownership.ts';

export interface ActivityOptions {
  readonly tree: Tree;
  readonly pool: pg.Pool;
  readonly ownership: () => Ownership;
  readonly log: Logger;
}

const retryDelayMs = 500;
/** Messages between nodes may be lost: this is how long the fleet may be wrong then. */
const fleetRefreshMs = 30_000;
/** Entities that are woken at the same time in a takeover. */
const wakeAtOnce = 100;

export class Activity {
  readonly #options: ActivityOptions;
  /** One change after the other. */
  #changes: Promise<void> = Promise.resolve();
  #refresh: NodeJS.Timeout | undefined;
  #mayRetry = false;
  #isStopped = false;

  constructor(options: ActivityOptions) {
    this.#options = options;
  }

  gained(shards: readonly OwnedShard[]): void {
    this.#changes = this.#changes.then(() => this.#takeUp(shards));
    // Whoever waits for `started` hears of it.
    this.#changes.catch(() => undefined);
  }

  lost(): void {
    this.#options.tree.settleOwned();
  }

  /** Waits for what was begun at the start. @throws what kept it from beginning; later on it is tried again instead */
  async started(): Promise<void> {
    await this.#changes;
    this.#mayRetry = true;
    // Failures of the start are its caller's, those from now on are retried and end nowhere.
    this.#changes = Promise.resolve();
    this.#refreshLater();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#refresh);
    await this.#changes.catch(() => undefined);
  }

  /** Learns of every amphora from the table for reading. @throws when the database is away */
  async learnFleet(): Promise<void> {
    await this.#options.tree.fleet.reconcile(allAmphorae(this.#options.pool));
  }

  async #takeUp(shards: readonly OwnedShard[]): Promise<void> {
    const { tree, pool, log } = this.#options;
    const entities = shards.filter(({ family }) => family === 'entities').map(({ shard }) => shard);
    while (!this.#isStopped) {
      try {
        await this.learnFleet();
        tree.settleOwned();
        const due = await dueEntities(pool, entities);
        log.info({ shards: shards.length, due: due.length }, 'shards were taken up');
        await this.#resume(due);
        return;
      } catch (error) {
        if (!this.#mayRetry) throw error;
        log.warn({ err: error }, 'this node owns shards and cannot begin its work yet');
        await wait(retryDelayMs);
      }
    }
  }

  /** Resolves once everything has been woken, or will be at its time. */
  async #resume(due: readonly DueEntity[]): Promise<void> {
    const { tree, ownership } = this.#options;
    const rest = due.values();
    const wakeOneByOne = async () => {
      for (const entity of rest) {
        if (this.#isStopped) return;
        if (ownership().owns(entity.id)) await tree.resume(entity);
      }
    };
    await Promise.all(Array.from({ length: wakeAtOnce }, wakeOneByOne));
  }

  #refreshLater(): void {
    this.#refresh = setTimeout(() => {
      this.learnFleet()
        .catch((error: unknown) => this.#options.log.debug({ err: error }, 'the fleet could not be read'))
        .finally(() => {
          if (!this.#isStopped) this.#refreshLater();
        });
    }, fleetRefreshMs);
  }
}
