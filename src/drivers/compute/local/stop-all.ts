// Ends the local amphorae of a folder without a controller: what `amphi down` does.
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readRecord, writeRecord } from './home.ts';
import { amphoraProcesses, killGroups } from './processes.ts';

const pollMs = 20;

/**
 * Kills every process of the amphorae whose folders lie in `folder`, and waits until they are gone. Writes down who did it, so that
 * the next controller need not take them for lost. Gives their number.
 */
export async function stopLocalAmphorae(folder: string): Promise<number> {
  const real = realPath(folder);
  const amphorae = new Set<string>();
  for (;;) {
    const running = amphoraProcesses().filter((one) => dirname(one.folder) === real);
    if (running.length === 0) break;
    for (const { folder: home } of running) amphorae.add(home);
    killGroups(running);
    await sleep(pollMs);
  }
  for (const home of amphorae) {
    const record = readRecord(home);
    if (record !== undefined) writeRecord(home, { ...record, endedBy: 'amphi down' });
  }
  return amphorae.size;
}

function realPath(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}
