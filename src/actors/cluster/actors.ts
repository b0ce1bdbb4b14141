// Live actors of the whole cluster, for inspection: those of a node, one wherever it lives, and a new start for one.
import type { PeerCalls } from '../../domain/cluster/messages.ts';
import type { Peers } from '../../domain/cluster/peers.ts';
import { shardOf } from '../../domain/ids.ts';
import type { ActorDetails, ActorView } from '../../domain/operator-views.ts';
import type { Ownership } from '../runtime/ownership.ts';
import type { ActorRecord, Registry } from '../runtime/registry.ts';
import { askWherever, type Place } from './wherever.ts';

export interface ClusterActorsOptions {
  readonly registry: Registry;
  readonly ownership: Ownership;
  readonly peers: Peers;
  /** Durable actors of this node. */
  readonly durable: {
    readonly loadBalancers: { restart(id: string): Promise<void> };
    readonly amphorae: { restart(id: string): Promise<void> };
  };
}

const elsewhere = { type: 'elsewhere' } as const;
const singletons: Readonly<Record<string, Place>> = {
  'spares-pool': { family: 'spares', shard: 0 },
  housekeeping: { family: 'housekeeping', shard: 0 },
};

export class ClusterActors {
  readonly #options: ClusterActorsOptions;

  constructor(options: ClusterActorsOptions) {
    this.#options = options;
  }

  /** Of this node unless another is named; sorted by path. @throws PeerUnreachableError */
  async tree(node: string | null, signal: AbortSignal): Promise<readonly ActorView[]> {
    const { ownership, peers } = this.#options;
    if (node === null || node === ownership.nodeId) return this.treeHere();
    return (await peers.call(node, 'actors.tree', {}, signal)).actors;
  }

  /** Of every node that can be reached. */
  async all(signal: AbortSignal): Promise<readonly ActorView[]> {
    const nodes = this.#options.ownership.view.nodes.map(({ id }) => id);
    const trees = await Promise.allSettled(nodes.map((node) => this.tree(node, signal)));
    return trees.flatMap((tree) => (tree.status === 'fulfilled' ? tree.value : []));
  }

  treeHere(): readonly ActorView[] {
    const { registry, ownership } = this.#options;
    return registry.all().map((record) => viewOf(record, ownership.nodeId));
  }

  /** Wherever it lives, unless a node is named; undefined when it does not. `lb-<id>` and `amphora-<id>` will do as paths. */
  async show(given: string, node: string | null, signal: AbortSignal): Promise<ActorDetails | undefined> {
    const { ownership, peers } = this.#options;
    const path = fullPath(given);
    const there = (id: string) => peers.call(id, 'actors.show', { path }, signal);
    const here = async () => this.showHere(path);
    const place = placeOf(path);
    if (node !== null || place === undefined) {
      const found = node === null || node === ownership.nodeId ? this.#find(path) : await there(node);
      return found === undefined || found.type === 'elsewhere' ? undefined : (found.actor ?? undefined);
    }
    return (await askWherever<ShownActor>(ownership, place, here, there, signal)).actor ?? undefined;
  }

  showHere(path: string): PeerCalls['actors.show']['result'] {
    const { ownership } = this.#options;
    const place = placeOf(path);
    if (place !== undefined && !ownership.holds(place.family, place.shard)) return elsewhere;
    return this.#find(path);
  }

  /** False when that is not the path of a durable actor. */
  async restart(given: string, signal: AbortSignal): Promise<boolean> {
    const { ownership, peers } = this.#options;
    const path = fullPath(given);
    const place = placeOf(path);
    if (place?.family !== 'entities') return false;
    const there = (node: string) => peers.call(node, 'actors.restart', { path }, signal);
    await askWherever<{ readonly type: 'restarted' }>(ownership, place, () => this.restartHere(path), there, signal);
    return true;
  }

  async restartHere(path: string): Promise<PeerCalls['actors.restart']['result']> {
    const { ownership, durable } = this.#options;
    const [, branch, id] = entityPath.exec(path) ?? [];
    if (id === undefined || !ownership.accepts(id)) return elsewhere;
    await (branch === 'amphorae/amphora' ? durable.amphorae : durable.loadBalancers).restart(id);
    return { type: 'restarted' };
  }

  #find(path: string): ShownActor {
    const { registry, ownership } = this.#options;
    const record = registry.find(path);
    if (record === undefined) return { type: 'actor', actor: null };
    return { type: 'actor', actor: { ...viewOf(record, ownership.nodeId), state: record.describe?.() ?? null } };
  }
}

type ShownActor = Extract<PeerCalls['actors.show']['result'], { readonly type: 'actor' }>;

const entityPath = /^(load-balancers\/lb|amphorae\/amphora)-([0-9a-f-]{36})$/;

/** `lb-<id>` → `load-balancers/lb-<id>`. */
function fullPath(path: string): string {
  const short = path.replace(/^system\//, '');
  if (short.startsWith('lb-')) return `load-balancers/${short}`;
  return short.startsWith('amphora-') ? `amphorae/${short}` : short;
}

/** What the actor's node owns; undefined for actors that every node has. */
function placeOf(path: string): Place | undefined {
  const id = entityPath.exec(path.split('/').slice(0, 2).join('/'))?.[2];
  return id === undefined ? singletons[path] : { family: 'entities', shard: shardOf(id) };
}

function viewOf({ path, kind, pending, processed, restarts, ...record }: ActorRecord, node: string): ActorView {
  const { startedAt, lastActiveAt, lastError, handling } = record;
  return {
    node,
    path,
    kind,
    startedAt: isoTime(startedAt),
    pending,
    processed,
    restarts,
    lastError: lastError === undefined ? null : { message: lastError.message, at: isoTime(lastError.at) },
    handling: handling ?? null,
    lastActiveAt: isoTime(lastActiveAt),
  };
}

function isoTime(at: number): string {
  return new Date(at).toISOString();
}
