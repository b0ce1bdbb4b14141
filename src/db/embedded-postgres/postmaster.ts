// A running PostgreSQL server as its data directory and /proc show it: found, waited for and stopped by process id.
import { readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedPostgresError } from './failure.ts';

export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly status: 'starting' | 'ready' | 'stopping';
}

const pollMs = 20;

/** The server that runs on this data directory, by its `postmaster.pid`; undefined when none does. */
export function findPostmaster(data: string): Postmaster | undefined {
  const lines = readPidFile(data);
  const pid = Number(lines[0]);
  if (lines.length === 0 || !Number.isInteger(pid) || !runsIn(pid, data)) return undefined;
  const word = lines[7]?.trim();
  const status = word === 'ready' || word === 'stopping' ? word : 'starting';
  return { pid, port: Number(lines[3] ?? 0), status };
}

/**
 * Removes a `postmaster.pid` whose process id now belongs to an unrelated process, as happens after a restart of the
 * machine. PostgreSQL itself would refuse to start.
 */
export function removeStalePidFile(data: string): void {
  const pid = Number(readPidFile(data)[0]);
  if (Number.isInteger(pid) && !runsIn(pid, data)) rmSync(join(data, 'postmaster.pid'), { force: true });
}

/** Waits until the server takes connections. Undefined when it ended meanwhile. */
export async function untilReady(
  data: string,
  hasEnded: () => boolean,
  timeoutMs: number,
): Promise<Postmaster | undefined> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    const postmaster = findPostmaster(data);
    if (postmaster?.status === 'ready') return postmaster;
    if (hasEnded()) return undefined;
    await sleep(pollMs);
  }
  throw new EmbeddedPostgresError(`PostgreSQL on ${data} was not ready within ${timeoutMs / 1000} s`);
}

/** Fast shutdown: ends sessions, writes everything, resolves when the server is gone. */
export async function stopPostmaster(data: string, timeoutMs = 60_000): Promise<void> {
  const postmaster = findPostmaster(data);
  if (postmaster === undefined) return;
  signal(postmaster.pid, 'SIGINT');
  const deadline = Date.now() + timeoutMs;
  while (runsIn(postmaster.pid, data)) {
    if (Date.now() > deadline) {
      throw new EmbeddedPostgresError(
        `PostgreSQL (process ${postmaster.pid}) did not stop within ${timeoutMs / 1000} s`,
      );
    }
    await sleep(pollMs);
  }
}

function readPidFile(data: string): readonly string[] {
  try {
    return readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** Whether that process is a PostgreSQL server on this data directory: servers make it their working directory. */
function runsIn(pid: number, data: string): boolean {
  try {
    // A zombie, which nobody has reaped yet, has no working directory any more.
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data);
  } catch {
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
