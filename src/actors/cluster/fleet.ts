// What this node knows of every amphora that is not deleted: told by their owners as they change, here or on other nodes,
// and put right by the table for reading now and then, because a message to another node may be lost.
import type { AmphoraFacts } from '../../domain/amphora/facts.ts';
import { type AmphoraId, shardOf } from '../../domain/ids.ts';

interface Known {
  readonly facts: AmphoraFacts;
  /** Of the amphora, in the family of health. */
  readonly shard: number;
  /** Number of the change that brought it. */
  readonly revision: number;
}

type Listener = (id: AmphoraId, facts: AmphoraFacts) => void;

const deleted: AmphoraFacts = { status: 'DELETED', loadBalancerId: null, bootFailure: null, controllers: [] };

export class Fleet {
  readonly #known = new Map<AmphoraId, Known>();
  readonly #listeners = new Set<Listener>();
  /** Deleted since the newest look at the table began, which may show them still. */
  readonly #deleted = new Map<AmphoraId, number>();
  #revision = 0;

  get size(): number {
    return this.#known.size;
  }

  get(id: AmphoraId): AmphoraFacts | undefined {
    return this.#known.get(id)?.facts;
  }

  /** Of an amphora's health; computed once, because heartbeats ask for it. */
  shardOf(id: AmphoraId): number {
    return this.#known.get(id)?.shard ?? shardOf(id);
  }

  *[Symbol.iterator](): IterableIterator<readonly [AmphoraId, AmphoraFacts]> {
    for (const [id, { facts }] of this.#known) yield [id, facts];
  }

  /** Calls `listener` with every change. */
  onChange(listener: Listener): void {
    this.#listeners.add(listener);
  }

  /** Its owner tells that an amphora has changed. */
  learn(id: AmphoraId, facts: AmphoraFacts): void {
    this.#revision++;
    if (facts.status === 'DELETED') this.#deleted.set(id, this.#revision);
    this.#set(id, facts);
  }

  /** To be taken before the table is read. */
  get revision(): number {
    return this.#revision;
  }

  /** The table as it was read after `since`: what owners have told meanwhile is newer. */
  reconcile(rows: ReadonlyMap<AmphoraId, AmphoraFacts>, since: number): void {
    for (const [id, facts] of rows) {
      const known = this.#known.get(id);
      if ((known?.revision ?? this.#deleted.get(id) ?? 0) > since) continue;
      if (known === undefined || !isSame(known.facts, facts)) this.#set(id, facts);
    }
    for (const [id, { revision }] of this.#known) if (revision <= since && !rows.has(id)) this.#set(id, deleted);
    for (const [id, revision] of this.#deleted) if (revision <= since) this.#deleted.delete(id);
  }

  #set(id: AmphoraId, facts: AmphoraFacts): void {
    if (facts.status === 'DELETED') this.#known.delete(id);
    else this.#known.set(id, { facts, shard: this.shardOf(id), revision: this.#revision });
    for (const listener of this.#listeners) listener(id, facts);
  }
}

function isSame(one: AmphoraFacts, other: AmphoraFacts): boolean {
  return (
    one.status === other.status &&
    one.loadBalancerId === other.loadBalancerId &&
    one.controllers.join() === other.controllers.join()
  );
}
