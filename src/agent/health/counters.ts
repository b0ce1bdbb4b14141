// Turns haproxy's totals into what was not yet reported. What was seen last is kept in a file, so that an agent that is
// restarted beside a living haproxy doesn't count anything twice.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { ListenerStatistics } from '../../domain/health/message.ts';
import type { HaproxyStatistics } from '../haproxy/stats.ts';

const counters = ['tx', 'rx', 'totconns', 'ereq'] as const;
type Counters = Record<(typeof counters)[number], number>;

interface Seen extends Counters {
  /** The haproxy process that counted; the next one begins at 0. */
  readonly worker: number;
}

const zero: Counters = { tx: 0, rx: 0, totconns: 0, ereq: 0 };

export class DeltaCounters {
  readonly #file: string;
  readonly #seen: Map<string, Seen>;
  readonly #unreported: Map<string, Counters>;
  #changed = false;

  /** Reads what the last run has left in `file`; a file that is missing or broken counts as empty. */
  constructor(file: string) {
    this.#file = file;
    const kept = read(file);
    this.#seen = mapOf(kept.seen, ['worker', ...counters]);
    this.#unreported = mapOf(kept.unreported, counters);
  }

  /** Adds what a worker counted since it was looked at last. */
  add({ worker, listeners }: HaproxyStatistics): void {
    for (const [id, { stats }] of Object.entries(listeners)) {
      const before = this.#seen.get(id);
      const base = before?.worker === worker ? before : zero;
      if (before?.worker === worker && counters.every((name) => before[name] === stats[name])) continue;
      const sum = this.#unreported.get(id) ?? { ...zero };
      // A counter that went down was reset by somebody: it too counts from 0.
      for (const name of counters) sum[name] += stats[name] - (stats[name] >= base[name] ? base[name] : 0);
      this.#unreported.set(id, sum);
      this.#seen.set(id, { worker, tx: stats.tx, rx: stats.rx, totconns: stats.totconns, ereq: stats.ereq });
      this.#changed = true;
    }
  }

  /** What was counted for a listener since it was taken last, beside the gauge given. */
  take(listenerId: string, conns: number): ListenerStatistics {
    const { tx, rx, totconns, ereq } = this.#unreported.get(listenerId) ?? zero;
    this.#changed = this.#unreported.delete(listenerId) || this.#changed;
    return { tx, rx, conns, totconns, ereq };
  }

  /** Forgets listeners other than these. */
  keepOnly(listenerIds: ReadonlySet<string>): void {
    for (const id of this.#seen.keys()) {
      if (listenerIds.has(id)) continue;
      this.#seen.delete(id);
      this.#unreported.delete(id);
      this.#changed = true;
    }
  }

  /** Writes the file when there is something new. To be called before what was taken is sent. */
  save(): void {
    if (!this.#changed) return;
    const kept: Kept = { seen: Object.fromEntries(this.#seen), unreported: Object.fromEntries(this.#unreported) };
    writeFileSync(`${this.#file}.new`, JSON.stringify(kept), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
    this.#changed = false;
  }
}

interface Kept {
  readonly seen?: unknown;
  readonly unreported?: unknown;
}

function read(file: string): Kept {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as Kept | null) ?? {};
  } catch {
    return {};
  }
}

/** The entries of an object that have a number under every one of `names`. */
function mapOf<T extends object>(value: unknown, names: readonly (keyof T)[]): Map<string, T> {
  const entries = Object.entries((value ?? {}) as Record<string, T | null>);
  return new Map(
    entries.filter((entry): entry is [string, T] => names.every((name) => Number.isFinite(entry[1]?.[name]))),
  );
}
