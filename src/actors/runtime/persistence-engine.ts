// nact's persistence engine on our journal. nact counts what it persists and advances its count before the write, also
// for writes that are refused; so the numbers that count are the ones that travel in our data, and nact's are ignored.
import type { PersistedEvent, PersistedSnapshot, PersistenceEngine } from 'nact';
import type { Entry, JournalPort, LoadedEntity, AppendResult, Fence } from '../../domain/journal.ts';
import { OutcomeUnknownError, StaleEpochError } from '../../domain/journal.ts';
import type { EntityKind } from '../../domain/entity.ts';
import { upcastEvents, upcastSnapshot } from '../../domain/upcast.ts';

/** One journal entry as the entity's receive function meets it during a replay. */
export interface ReplayedEntry {
  readonly seq: number;
  readonly events: readonly unknown[];
  readonly commandId: string | null;
}

export interface SnapshotData {
  readonly seq: number;
  readonly state: unknown;
}

/** Goes through nact's `ctx.persist` to the engine and brings the outcome back, which nact would drop. */
export interface Writing {
  readonly entry: Entry;
  result: AppendResult | undefined;
}

export interface EngineOptions {
  readonly journal: JournalPort;
  readonly schemaVersions: Readonly<Record<EntityKind, number>>;
  readonly fenceOf: (id: string) => Fence;
  /** An append was refused because of its fence. */
  readonly onStale: (fence: Fence) => void;
  readonly onSnapshotFailed: (key: string, error: unknown) => void;
  /** Ends waiting for a database that is away. */
  readonly closing: AbortSignal;
}

const reconnectDelayMs = { first: 50, longest: 2_000 };

export function keyOf(kind: EntityKind, id: string): string {
  return `${kind}/${id}`;
}

function parseKey(key: string): { readonly kind: EntityKind; readonly id: string } {
  const slash = key.indexOf('/');
  return { kind: key.slice(0, slash) as EntityKind, id: key.slice(slash + 1) };
}

export class JournalPersistenceEngine implements PersistenceEngine {
  readonly #options: EngineOptions;
  /** Loaded, and on its way to the actor that recovers from it. */
  readonly #loaded = new Map<string, LoadedEntity>();

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Hands over what was loaded to find out whether the entity exists, so that it is not loaded twice. */
  prime(key: string, loaded: LoadedEntity | undefined): void {
    this.#loaded.set(key, loaded ?? nothingLoaded);
  }

  /** Loads an entity; waits for the database while it is away. */
  async load(key: string): Promise<LoadedEntity | undefined> {
    const { kind, id } = parseKey(key);
    for (let delay = reconnectDelayMs.first; ; delay = Math.min(delay * 2, reconnectDelayMs.longest)) {
      try {
        return await this.#options.journal.load(kind, id);
      } catch (error) {
        if (!(error instanceof OutcomeUnknownError)) throw error;
        await waitFor(delay, this.#options.closing);
      }
    }
  }

  async latestSnapshot(key: string): Promise<PersistedSnapshot> {
    const loaded = this.#loaded.get(key) ?? (await this.load(key)) ?? nothingLoaded;
    this.#loaded.set(key, loaded);
    const { kind } = parseKey(key);
    const { snapshot } = loaded;
    if (snapshot === null) return noSnapshot;
    const version = this.#options.schemaVersions[kind];
    const state = upcastSnapshot(kind, snapshot.schemaVersion, version, snapshot.state);
    if (state === undefined) throw new Error(`snapshot of ${key} is of a version that can't be read any more`);
    const data: SnapshotData = { seq: snapshot.seq, state };
    return { data, sequenceNumber: snapshot.seq, key, createdAt: Date.now() };
  }

  events(key: string): ReturnType<PersistenceEngine['events']> {
    const { kind } = parseKey(key);
    const version = this.#options.schemaVersions[kind];
    const loaded = this.#loaded.get(key) ?? nothingLoaded;
    this.#loaded.delete(key);
    const events: PersistedEvent[] = loaded.entries.map((entry) => {
      const data: ReplayedEntry = {
        seq: entry.seq,
        events: upcastEvents(kind, entry.schemaVersion, version, entry.events),
        commandId: entry.commandId,
      };
      return { data, sequenceNumber: entry.seq, key, createdAt: 0, isDeleted: false, tags: [] };
    });
    // nact awaits only `reduce`; its declaration asks for a promise beside it.
    return Object.assign(Promise.resolve([]), {
      reduce: async <U>(fold: (previous: U, event: PersistedEvent, index: number) => U, initial: U): Promise<U> =>
        events.reduce(fold, initial),
    });
  }

  /** nact passes what was given to `ctx.persist` after its tags. */
  async persist(_event: PersistedEvent, writing?: Writing): Promise<void> {
    if (writing === undefined) throw new Error('persist needs the entry to write');
    try {
      writing.result = await this.#options.journal.append(writing.entry);
    } catch (error) {
      if (error instanceof StaleEpochError) this.#options.onStale(writing.entry.fence);
      throw error;
    }
  }

  async takeSnapshot(snapshot: PersistedSnapshot): Promise<void> {
    try {
      await this.writeSnapshot(snapshot.key, snapshot.data as SnapshotData);
    } catch (error) {
      // The journal holds everything: the next snapshot will do.
      this.#options.onSnapshotFailed(snapshot.key, error);
    }
  }

  /** @throws StaleEpochError, or what the journal throws */
  async writeSnapshot(key: string, { seq, state }: SnapshotData): Promise<void> {
    const { kind, id } = parseKey(key);
    const fence = this.#options.fenceOf(id);
    const schemaVersion = this.#options.schemaVersions[kind];
    await this.#options.journal.writeSnapshot({ kind, id, fence, seq, schemaVersion, state });
  }
}

const nothingLoaded: LoadedEntity = { isOver: false, fault: null, snapshot: null, entries: [] };

/** nact takes any falsy value for "there is none"; its declaration does not say so. */
const noSnapshot = undefined as unknown as PersistedSnapshot;

function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Error('this process is stopping'));
    const onAbort = () => {
      clearTimeout(timer);
      reject(new Error('this process is stopping'));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
