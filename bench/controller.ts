// A controller of its own for a benchmark: `amphi up` in a fresh data folder, on ports nobody else uses.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readRunFile, type RunFile } from '../src/config/data-folder.ts';
import { removeEmbeddedPostgres } from '../src/db/embedded-postgres.ts';

export interface BenchController {
  readonly run: RunFile;
  readonly token: string;
  stop(): Promise<void>;
}

const executable = fileURLToPath(new URL('../../../bin/amphi', import.meta.url));

/** `settings` are environment variables over the defaults. @throws Error with what it printed when it does not come up */
export async function startController(settings: Readonly<Record<string, string>>): Promise<BenchController> {
  const dataDir = mkdtempSync(join(tmpdir(), 'amphi-bench-'));
  const { DATABASE_URL: _, ...inherited } = process.env;
  const ports = { AMPHI_API_PORT: '0', AMPHI_CONTROL_PORT: '0', AMPHI_HEARTBEAT_PORT: '0' };
  const child = spawn(executable, ['up'], {
    env: { ...inherited, ...ports, AMPHI_DATA_DIR: dataDir, AMPHI_LOG_LEVEL: 'warn', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (output += text.toString()));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for (const deadline = Date.now() + 60_000; readRunFile(dataDir) === undefined; await wait(50)) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`the controller did not come up:\n${output}`);
  }
  const run = readRunFile(dataDir);
  if (run === undefined) throw new Error('the run file has vanished');
  const token = readFileSync(join(dataDir, 'control.token'), 'utf8').trim();
  return {
    run,
    token,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      await removeEmbeddedPostgres(dataDir);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
