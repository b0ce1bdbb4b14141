// A process of `amphi` for a benchmark, in a data folder of its own.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readRunFile, type RunFile } from '../src/config/data-folder.ts';

export interface BenchNode {
  readonly run: RunFile;
  readonly token: string;
  /** Sends a signal and waits until the process is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

const executable = fileURLToPath(new URL('../../../bin/amphi', import.meta.url));

/**
 * `args` are those of `amphi`, `settings` environment variables over the defaults; ports are free ones. Resolves once it
 * serves. @throws Error with what it printed when it does not come up
 */
export async function startNode(
  args: readonly string[],
  dataDir: string,
  settings: Readonly<Record<string, string>>,
): Promise<BenchNode> {
  const { DATABASE_URL: _, ...inherited } = process.env;
  const ports = { AMPHI_API_PORT: '0', AMPHI_CONTROL_PORT: '0', AMPHI_HEARTBEAT_PORT: '0' };
  const child = spawn(executable, args, {
    env: { ...inherited, ...ports, AMPHI_DATA_DIR: dataDir, AMPHI_LOG_LEVEL: 'warn', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (output += text.toString()));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for (const deadline = Date.now() + 60_000; readRunFile(dataDir)?.pid !== child.pid; await wait(50)) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`amphi did not come up:\n${output}`);
  }
  const run = readRunFile(dataDir);
  if (run === undefined) throw new Error('the run file has vanished');
  const token = readFileSync(join(dataDir, 'control.token'), 'utf8').trim();
  return {
    run,
    token,
    end: async (signal) => {
      child.kill(signal);
      await ended;
    },
  };
}

/** What the node shows at /metrics. */
export async function metricsText({ run, token }: BenchNode): Promise<string> {
  const url = `http://127.0.0.1:${run.controlPort}/metrics`;
  return (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).text();
}
