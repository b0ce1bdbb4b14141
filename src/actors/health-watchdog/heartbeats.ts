// The way of a heartbeat that has come in: into the table, and, when it brings something new, to the load balancer it is
// about. Heartbeats reach any node; the one that judges an amphora hears of all that the others have seen.
import type { Logger } from 'pino';
import type { PeerNotices } from '../../domain/cluster/messages.ts';
import type { HeartbeatMessage } from '../../domain/health/message.ts';
import type { HeartbeatTable } from '../../domain/health/table.ts';
import { type AmphoraId, type LoadBalancerId, shardOf } from '../../domain/ids.ts';
import type { LoadBalancerState } from '../../domain/load-balancer/state.ts';
import type { AmphoraFacts } from '../../domain/amphora/facts.ts';
import type { ClusterView } from '../../domain/ownership.ts';
import type { Fleet } from '../cluster/fleet.ts';
import type { Peers } from '../../domain/cluster/peers.ts';
import type { Ownership } from '../runtime/ownership.ts';
import type { OperatingStatuses } from './operating-statuses.ts';

export interface HeartbeatsOptions {
  readonly table: HeartbeatTable;
  readonly fleet: Fleet;
  readonly operating: OperatingStatuses;
  readonly ownership: Ownership;
  readonly peers: Peers;
  /** Load balancers of this node. */
  readonly loadBalancers: {
    read<T>(id: string, read: (state: LoadBalancerState | undefined) => T): Promise<T>;
  };
  /** Of these amphorae, the digest of what each had said when statuses were derived from it last, by whichever node. */
  readonly heardBefore: (ids: readonly AmphoraId[]) => Promise<ReadonlyMap<string, string>>;
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number;
  /** Takes what a heartbeat counts; each is given once, by the node that received it. */
  readonly count: (message: HeartbeatMessage) => void;
  readonly log: Logger;
}

interface Unsaid {
  readonly ids: string[];
  readonly seqs: number[];
  readonly news: HeartbeatMessage[];
}

/** Nodes of data versions before this one take no numbers. */
const numbersSince = 6;

/** Amphorae whose last words are read together. */
const askedAtOnce = 2_000;

/** Amphorae that nobody knows, of which the last heard are remembered. */
const mostUnknown = 100;

/** Most heartbeats with news that wait for the next message to a node; the amphora says it again. */
const mostNews = 10_000;

