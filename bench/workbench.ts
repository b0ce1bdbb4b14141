// What benchmarks of nodes stand on: a PostgreSQL of their own, folders that go when they end, and an end for everything.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '../src/db/embedded-postgres.ts';

export interface Workbench {
  /** Of the database. */
  readonly url: string;
  readonly database: pg.Client;
  /** A folder of that name, made when it is not there. */
  readonly folder: (name: string) => string;
  /** Called when the work has ended, however it did; the last given first. */
  readonly onEnd: (end: () => Promise<unknown>) => void;
}

export async function atWorkbench<T>(work: (bench: Workbench) => Promise<T>): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'amphi-bench-'));
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const dataDir = join(root, 'database');
    ends.push(() => removeEmbeddedPostgres(dataDir));
    const { url } = await startEmbeddedPostgres({ dataDir, log: () => undefined });
    const database = new pg.Client({ connectionString: url });
    await database.connect();
    ends.push(() => database.end());
    const folder = (name: string): string => {
      const path = join(root, name);
      mkdirSync(path, { recursive: true, mode: 0o700 });
      return path;
    };
    return await work({ url, database, folder, onEnd: (end) => void ends.push(end) });
  } finally {
    for (const end of ends.toReversed()) await end();
    rmSync(root, { recursive: true, force: true });
  }
}

/** What benchmarks tell while they are at it; the result alone goes to the standard output. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
