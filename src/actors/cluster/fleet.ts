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
  /** The last look at the table that found it, or that it is younger than. */
  seenAtLook: number;
}

/** Lists of nodes that are shared; there are as many as nodes have come and gone of late. */
const mostLists = 1000;

type Listener = (id: AmphoraId, facts: AmphoraFacts, before: AmphoraFacts | undefined) => void;

const deleted: AmphoraFacts = { status: 'DELETED', loadBalancerIds: [], bootFailure: null, controllers: [] };

export class Fleet {
  readonly #known = new Map<AmphoraId, Known>();
  readonly #listeners = new Set<Listener>();
  /** Deleted since the newest look at the table began, which may show them still. */
  readonly #deleted = new Map<AmphoraId, number>();
  /** Number of the last change that an owner has told. */
  #revision = 0;
  #changes = 0;
  #looks = 0;
  /** Most amphorae report to the same nodes: one list for all of them. */
  readonly #lists = new Map<string, readonly string[]>();

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

  /** Calls `listener` with every change, and with what was known before. */
  onChange(listener: Listener): void {
    this.#listeners.add(listener);
  }

  /** Its owner tells that an amphora has changed. */
  learn(id: AmphoraId, facts: AmphoraFacts): void {
    this.#revision++;
    if (facts.status === 'DELETED') this.#deleted.set(id, this.#revision);
    this.#set(id, facts);
  }

  /** Rises with every change, whoever told of it. */
  get changes(): number {
    return this.#changes;
  }

  /**
   * Puts right what is known by the table, which is read a page at a time: what owners have told since the reading began is newer.
   * Amphorae that are on no page are deleted.
   */
  async reconcile(pages: AsyncIterable<readonly (readonly [AmphoraId, AmphoraFacts])[]>): Promise<void> {
    const since = this.#revision;
    const look = ++this.#looks;
    for await (const page of pages) {
      for (const [id, facts] of page) {
        const known = this.#known.get(id);
        if (known !== undefined) known.seenAtLook = look;
        if ((known?.revision ?? this.#deleted.get(id) ?? 0) > since) continue;
        if (known === undefined || !isSame(known.facts, facts)) this.#set(id, facts);
      }
    }
    for (const [id, { revision, seenAtLook }] of this.#known) {
      if (revision <= since && seenAtLook < look) this.#set(id, deleted);
    }
    for (const [id, revision] of this.#deleted) if (revision <= since) this.#deleted.delete(id);
  }

  #set(id: AmphoraId, facts: AmphoraFacts): void {
    this.#changes++;
    const before = this.get(id);
    if (facts.status === 'DELETED') this.#known.delete(id);
    else {
      const controllers = this.#shared(facts.controllers);
      const known = { facts: { ...facts, controllers }, shard: this.shardOf(id), revision: this.#revision };
      this.#known.set(id, { ...known, seenAtLook: this.#looks });
    }
    for (const listener of this.#listeners) listener(id, facts, before);
  }

  #shared(list: readonly string[]): readonly string[] {
    const key = list.join();
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    if (this.#lists.size >= mostLists) this.#lists.clear();
    this.#lists.set(key, list);
    return list;
  }
}

function isSame(one: AmphoraFacts, other: AmphoraFacts): boolean {
  return (
    one.status === other.status &&
    one.loadBalancerIds.join() === other.loadBalancerIds.join() &&
    one.sharing?.most === other.sharing?.most &&
    one.host === other.host &&
    one.zone === other.zone &&
    one.controllers.join() === other.controllers.join()
  );
}
