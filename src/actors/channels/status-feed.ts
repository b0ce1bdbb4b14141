// Changes of statuses, for those who want to hear of them on any node: provisioning statuses as entities change, operating
// statuses as heartbeats tell. Each node tells of its own to its listeners and to the nodes that have listeners, which say so
// again and again. While nobody listens it does nothing.
import type { Peers } from '../../domain/cluster/peers.ts';
import type { LoadBalancerId, ObjectId } from '../../domain/ids.ts';
import type { LoadBalancerState, ObjectKind } from '../../domain/load-balancer/state.ts';
import { provisioningStatuses } from '../../domain/load-balancer/statuses.ts';
import type { OperatingStatus, ProvisioningStatus } from '../../domain/statuses.ts';
import type { StatusChange } from '../../domain/views.ts';
import type { OperatingChange } from '../health-watchdog/operating-statuses.ts';

type Listener = (change: StatusChange) => void;

/** The parts of the tree that know. */
export interface StatusSources {
  readonly loadBalancers: {
    onChange(
      listener: (id: string, before: LoadBalancerState | undefined, after: LoadBalancerState) => void,
    ): () => void;
    read<T>(id: string, read: (state: LoadBalancerState | undefined) => T): Promise<T>;
  };
  readonly operating: {
    onChange(listener: (changes: readonly OperatingChange[]) => void): () => void;
    get(loadBalancerId: LoadBalancerId): ReadonlyMap<ObjectId, OperatingStatus> | undefined;
  };
}

export interface OtherNodes {
  readonly nodeId: string;
  readonly ids: () => readonly string[];
  readonly peers: Peers;
}

/** How long a node is told of changes after it has said that it wants them. */
const wantedForMs = 15_000;
const wantAgainMs = 5_000;
const wantTimeoutMs = 1_000;

export class StatusFeed {
  readonly #listeners = new Map<Listener, string | undefined>();
  readonly #sources: StatusSources;
  readonly #others: OtherNodes;
  readonly #now: () => number;
  /** Node → until when it wants to hear of changes. */
  readonly #wantedBy = new Map<string, number>();
  #unsent: StatusChange[] = [];
  #again: NodeJS.Timeout | undefined;

  constructor(sources: StatusSources, others: OtherNodes, now: () => number = Date.now) {
    this.#sources = sources;
    this.#others = others;
    this.#now = now;
    sources.loadBalancers.onChange((id, before, after) => this.#onChange(id as LoadBalancerId, before, after));
    sources.operating.onChange((changes) => this.#onOperatingChanges(changes));
  }

  /** Calls back for each change from now on, of one load balancer or of all. Returns how to stop that. */
  async subscribe(listener: Listener, loadBalancerId?: string): Promise<() => void> {
    this.#listeners.set(listener, loadBalancerId);
    await this.#wantFromOthers();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.stop();
    };
  }

  /** Another node has listeners. */
  want(node: string): void {
    this.#wantedBy.set(node, this.#now() + wantedForMs);
  }

  /** Changes that another node has told. */
  relay(changes: readonly StatusChange[]): void {
    for (const change of changes) this.#tellListeners(change);
  }

  stop(): void {
    clearTimeout(this.#again);
    this.#again = undefined;
  }

  /** A node that cannot be asked just now is asked again soon. */
  async #wantFromOthers(): Promise<void> {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => void this.#wantFromOthers(), wantAgainMs).unref();
    const { ids, peers, nodeId: node } = this.#others;
    const signal = AbortSignal.timeout(wantTimeoutMs);
    await Promise.allSettled(ids().map((id) => peers.call(id, 'status.want', { node }, signal)));
  }

  #onOperatingChanges(changes: readonly OperatingChange[]): void {
    for (const id of new Set(changes.map((change) => change.loadBalancerId))) {
      if (!this.#isHeard(id)) continue;
      const ours = changes.filter((change) => change.loadBalancerId === id);
      const tellAll = (state: LoadBalancerState | undefined) => {
        if (state === undefined) return;
        const provisioning = provisioningStatuses(state);
        for (const { objectId } of ours) {
          const kind = state.objects[objectId]?.kind;
          const status = provisioning.get(objectId);
          if (kind !== undefined && status !== undefined) this.#tell(id, objectId, kind, status);
        }
      };
      // One that can't be read here is another node's to speak of, or an operator's.
      this.#sources.loadBalancers.read(id, tellAll).catch(() => undefined);
    }
  }

  #onChange(id: LoadBalancerId, before: LoadBalancerState | undefined, after: LoadBalancerState): void {
    if (!this.#isHeard(id)) return;
    const old = before === undefined ? undefined : provisioningStatuses(before);
    const now = provisioningStatuses(after);
    for (const [objectId, kind] of new Map([...kindsOf(before), ...kindsOf(after)])) {
      const status = after.deletion === 'done' ? 'DELETED' : (now.get(objectId) ?? 'DELETED');
      if (status !== old?.get(objectId)) this.#tell(id, objectId, kind, status);
    }
  }

  #isHeard(loadBalancerId: string): boolean {
    for (const wanted of this.#listeners.values()) if (wanted === undefined || wanted === loadBalancerId) return true;
    return this.#isWantedElsewhere;
  }

  get #isWantedElsewhere(): boolean {
    for (const [node, until] of this.#wantedBy) if (until < this.#now()) this.#wantedBy.delete(node);
    return this.#wantedBy.size > 0;
  }

  #tell(
    loadBalancerId: LoadBalancerId,
    objectId: ObjectId,
    kind: ObjectKind,
    provisioningStatus: ProvisioningStatus,
  ): void {
    const operatingStatus = this.#sources.operating.get(loadBalancerId)?.get(objectId) ?? 'OFFLINE';
    const at = new Date(this.#now()).toISOString();
    const change = { objectId, kind, loadBalancerId, provisioningStatus, operatingStatus, at };
    this.#tellListeners(change);
    if (!this.#isWantedElsewhere) return;
    if (this.#unsent.length === 0) setImmediate(() => this.#send());
    this.#unsent.push(change);
  }

  #tellListeners(change: StatusChange): void {
    for (const [listener, wanted] of this.#listeners) {
      if (wanted === undefined || wanted === change.loadBalancerId) listener(change);
    }
  }

  #send(): void {
    const changes = this.#unsent;
    this.#unsent = [];
    for (const node of this.#wantedBy.keys()) this.#others.peers.tell(node, 'status.changed', { changes });
  }
}

function kindsOf(state: LoadBalancerState | undefined): ReadonlyMap<ObjectId, ObjectKind> {
  return new Map(Object.values(state?.objects ?? {}).map(({ id, kind }) => [id, kind]));
}
