// A journal in memory that keeps the rules of the real one: fence, sequence, one answer per command, snapshots that never
// go back. What is in it survives every crash; it is stored as JSON, so nothing is shared with who wrote it.
import type { EntityKind } from '../../src/domain/entity.ts';
import type { Bug } from './bugs.ts';

export interface StoredEntry {
  readonly seq: number;
  readonly events: string;
}

export interface Stored {
  entries: StoredEntry[];
  snapshot: { readonly seq: number; readonly state: string } | undefined;
  isOver: boolean;
  hasWork: boolean;
  wakeAt: number | undefined;
}

export interface NewEntry {
  readonly key: string;
  readonly epoch: number;
  readonly seq: number;
  readonly events: readonly unknown[];
  readonly commandId: string | undefined;
  readonly isOver: boolean;
  readonly hasWork: boolean;
  readonly wakeAt: number | undefined;
}

export type Outcome = 'written' | 'stale' | 'conflict' | 'duplicate';

export class FakeJournal {
  readonly #bugs: ReadonlySet<Bug>;
  readonly entities = new Map<string, Stored>();
  /** Commands that took effect → how often. */
  readonly effects = new Map<string, number>();
  /** The epoch of each shard. */
  readonly epochs: number[] = Array.from({ length: shards }, () => 0);
  /** Hears of every entry, for whoever wants to follow a schedule. */
  onEntry: ((entry: NewEntry) => void) | undefined;

  constructor(planted: ReadonlySet<Bug>) {
    this.#bugs = planted;
  }

  append(entry: NewEntry): Outcome {
    if (entry.epoch !== this.epochs[shardOf(entry.key)] && !this.#bugs.has('noFence')) return 'stale';
    const { commandId, key, seq } = entry;
    if (commandId !== undefined && this.effects.has(commandId) && !this.#bugs.has('forgetsAnswers')) return 'duplicate';
    const stored = this.entities.get(key) ?? {
      entries: [],
      snapshot: undefined,
      isOver: false,
      hasWork: false,
      wakeAt: undefined,
    };
    const newest = this.newest(stored);
    // Without a fence a sequence alone would still stop most zombies; a planted bug removes both.
    if (seq !== newest + 1 && !this.#bugs.has('noFence')) return 'conflict';
    stored.entries.push({ seq: newest + 1, events: JSON.stringify(entry.events) });
    this.onEntry?.(entry);
    stored.isOver = entry.isOver;
    stored.hasWork = entry.hasWork;
    stored.wakeAt = entry.wakeAt;
    this.entities.set(key, stored);
    if (commandId !== undefined) this.effects.set(commandId, (this.effects.get(commandId) ?? 0) + 1);
    return 'written';
  }

  newest({ entries, snapshot }: Stored): number {
    return entries.at(-1)?.seq ?? snapshot?.seq ?? 0;
  }

  /** Replaces the entries it covers. */
  writeSnapshot(key: string, epoch: number, seq: number, state: unknown): void {
    const stored = this.entities.get(key);
    if (stored === undefined) return;
    const isNewer = seq > (stored.snapshot?.seq ?? 0);
    if ((epoch !== this.epochs[shardOf(key)] || !isNewer) && !this.#bugs.has('snapshotOverNewer')) return;
    stored.snapshot = { seq, state: JSON.stringify(state) };
    stored.entries = stored.entries.filter((entry) => entry.seq > seq);
  }
}

/** Each has an owner of its own. */
export const shards = 2;

export function shardOf(key: string): number {
  let sum = 0;
  for (let index = 0; index < key.length; index++) sum += key.charCodeAt(index);
  return sum % shards;
}

export function keyOf(kind: EntityKind, id: string): string {
  return `${kind}/${id}`;
}
