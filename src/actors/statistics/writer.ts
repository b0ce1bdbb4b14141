// Writes what amphorae have counted, every now and then, in batches. A batch has a number and is written once, however often
// it is tried; what is counted meanwhile waits for the next time. Sums grow with the number of listeners, not with time.
import type { Logger } from 'pino';
import { Accumulator, type Counted } from '../../domain/statistics/accumulator.ts';
import type { HeartbeatMessage } from '../../domain/health/message.ts';
import type { Usage } from '../../domain/statistics/usage.ts';

export interface StatisticsWriterOptions {
  readonly intervalMs: number;
  /**
   * Writes a batch of this process, once: a number that was written already changes nothing. Gives what the projects used in
   * it, which is nothing for a repeat.
   */
  readonly write: (batch: number, rows: readonly Counted[]) => Promise<readonly Usage[]>;
  /** Is told of every batch that was written, once at most. */
  readonly meter: (usages: readonly Usage[]) => Promise<void>;
  readonly log: Logger;
}

const mostRows = 2_000;
const retryMs = 1_000;

export class StatisticsWriter {
  readonly #options: StatisticsWriterOptions;
  readonly #accumulator = new Accumulator();
  readonly #timer: NodeJS.Timeout;
  readonly #stopping = new AbortController();
  #batch = 0;
  /** Rows written since the start. */
  written = 0;
  #writing: Promise<void> | undefined;

  constructor(options: StatisticsWriterOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.flush(), options.intervalMs);
  }

  /** Rows that are not written yet. */
  get waiting(): number {
    return this.#accumulator.size;
  }

  /** Takes what a heartbeat counts. To be called once for each. */
  count(message: HeartbeatMessage): void {
    this.#accumulator.add(message);
  }

  forget(amphoraId: string): void {
    this.#accumulator.forget(amphoraId);
  }

  /** Resolves once everything that was counted before is written, or the writer has stopped. */
  flush(): Promise<void> {
    this.#writing ??= this.#writeAll().finally(() => (this.#writing = undefined));
    return this.#writing;
  }

  /** Writes what is left. Gives up when the database does not take it within `ms`. */
  async stop(ms: number): Promise<void> {
    clearInterval(this.#timer);
    const timer = setTimeout(() => this.#stopping.abort(), ms);
    await this.flush();
    // What came while the last batch was under way.
    await this.flush();
    clearTimeout(timer);
  }

  async #writeAll(): Promise<void> {
    for (let left = this.#accumulator.size; left > 0 && !this.#stopping.signal.aborted; left -= mostRows) {
      const rows = this.#accumulator.take(Math.min(left, mostRows));
      await this.#write(++this.#batch, rows);
    }
  }

  async #write(batch: number, rows: readonly Counted[]): Promise<void> {
    const { write, meter, log } = this.#options;
    const { signal } = this.#stopping;
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        const usages = await write(batch, rows);
        this.written += rows.length;
        if (usages.length > 0) await meter(usages);
        return;
      } catch (error) {
        if (tries === 1) log.warn({ err: error, rows: rows.length }, 'statistics could not be written; they wait');
        await pause(retryMs, signal);
      }
    }
    log.error({ rows: rows.length }, 'statistics were not written before this node stopped');
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
