// Changes of statuses, for those who want to hear of them on any node: provisioning statuses as entities change, operating
// statuses as heartbeats tell.
import type { LoadBalancerId, ObjectId } from '../../domain/ids.ts';
import type { LoadBalancerState, ObjectKind } from '../../domain/load-balancer/state.ts';
import { provisioningStatuses } from '../../domain/load-balancer/statuses.ts';
import type { OperatingStatus, ProvisioningStatus } from '../../domain/statuses.ts';
import type { StatusChange } from '../../domain/views.ts';
import type { OperatingChange } from '../health-watchdog/operating-statuses.ts';
import { type OtherNodes, Relay } from './relay.ts';

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

export class StatusFeed {
  readonly #sources: StatusSources;
  readonly #now: () => number;
  readonly #relay: Relay<StatusChange>;

  constructor(sources: StatusSources, others: OtherNodes, now: () => number = Date.now) {
    this.#sources = sources;
    this.#now = now;
    this.#relay = new Relay({
      others,
      ask: (peers, node, thisNode, signal) => peers.call(node, 'status.want', { node: thisNode }, signal),
      send: (peers, node, changes) => peers.tell(node, 'status.changed', { changes }),
      now,
    });
    sources.loadBalancers.onChange((id, before, after) => this.#onChange(id as LoadBalancerId, before, after));
    sources.operating.onChange((changes) => this.#onOperatingChanges(changes));
  }

  /** Calls back for each change from now on, of one load balancer or of all. Returns how to stop that. */
  subscribe(listener: (change: StatusChange) => void, loadBalancerId?: string): Promise<() => void> {
    return this.#relay.subscribe(listener, loadBalancerId);
  }

  /** Another node has listeners. */
  want(node: string): void {
    this.#relay.want(node);
  }

  /** Changes that another node has told. */
  relay(changes: readonly StatusChange[]): void {
    this.#relay.hear(changes);
  }

  stop(): void {
    this.#relay.stop();
  }

  #onOperatingChanges(changes: readonly OperatingChange[]): void {
    for (const id of new Set(changes.map((change) => change.loadBalancerId))) {
      if (!this.#relay.isHeard(id)) continue;
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
    if (!this.#relay.isHeard(id)) return;
    const old = before === undefined ? undefined : provisioningStatuses(before);
    const now = provisioningStatuses(after);
    for (const [objectId, kind] of new Map([...kindsOf(before), ...kindsOf(after)])) {
      const status = after.deletion === 'done' ? 'DELETED' : (now.get(objectId) ?? 'DELETED');
      if (status !== old?.get(objectId)) this.#tell(id, objectId, kind, status);
    }
  }

  #tell(
    loadBalancerId: LoadBalancerId,
    objectId: ObjectId,
    kind: ObjectKind,
    provisioningStatus: ProvisioningStatus,
  ): void {
    const operatingStatus = this.#sources.operating.get(loadBalancerId)?.get(objectId) ?? 'OFFLINE';
    const at = new Date(this.#now()).toISOString();
    this.#relay.tell({ objectId, kind, loadBalancerId, provisioningStatus, operatingStatus, at });
  }
}

function kindsOf(state: LoadBalancerState | undefined): ReadonlyMap<ObjectId, ObjectKind> {
  return new Map(Object.values(state?.objects ?? {}).map(({ id, kind }) => [id, kind]));
}
