// `amphi down`: stops everything that belongs to a data folder, whether or not its controller still runs.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { isRunning, readRunFile, removeRunFile, type RunFile } from '../config/data-folder.ts';
import { isEmbeddedPostgresRunning, stopEmbeddedPostgres } from '../db/embedded-postgres.ts';
import { stopLocalAmphorae } from '../drivers/compute/local/stop-all.ts';
import type { Act } from './act.ts';
import { examples } from './help.ts';

export function downCommand(program: Command, act: Act): void {
  const command = program
    .command('down')
    .description('Stop the controller of the data folder, its local amphorae and its PostgreSQL. Data stays.')
    .action(
      act(async ({ settings, output }) => {
        const stopped = await stopEverything(settings().config.dataDir);
        if (output.isJson) return output.show(stopped);
        output.say(
          stopped.controller === null
            ? 'no controller was running'
            : `controller stopped (process ${stopped.controller})`,
        );
        output.say(`local amphorae stopped: ${stopped.amphorae}`);
        output.say(stopped.postgres ? 'PostgreSQL stopped' : 'no PostgreSQL of this data folder was running');
      }),
    );
  examples(command, 'amphi down', 'amphi --data-dir /tmp/trial down');
}

export interface Stopped {
  /** Process id; null when none ran. */
  readonly controller: number | null;
  readonly amphorae: number;
  /** Whether the one of the data folder ran, and so has ended: its controller may have stopped it. */
  readonly postgres: boolean;
}

/** Idempotent. Amphorae end first after the controller: nobody is left to replace them. */
export async function stopEverything(dataDir: string): Promise<Stopped> {
  const run = readRunFile(dataDir);
  const controller = run !== undefined && isRunning(run) ? run : undefined;
  const postgresRan = isEmbeddedPostgresRunning(dataDir);
  if (controller !== undefined) await stopController(controller);
  if (run !== undefined) removeRunFile(dataDir, run.pid);
  const amphorae = await stopLocalAmphorae(join(dataDir, 'amphorae'));
  const postgres = (await stopEmbeddedPostgres(dataDir)) || postgresRan;
  return { controller: controller?.pid ?? null, amphorae, postgres };
}

const gracefulMs = 15_000;

async function stopController(run: RunFile): Promise<void> {
  const until = Date.now() + gracefulMs;
  for (let signal: NodeJS.Signals | 0 = 'SIGTERM'; isRunning(run); await sleep(50)) {
    try {
      process.kill(run.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    signal = Date.now() > until ? 'SIGKILL' : 0;
  }
}
