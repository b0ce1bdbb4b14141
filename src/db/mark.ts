// Notices that the database went back in time, restored from an older backup say. `deployment.mark` rises as long as nodes
// run; each keeps in a file of its data folder how high it has seen it. A lower one means that what happened in between is
// forgotten, while the world outside remembers it: `deployment.observing` then says why nodes must not act.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';

interface Seen {
  readonly deployment: string;
  readonly mark: number;
  /** ISO 8601, by this node's clock; for people. */
  readonly at: string;
}

export interface DatabaseMarkOptions {
  readonly pool: Pool;
  readonly dataDir: string;
  /** Hears once that the database went back, and why that is known. */
  readonly onWentBack: (reason: string) => void;
}

const fileName = 'database.mark';
/** What is lost without being noticed is younger than this. */
const intervalMs = 10_000;
/** Higher than any node can have seen before: a thousand nodes take three hundred years for as many refreshes. */
const acceptedAhead = 1_000_000_000_000;

const refreshSql = `
  update deployment set
    mark = mark + case when observing is null and not (id::text = $1 and mark < $2) then 1 else 0 end,
    observing = case when id::text = $1 and mark < $2 then coalesce(observing, $3) else observing end
  returning id, mark, id::text = $1 and mark < $2 as went_back`;

export class DatabaseMark {
  readonly #options: DatabaseMarkOptions;
  readonly #file: string;
  #timer: NodeJS.Timeout | undefined;
  #hasTold = false;

  constructor(options: DatabaseMarkOptions) {
    this.#options = options;
    this.#file = join(options.dataDir, fileName);
  }

  /** Compares, and remembers what is there now. One round trip. @throws Error when the database takes no writes */
  async refresh(): Promise<void> {
    const seen = this.#read();
    const reason =
      `the database was restored from an older backup: ${hostname()} saw a later state of it at ${seen?.at}. ` +
      '`amphi db restore-check` shows what differs, `--accept` lets nodes work again';
    const { rows } = await this.#options.pool.query<{ id: string; mark: string; went_back: boolean }>(refreshSql, [
      seen?.deployment ?? '',
      seen?.mark ?? 0,
      reason,
    ]);
    const [row] = rows;
    if (row === undefined) return;
    if (!row.went_back)
      return this.#write({ deployment: row.id, mark: Number(row.mark), at: new Date().toISOString() });
    if (!this.#hasTold) this.#options.onWentBack(reason);
    this.#hasTold = true;
  }

  /** Refreshes now and then. A database that is away is asked again the next time. */
  start(): void {
    const again = () => {
      this.#timer = setTimeout(
        () =>
          void this.refresh()
            .catch(() => undefined)
            .finally(again),
        intervalMs,
      );
      this.#timer.unref();
    };
    again();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Undefined at the first start, and where the file cannot be read any more. */
  #read(): Seen | undefined {
    try {
      return JSON.parse(readFileSync(this.#file, 'utf8')) as Seen;
    } catch {
      return undefined;
    }
  }

  #write(seen: Seen): void {
    writeFileSync(`${this.#file}.new`, `${JSON.stringify(seen)}\n`, { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

/** Why nodes must not act; null while they may. */
export async function observingReason(pool: Pick<Pool, 'query'>): Promise<string | null> {
  const { rows } = await pool.query<{ observing: string | null }>('select observing from deployment');
  return rows[0]?.observing ?? null;
}

/** Lets nodes work with the database as it is now. Idempotent. No node that has seen more than it holds objects again. */
export async function acceptDatabase(pool: Pick<Pool, 'query'>): Promise<void> {
  await pool.query('update deployment set observing = null, mark = mark + $1 where observing is not null', [
    acceptedAhead,
  ]);
}
