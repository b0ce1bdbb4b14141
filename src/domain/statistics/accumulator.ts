// What amphorae have counted since it was written last, summed for every listener and amphora. Heartbeats are added as they
// come; batches are taken out to be written.
import type { HeartbeatMessage, ListenerStatistics } from '../health/message.ts';

/** Sums of what was counted; `activeConnections` is a gauge, the newest. */
export interface Counted {
  readonly amphoraId: string;
  readonly listenerId: string;
  /** Bytes from clients. */
  bytesIn: number;
  /** Bytes to clients. */
  bytesOut: number;
  activeConnections: number;
  totalConnections: number;
  requestErrors: number;
}

/** From this version on an amphora tells what was added since its last message; before, what there is in all. */
const deltasSince = 3;
/** A message without a version is from agents that told totals. */
type Totals = Pick<ListenerStatistics, 'tx' | 'rx' | 'totconns' | 'ereq'>;

export class Accumulator {
  /** Amphora and listener → what is not written. */
  #unwritten = new Map<string, Counted>();
  /** Of amphorae that tell totals, the last ones of each listener. */
  readonly #totals = new PerListener<Totals>();
  /** Gauges that were taken last, where they are not 0: an idle listener is not written again. */
  readonly #gauges = new PerListener<number>();

  /** Rows that a batch would have now. */
  get size(): number {
    return this.#unwritten.size;
  }

  /** Adds what a message counts. To be called once for each. */
  add({ id: amphoraId, listeners, ver }: HeartbeatMessage): void {
    for (const listenerId in listeners) {
      const stats = listeners[listenerId]?.stats;
      if (stats === undefined) continue;
      const key = amphoraId + listenerId;
      const added = ver >= deltasSince ? stats : this.#since(amphoraId, listenerId, stats);
      const isIdle = added.tx === 0 && added.rx === 0 && added.totconns === 0 && added.ereq === 0;
      const counted = this.#unwritten.get(key);
      if (counted === undefined) {
        if (isIdle && stats.conns === (this.#gauges.get(amphoraId, listenerId) ?? 0)) continue;
        this.#unwritten.set(key, {
          amphoraId,
          listenerId,
          bytesIn: added.rx,
          bytesOut: added.tx,
          activeConnections: stats.conns,
          totalConnections: added.totconns,
          requestErrors: added.ereq,
        });
        continue;
      }
      counted.bytesIn += added.rx;
      counted.bytesOut += added.tx;
      counted.activeConnections = stats.conns;
      counted.totalConnections += added.totconns;
      counted.requestErrors += added.ereq;
    }
  }

  /** Up to `most` rows that are not written; they are the caller's now. */
  take(most: number): readonly Counted[] {
    const batch: Counted[] = [];
    for (const [key, counted] of this.#unwritten) {
      if (batch.length === most) break;
      batch.push(counted);
      this.#unwritten.delete(key);
      const { amphoraId, listenerId, activeConnections } = counted;
      this.#gauges.set(amphoraId, listenerId, activeConnections === 0 ? undefined : activeConnections);
    }
    return batch;
  }

  /** The amphora is gone: what it counted is written all the same. */
  forget(amphoraId: string): void {
    this.#totals.forget(amphoraId);
    this.#gauges.forget(amphoraId);
  }

  /** What was added to totals. The first of a listener is where counting begins. */
  #since(amphoraId: string, listenerId: string, { tx, rx, totconns, ereq }: ListenerStatistics): Totals {
    const now = { tx, rx, totconns, ereq };
    const before = this.#totals.get(amphoraId, listenerId) ?? now;
    this.#totals.set(amphoraId, listenerId, now);
    // A counter that went down was begun anew.
    const added = (one: number, other: number) => (one >= other ? one - other : one);
    return {
      tx: added(tx, before.tx),
      rx: added(rx, before.rx),
      totconns: added(totconns, before.totconns),
      ereq: added(ereq, before.ereq),
    };
  }
}

/** Something about listeners of amphorae. */
class PerListener<T> {
  readonly #values = new Map<string, Map<string, T>>();

  get(amphoraId: string, listenerId: string): T | undefined {
    return this.#values.get(amphoraId)?.get(listenerId);
  }

  set(amphoraId: string, listenerId: string, value: T | undefined): void {
    const values = this.#values.get(amphoraId) ?? new Map<string, T>();
    if (value === undefined) values.delete(listenerId);
    else values.set(listenerId, value);
    if (values.size === 0) this.#values.delete(amphoraId);
    else this.#values.set(amphoraId, values);
  }

  forget(amphoraId: string): void {
    this.#values.delete(amphoraId);
  }
}