export class Heartbeats {
  readonly #options: HeartbeatsOptions;
  /** Seen here, for the nodes that judge them. */
  readonly #unsaid = new Map<string, Unsaid>();
  #owners: ClusterView['owners']['entities'] = [];
  readonly #outcomes = { repeated: 0, late: 0, unknown: 0 };
  /** Amphorae that nobody knows → how often they were heard; the last heard come last. */
  readonly #unknown = new Map<string, number>();

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
  }

  /** Of those that were accepted, how many were heard before, were overtaken by newer ones, or came from amphorae that nobody knows. */
  get outcomes(): { readonly repeated: number; readonly late: number; readonly unknown: number } {
    return this.#outcomes;
  }

  /** Amphorae that nobody knows and that were heard of late, with the number of their heartbeats. */
  get unknown(): ReadonlyMap<string, number> {
    return this.#unknown;
  }

  /** Takes a heartbeat in that has come from the network. Wakes nobody unless it brings something new. */
  receive(message: HeartbeatMessage, print: number): void {
    const { fleet, table, now, count } = this.#options;
    const id = message.id as AmphoraId;
    const facts = fleet.get(id);
    if (facts === undefined) return this.#noteUnknown(message.id);
    const hearing = table.hear(message, print, now());
    if (hearing === 'repeat' || hearing === 'again') {
      this.#outcomes.repeated++;
      if (hearing === 'again') this.#pass(message, id, facts, false);
      return;
    }
    count(message);
    if (hearing === 'late') {
      this.#outcomes.late++;
      return;
    }
    this.#pass(message, id, facts, hearing === 'news');
  }

  /** They delete nothing: their rows may only not be here yet. */
  #noteUnknown(id: string): void {
    this.#outcomes.unknown++;
    const count = this.#unknown.get(id) ?? 0;
    this.#unknown.delete(id);
    if (this.#unknown.size >= mostUnknown) this.#unknown.delete(this.#unknown.keys().next().value ?? '');
    this.#unknown.set(id, count + 1);
  }

  #pass(message: HeartbeatMessage, id: AmphoraId, facts: AmphoraFacts, isNew: boolean): void {
    const { fleet, table, ownership, peers } = this.#options;
    const judge = ownership.ownerOf('health', fleet.shardOf(id));
    const isJudgedElsewhere = judge !== undefined && judge !== ownership.nodeId;
    if (isJudgedElsewhere) this.#noteFor(judge, message, isNew);
    if (!isNew) return;
    // Said again until there is somebody to hear it.
    if (facts.loadBalancerIds.length === 0) return table.expectNews(id, undefined);
    this.#updateOwned(message, facts);
    if (isJudgedElsewhere) return;
    const others = facts.loadBalancerIds.filter((one) => !ownership.owns(one));
    const owners = new Set(others.map((one) => ownership.ownerOf('entities', shardOf(one))));
    for (const owner of owners) {
      const isTold = owner !== undefined && peers.tell(owner, 'heartbeats.news', { message });
      if (!isTold) table.expectNews(id, undefined);
    }
  }

  /** Load balancers of this node that have the amphora. */
  #updateOwned(message: HeartbeatMessage, { loadBalancerIds }: AmphoraFacts): void {
    for (const id of loadBalancerIds) if (this.#options.ownership.owns(id)) this.#update(message, id);
  }

  /** Has what an amphora says next brought to this node, new or not. */
  want(id: AmphoraId): void {
    const { ownership, fleet, table, peers } = this.#options;
    table.expectNews(id, undefined);
    const judge = ownership.ownerOf('health', fleet.shardOf(id));
    if (judge !== undefined && judge !== ownership.nodeId) peers.tell(judge, 'heartbeats.wanted', { ids: [id] });
  }

  /** An owner wants to know what these say. */
  hearWanted(ids: readonly AmphoraId[]): void {
    for (const id of ids) this.#options.table.expectNews(id, undefined);
  }

  /** What another node has seen of amphorae that this one judges. */
  hear({ ids, seqs, news }: PeerNotices['heartbeats.seen']): void {
    const { table, fleet, now } = this.#options;
    for (const message of news) {
      const facts = fleet.get(message.id as AmphoraId);
      if (facts === undefined) continue;
      const hearing = table.hear(message, undefined, now());
      this.#pass(message, message.id as AmphoraId, facts, hearing === 'news');
    }
    ids.forEach((id, index) => {
      if (fleet.get(id as AmphoraId) !== undefined) table.touch(id, seqs?.[index], now());
    });
  }

  /** What the judge of an amphora has heard of a load balancer of this node. */
  hearNews({ message }: PeerNotices['heartbeats.news']): void {
    const { fleet, table, ownership, now } = this.#options;
    const facts = fleet.get(message.id as AmphoraId);
    if (facts?.loadBalancerIds.some((id) => ownership.owns(id)) !== true) return;
    if (table.hear(message, undefined, now()) !== 'late') this.#updateOwned(message, facts);
  }

  /** Tells other nodes what was seen since the last time, in one message each. */
  flush(): void {
    const { ownership, peers } = this.#options;
    for (const [node, { ids, seqs, news }] of this.#unsaid) {
      const { dataVersion = 0 } = ownership.view.nodes.find(({ id }) => id === node) ?? {};
      const numbered = dataVersion >= numbersSince ? { ids, seqs } : { ids };
      const isTold = peers.tell(node, 'heartbeats.seen', { ...numbered, news });
      if (!isTold) for (const { id } of news) this.#options.table.expectNews(id, undefined);
    }
    this.#unsaid.clear();
  }

  /**
   * A load balancer has joined others. What its amphora says of it may have come before this was known, and have gone to the others
   * alone. Where nobody was before, it is said until there is somebody.
   */
  onAmphoraChange(id: AmphoraId, now: AmphoraFacts, before: AmphoraFacts | undefined): void {
    const known = before?.loadBalancerIds ?? [];
    const joined = now.loadBalancerIds.filter((one) => !known.includes(one));
    if (known.length === 0 || joined.length === 0) return;
    if (joined.some((one) => this.#options.ownership.owns(one))) this.want(id);
    else this.#options.table.expectNews(id, undefined);
  }

  /** New owners of load balancers have heard nothing yet: what an amphora says next counts as new, if it differs from before. */
  onView({ owners }: ClusterView): void {
    const before = this.#owners;
    this.#owners = owners.entities;
    const moved = new Set(owners.entities.flatMap((owner, shard) => (before[shard] === owner ? [] : [shard])));
    if (moved.size === 0) return;
    const ids: AmphoraId[] = [];
    for (const [id, { loadBalancerIds }] of this.#options.fleet) {
      if (!loadBalancerIds.some((one) => moved.has(shardOf(one)))) continue;
      // That one owner has derived statuses from it does not mean that another one has.
      if (loadBalancerIds.length > 1) this.#options.table.expectNews(id, undefined);
      else ids.push(id);
    }
    if (ids.length > 0) void this.#expectNews(ids);
  }

  async #expectNews(ids: readonly AmphoraId[]): Promise<void> {
    const { table, heardBefore, log } = this.#options;
    for (let from = 0; from < ids.length; from += askedAtOnce) {
      const some = ids.slice(from, from + askedAtOnce);
      const numbers = some.map((id) => table.numbers(id)?.seq);
      const before = await heardBefore(some).catch((error: unknown) => {
        log.debug({ err: error }, 'what was heard before is not known: all is taken for new');
        return new Map<string, string>();
      });
      // Whoever was heard meanwhile may have said something else, and say the former again.
      some.forEach((id, index) => {
        const isHeard = table.numbers(id)?.seq !== numbers[index];
        table.expectNews(id, isHeard ? undefined : before.get(id));
      });
    }
  }

  #noteFor(judge: string, message: HeartbeatMessage, isNew: boolean): void {
    let unsaid = this.#unsaid.get(judge);
    if (unsaid === undefined) this.#unsaid.set(judge, (unsaid = { ids: [], seqs: [], news: [] }));
    unsaid.ids.push(message.id);
    unsaid.seqs.push(message.seq);
    if (!isNew) return;
    if (unsaid.news.length < mostNews) unsaid.news.push(message);
    else this.#options.table.expectNews(message.id, undefined);
  }

  #update({ id, seq }: HeartbeatMessage, loadBalancerId: LoadBalancerId): void {
    const amphoraId = id as AmphoraId;
    const { loadBalancers, operating, table, log } = this.#options;
    loadBalancers
      .read(loadBalancerId, (state) => {
        if (state === undefined) return;
        operating.update(state, { amphoraId, seq });
        const digest = table.digest(amphoraId);
        if (digest !== undefined) operating.noteHeard(amphoraId, digest);
      })
      .catch((error: unknown) => {
        table.expectNews(amphoraId, undefined);
        log.debug({ err: error, loadBalancerId }, 'a heartbeat changes no status');
      });
  }
}
