// The journal as entities see it: what an entry is, what becomes of it, and how writing it fails. `src/db/journal.ts`
// keeps it in PostgreSQL.
import type { Claim } from './decision.ts';
import type { EntityKind } from './entity.ts';
import type { ObjectKind } from './load-balancer/state.ts';
import type { RowChanges } from './projection.ts';
import type { Addition } from './quota.ts';

export interface Fence {
  readonly family: string;
  readonly shard: number;
  readonly node: string;
  readonly epoch: number;
}

export interface AnsweredCommand {
  readonly id: string;
  /** SHA-256 of the parameters, hex. */
  readonly digest: string;
  readonly answer: unknown;
}

export interface Entry {
  readonly kind: EntityKind;
  readonly id: string;
  readonly fence: Fence;
  /** The number this entry takes in the entity's journal; undefined when only a command's answer is kept. */
  readonly seq?: number | undefined;
  readonly schemaVersion: number;
  readonly events: readonly unknown[];
  readonly command?: AnsweredCommand | undefined;
  readonly claims?: readonly Claim[] | undefined;
  /** What its project's quotas must have room for. */
  readonly addition?: Addition | undefined;
  readonly rows: RowChanges;
  readonly isOver: boolean;
  readonly hasWork: boolean;
  /** Milliseconds since the epoch. */
  readonly wakeAt?: number | undefined;
  readonly work: unknown;
}

export type AppendResult =
  | { readonly type: 'written' }
  | { readonly type: 'duplicate'; readonly entityId: string; readonly digest: string; readonly answer: unknown }
  | { readonly type: 'claimed'; readonly claim: Claim }
  /** The project has as many of that kind as it may. */
  | { readonly type: 'quotaMet'; readonly kind: ObjectKind };

export interface LoadedEntry {
  readonly seq: number;
  readonly schemaVersion: number;
  readonly events: readonly unknown[];
  /** Of the command that brought it; null when none did. */
  readonly commandId: string | null;
}

/** What there is to recover an entity from. */
export interface LoadedEntity {
  readonly isOver: boolean;
  readonly fault: string | null;
  readonly snapshot: { readonly seq: number; readonly schemaVersion: number; readonly state: unknown } | null;
  readonly entries: readonly LoadedEntry[];
}

export interface SnapshotToWrite {
  readonly kind: EntityKind;
  readonly id: string;
  readonly fence: Fence;
  readonly seq: number;
  readonly schemaVersion: number;
  readonly state: unknown;
}

export interface JournalPort {
  /**
   * Writes an entry, all of it or nothing. Resolves when it is durable. Not idempotent: after OutcomeUnknownError the
   * caller must load the entity to learn what happened.
   *
   * @throws StaleEpochError, SequenceConflictError, OutcomeUnknownError, AppendRejectedError
   */
  append(entry: Entry): Promise<AppendResult>;
  /**
   * What there is of an entity; undefined when there never was one.
   *
   * @throws OutcomeUnknownError when the database is away
   */
  load(kind: EntityKind, id: string): Promise<LoadedEntity | undefined>;
  /** Writes a snapshot, or does nothing when the epoch has passed or a newer one is there. */
  writeSnapshot(snapshot: SnapshotToWrite): Promise<void>;
}

/** The shard of the entity has another owner, or a later epoch: whoever gets this must stop. */
export class StaleEpochError extends Error {
  constructor(kind: string, id: string) {
    super(`${kind} ${id} is owned by another node, or under a later epoch`);
    this.name = 'StaleEpochError';
  }
}

/** The journal is not where its owner thinks: recover and try again. */
export class SequenceConflictError extends Error {
  constructor(kind: string, id: string, expected: number, found: number | undefined) {
    super(`journal of ${kind} ${id}: expected to write entry ${expected}, but its newest is ${found ?? 'missing'}`);
    this.name = 'SequenceConflictError';
  }
}

/**
 * The connection was lost, or the server stopped, while a write was on its way: it may or may not have happened. Also when
 * the server takes no writes now, being read-only or full, and when it was not reached: those have not.
 */
export class OutcomeUnknownError extends Error {
  constructor(cause: unknown) {
    super('the database was lost during a write; whether it happened is not known', { cause });
    this.name = 'OutcomeUnknownError';
  }
}

/** The database refuses an entry for what is in it: written again, it would be refused again. */
export class AppendRejectedError extends Error {
  constructor(kind: string, id: string, cause: unknown) {
    super(`the database rejects an entry of ${kind} ${id}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.name = 'AppendRejectedError';
  }
}
