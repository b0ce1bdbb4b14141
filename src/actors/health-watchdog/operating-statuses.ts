// Operating statuses of every load balancer that heartbeats speak of: derived anew when a heartbeat brings something
// new or the load balancer changes, and written when they differ. Relearnt after a restart.
import type { Logger } from 'pino';
import type { Observation } from '../../domain/health/table.ts';
import type { AmphoraId, LoadBalancerId, ObjectId } from '../../domain/ids.ts';
import { type Alarm, alarmOf } from '../../domain/load-balancer/alarms.ts';
import { operatingStatuses, type Said, unmentioned } from '../../domain/load-balancer/operating.ts';
import { hasBeenServed, observedSlots, servingSlots } from '../../domain/load-balancer/pair.ts';
import type { LoadBalancerState } from '../../domain/load-balancer/state.ts';
import type { OperatingStatus } from '../../domain/statuses.ts';

export interface OperatingChange {
  readonly loadBalancerId: LoadBalancerId;
  readonly objectId: ObjectId;
  readonly status: OperatingStatus;
  /** How an operator is to take it; undefined for what follows from others. */
  readonly alarm: Alarm | undefined;
}

/** What an amphora had said when statuses were derived from it. */
export interface HeardAmphora {
  readonly amphoraId: AmphoraId;
  readonly digest: string;
}

/** A heartbeat that was brought to a load balancer: whose, and its number. */
export interface HeartbeatOf {
  readonly amphoraId: AmphoraId;
  readonly seq: number;
}

export interface OperatingStatusesOptions {
  readonly observation: (amphoraId: AmphoraId) => Observation | undefined;
  /** Has what the amphora says next brought here, whether it is new or not. */
  readonly want: (amphoraId: AmphoraId) => void;
  readonly write: (changes: readonly OperatingChange[], heard: readonly HeardAmphora[]) => Promise<void>;
  readonly log: Logger;
}

type Listener = (changes: readonly OperatingChange[]) => void;

const rewriteDelayMs = 1_000;
/** Heartbeats that were sent before a change was accepted and come after it: on the way, or by another node. */
const mostUnderWay = 1;

export class OperatingStatuses {
  readonly #options: OperatingStatusesOptions;
  readonly #known = new Map<LoadBalancerId, ReadonlyMap<ObjectId, OperatingStatus>>();
  /** Load balancer → amphora → numbers of heartbeats that were brought here since its tree changed, as many as matter. */
  readonly #fresh = new Map<LoadBalancerId, Map<AmphoraId, Set<number>>>();
  readonly #listeners = new Set<Listener>();
  #unwritten = new Map<ObjectId, OperatingChange>();
  #heard = new Map<AmphoraId, string>();
  #isWriting = false;
  #isStopped = false;

  constructor(options: OperatingStatusesOptions) {
    this.#options = options;
  }

  /** Calls `listener` with every change. Returns how to stop that. */
  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get(loadBalancerId: LoadBalancerId): ReadonlyMap<ObjectId, OperatingStatus> | undefined {
    return this.#known.get(loadBalancerId);
  }

  /** All that this heartbeat of the amphora brings has been taken in. To be told after `update`. */
  noteHeard(amphoraId: AmphoraId, digest: string): void {
    this.#heard.set(amphoraId, digest);
    if (!this.#isWriting) void this.#writeAll();
  }

  /**
   * Looks at a load balancer again, because the heartbeat of an amphora has brought something new or, without one, because
   * its tree has changed.
   */
  update(state: LoadBalancerState, heartbeat?: HeartbeatOf): void {
    if (state.deletion === 'done') {
      this.#known.delete(state.id);
      this.#fresh.delete(state.id);
      return;
    }
    const fresh = this.#freshOf(state.id, heartbeat);
    const said: Said[] = [];
    const before = this.#known.get(state.id);
    for (const { amphoraId } of observedSlots(state)) {
      const observation = this.#options.observation(amphoraId);
      if (observation === undefined) {
        // Its statuses are in the table, and who has just taken it over knows nothing better yet.
        if (before === undefined && hasBeenServed(state)) this.#options.want(amphoraId);
        continue;
      }
      const isStale = (fresh.get(amphoraId)?.size ?? 0) <= mostUnderWay;
      said.push({ observation, isStale });
      // What this one leaves out it may only not have known of yet: the next one tells.
      if (amphoraId === heartbeat?.amphoraId && isStale && unmentioned(state, observation))
        this.#options.want(amphoraId);
    }
    if (said.length === 0 && before === undefined && servingSlots(state).length > 0 && hasBeenServed(state)) return;
    const now = operatingStatuses(state, said, before);
    this.#known.set(state.id, now);
    const changes: OperatingChange[] = [];
    for (const [objectId, status] of now) {
      if (before?.get(objectId) === status) continue;
      const alarm = alarmOf(state, now, said.length > 0, objectId);
      changes.push({ loadBalancerId: state.id, objectId, status, alarm });
    }
    if (changes.length === 0) return;
    for (const listener of this.#listeners) listener(changes);
    for (const change of changes) this.#unwritten.set(change.objectId, change);
    if (!this.#isWriting) void this.#writeAll();
  }

  /** One and the same heartbeat may come by two ways. */
  #freshOf(id: LoadBalancerId, heartbeat: HeartbeatOf | undefined): ReadonlyMap<AmphoraId, ReadonlySet<number>> {
    const known = heartbeat === undefined ? undefined : this.#fresh.get(id);
    const fresh = known ?? new Map<AmphoraId, Set<number>>();
    this.#fresh.set(id, fresh);
    if (heartbeat === undefined) return fresh;
    const { amphoraId, seq } = heartbeat;
    const seqs = fresh.get(amphoraId) ?? new Set<number>();
    if (seqs.size <= mostUnderWay) fresh.set(amphoraId, seqs.add(seq));
    return fresh;
  }

  /** Another node speaks of them from now on. */
  forget(isForeign: (loadBalancerId: LoadBalancerId) => boolean): void {
    for (const id of this.#known.keys()) if (isForeign(id)) this.#known.delete(id);
    for (const id of this.#fresh.keys()) if (isForeign(id)) this.#fresh.delete(id);
    for (const [objectId, change] of this.#unwritten) {
      if (isForeign(change.loadBalancerId)) this.#unwritten.delete(objectId);
    }
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    // Whatever else is noted in this turn of the event loop joins.
    await new Promise(setImmediate);
    while (this.#unwritten.size + this.#heard.size > 0 && !this.#isStopped) {
      const [batch, heard] = [this.#unwritten, this.#heard];
      this.#unwritten = new Map();
      this.#heard = new Map();
      try {
        const told = Array.from(heard, ([amphoraId, digest]) => ({ amphoraId, digest }));
        await this.#options.write([...batch.values()], told);
      } catch (error) {
        // What is newer than the batch stays.
        this.#unwritten = new Map([...batch, ...this.#unwritten]);
        this.#heard = new Map([...heard, ...this.#heard]);
        this.#options.log.warn({ err: error }, 'operating statuses could not be written');
        await new Promise((resolve) => setTimeout(resolve, rewriteDelayMs));
      }
    }
    this.#isWriting = false;
  }

  stop(): void {
    this.#isStopped = true;
  }
}
