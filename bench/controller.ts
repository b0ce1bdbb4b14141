// A controller of its own for a benchmark: `amphi up` in a fresh data folder, on ports nobody else uses.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunFile } from '../src/config/data-folder.ts';
import { removeEmbeddedPostgres } from '../src/db/embedded-postgres.ts';
import { startNode } from './node.ts';

export interface BenchController {
  readonly run: RunFile;
  readonly token: string;
  stop(): Promise<void>;
}

/** `settings` are environment variables over the defaults. @throws Error with what it printed when it does not come up */
export async function startController(settings: Readonly<Record<string, string>>): Promise<BenchController> {
  const dataDir = mkdtempSync(join(tmpdir(), 'amphi-bench-'));
  const node = await startNode(['up'], dataDir, settings);
  return {
    run: node.run,
    token: node.token,
    stop: async () => {
      await node.end('SIGTERM');
      await removeEmbeddedPostgres(dataDir);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
