// Changes of statuses, for those who want to hear of them. Provisioning statuses follow from the entities of this node;
// operating statuses are told by whoever judges heartbeats.
import type { ObjectId } from '../../domain/ids.ts';
import type { LoadBalancerState, ObjectKind } from '../../domain/load-balancer/state.ts';
import { provisioningStatuses } from '../../domain/load-balancer/statuses.ts';
import type { OperatingStatus, ProvisioningStatus } from '../../domain/statuses.ts';
import type { StatusChange } from '../../domain/views.ts';

/** A new operating status of an object of a load balancer. */
export interface OperatingStatusChange {
  readonly objectId: ObjectId;
  readonly status: OperatingStatus;
}

type Listener = (change: StatusChange) => void;

interface LoadBalancersOfTree {
  onChange(listener: (id: string, before: LoadBalancerState | undefined, after: LoadBalancerState) => void): () => void;
  read<T>(id: string, read: (state: LoadBalancerState | undefined) => T): Promise<T>;
}

export class StatusFeed {
  readonly #listeners = new Map<Listener, string | undefined>();
  /** By object, as long as its load balancer is known. */
  readonly #operating = new Map<string, OperatingStatus>();
  readonly #loadBalancers: LoadBalancersOfTree;
  readonly #now: () => number;

  constructor(loadBalancers: LoadBalancersOfTree, now: () => number = Date.now) {
    this.#loadBalancers = loadBalancers;
    this.#now = now;
    loadBalancers.onChange((id, before, after) => this.#onChange(id, before, after));
  }

  /** Calls back for each change from now on, of one load balancer or of all. Returns how to stop that. */
  subscribe(listener: Listener, loadBalancerId?: string): () => void {
    this.#listeners.set(listener, loadBalancerId);
    return () => this.#listeners.delete(listener);
  }

  /** What is known from before this process; tells nobody. */
  learn(changes: readonly OperatingStatusChange[]): void {
    for (const { objectId, status } of changes) this.#operating.set(objectId, status);
  }

  /** To be called after the new statuses are in the table. */
  async operatingStatusesChanged(loadBalancerId: string, changes: readonly OperatingStatusChange[]): Promise<void> {
    this.learn(changes);
    if (!this.#isHeard(loadBalancerId)) return;
    const objects = await this.#loadBalancers.read(loadBalancerId, (state) =>
      state === undefined ? undefined : { kinds: kindsOf(state), statuses: provisioningStatuses(state) },
    );
    for (const { objectId } of changes) {
      const kind = objects?.kinds.get(objectId);
      const status = objects?.statuses.get(objectId);
      if (kind !== undefined && status !== undefined) this.#tell(loadBalancerId, objectId, kind, status);
    }
  }

  #onChange(id: string, before: LoadBalancerState | undefined, after: LoadBalancerState): void {
    if (this.#isHeard(id)) {
      const old = before === undefined ? new Map<ObjectId, ProvisioningStatus>() : provisioningStatuses(before);
      const now = provisioningStatuses(after);
      for (const [objectId, kind] of new Map([...(before === undefined ? [] : kindsOf(before)), ...kindsOf(after)])) {
        const status = after.deletion === 'done' ? 'DELETED' : (now.get(objectId) ?? 'DELETED');
        if (status !== old.get(objectId)) this.#tell(id, objectId, kind, status);
      }
    }
    for (const objectId of Object.keys(before?.objects ?? {})) {
      if (after.deletion === 'done' || !(objectId in after.objects)) this.#operating.delete(objectId);
    }
  }

  #isHeard(loadBalancerId: string): boolean {
    return [...this.#listeners.values()].some((wanted) => wanted === undefined || wanted === loadBalancerId);
  }

  #tell(loadBalancerId: string, objectId: ObjectId, kind: ObjectKind, provisioningStatus: ProvisioningStatus): void {
    const operatingStatus = this.#operating.get(objectId) ?? 'OFFLINE';
    const at = new Date(this.#now()).toISOString();
    const change = { objectId, kind, loadBalancerId, provisioningStatus, operatingStatus, at };
    for (const [listener, wanted] of this.#listeners) {
      if (wanted === undefined || wanted === loadBalancerId) listener(change);
    }
  }
}

function kindsOf(state: LoadBalancerState): ReadonlyMap<ObjectId, ObjectKind> {
  return new Map(Object.values(state.objects).map(({ id, kind }) => [id, kind]));
}
