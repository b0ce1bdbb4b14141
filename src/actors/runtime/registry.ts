// Every live actor of this process, for inspection: what it is, what it waits for, how it fared.

export interface ActorRecord {
  readonly path: string;
  readonly kind: string;
  readonly startedAt: number;
  /** Messages waiting, the one in hand included. */
  pending: number;
  processed: number;
  restarts: number;
  lastError: { readonly message: string; readonly at: number } | undefined;
  /** Type of the message in hand; undefined when idle. */
  handling: string | undefined;
  lastActiveAt: number;
  /** What the actor says of itself; called by inspection only. */
  describe: (() => unknown) | undefined;
}

export class Registry {
  readonly #records = new Map<string, ActorRecord>();
  /** Messages that found no actor, newest last. */
  readonly #deadLetters: DeadLetter[] = [];
  deadLetterCount = 0;

  add(path: string, kind: string): ActorRecord {
    const now = Date.now();
    const record: ActorRecord = {
      path,
      kind,
      startedAt: now,
      pending: 0,
      processed: 0,
      restarts: 0,
      lastError: undefined,
      handling: undefined,
      lastActiveAt: now,
      describe: undefined,
    };
    this.#records.set(path, record);
    return record;
  }

  remove(record: ActorRecord): void {
    if (this.#records.get(record.path) === record) this.#records.delete(record.path);
  }

  find(path: string): ActorRecord | undefined {
    return this.#records.get(path);
  }

  /** All of them, sorted by path. */
  all(): readonly ActorRecord[] {
    return [...this.#records.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  }

  get size(): number {
    return this.#records.size;
  }

  addDeadLetter(path: string, type: string): void {
    this.deadLetterCount++;
    this.#deadLetters.push({ path, type, at: Date.now() });
    if (this.#deadLetters.length > deadLetterLimit) this.#deadLetters.shift();
  }

  deadLetters(): readonly DeadLetter[] {
    return this.#deadLetters;
  }
}

export interface DeadLetter {
  readonly path: string;
  readonly type: string;
  readonly at: number;
}

const deadLetterLimit = 1_000;
