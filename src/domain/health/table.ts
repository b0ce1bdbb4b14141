// The newest of every amphora's heartbeats, compact. Tells what brings something new from what only says "I live".
import { createHash } from 'node:crypto';
import type { HeartbeatMessage, ListenerReport, PoolReport } from './message.ts';

/** What heartbeats say of a load balancer's objects. */
export interface Observation {
  readonly listeners: Readonly<Record<string, ListenerReport>>;
  readonly pools: Readonly<Record<string, PoolReport>>;
}

interface Seen {
  /** Milliseconds on a monotonic clock. */
  at: number;
  seq: number;
  /** Statuses in one text; statistics are not part of it. */
  statuses: string;
  /** Undefined while only other nodes have heard it. */
  observation: Observation | undefined;
}

/** Differs from the statuses of every message. */
const unheard = '?';

export class HeartbeatTable {
  readonly #seen = new Map<string, Seen>();
  /** Amphora → digest of statuses that are known already, though this table has not heard them. */
  readonly #presumed = new Map<string, string>();

  get size(): number {
    return this.#seen.size;
  }

  /** Takes a heartbeat in. True when it brings statuses that differ from those before. */
  fold(message: HeartbeatMessage, at: number): boolean {
    const statuses = statusText(message);
    const { listeners, pools, seq } = message;
    const seen = this.#seen.get(message.id);
    if (seen === undefined) {
      this.#seen.set(message.id, { at, seq, statuses, observation: { listeners, pools } });
      return !this.#isPresumed(message.id, statuses);
    }
    seen.at = at;
    seen.seq = seq;
    if (seen.statuses === statuses) return false;
    seen.statuses = statuses;
    seen.observation = { listeners, pools };
    return !this.#isPresumed(message.id, statuses);
  }

  /** Asked once: from then on the table knows better. */
  #isPresumed(amphoraId: string, statuses: string): boolean {
    const digest = this.#presumed.get(amphoraId);
    this.#presumed.delete(amphoraId);
    return digest !== undefined && digest === digestOf(statuses);
  }

  /** It was heard by another node. */
  touch(amphoraId: string, at: number): void {
    const seen = this.#seen.get(amphoraId);
    if (seen === undefined) {
      this.#seen.set(amphoraId, { at, seq: 0, statuses: unheard, observation: undefined });
    } else {
      seen.at = Math.max(seen.at, at);
    }
  }

  /** What it says next counts as new, unless its statuses have this digest. */
  expectNews(amphoraId: string, unless: string | undefined): void {
    const seen = this.#seen.get(amphoraId);
    if (seen !== undefined) seen.statuses = unheard;
    if (unless === undefined) this.#presumed.delete(amphoraId);
    else this.#presumed.set(amphoraId, unless);
  }

  /** Of the statuses in what the amphora said last; undefined when it was not heard here. */
  digest(amphoraId: string): string | undefined {
    const statuses = this.#seen.get(amphoraId)?.statuses;
    return statuses === undefined || statuses === unheard ? undefined : digestOf(statuses);
  }

  /** When the amphora was heard last; undefined when never. */
  lastSeen(amphoraId: string): number | undefined {
    return this.#seen.get(amphoraId)?.at;
  }

  observation(amphoraId: string): Observation | undefined {
    return this.#seen.get(amphoraId)?.observation;
  }

  forget(amphoraId: string): void {
    this.#seen.delete(amphoraId);
    this.#presumed.delete(amphoraId);
  }
}

function digestOf(statuses: string): string {
  return createHash('sha1').update(statuses).digest('base64');
}

function statusText({ listeners, pools }: HeartbeatMessage): string {
  let text = '';
  for (const id in listeners) text += `${id}=${listeners[id]?.status};`;
  for (const id in pools) {
    const pool = pools[id];
    text += `${id}=${pool?.status}{`;
    for (const member in pool?.members) text += `${member}=${pool.members[member]};`;
    text += '}';
  }
  return text;
}
