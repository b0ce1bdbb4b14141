// Ends what the test files of a run shared, whether they passed or not.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export default async function globalTeardown() {
  const folder = process.env.AMPHI_TEST_RUN_FOLDER;
  if (folder === undefined) return;
  const record = join(folder, 'postgres.json');
  if (existsSync(record)) await removePostgres(JSON.parse(readFileSync(record, 'utf8')));
  rmSync(folder, { recursive: true, force: true });
}

async function removePostgres({ pid, folder }) {
  const pidFile = join(folder, 'data', 'postmaster.pid');
  const isRunning = () => existsSync(pidFile) && readFileSync(pidFile, 'utf8').startsWith(`${pid}\n`);
  // SIGQUIT: nobody will want the data again.
  if (isRunning()) process.kill(pid, 'SIGQUIT');
  for (let waitedMs = 0; existsSync(`/proc/${pid}/cwd`) && isRunning() && waitedMs < 10_000; waitedMs += 20)
    await sleep(20);
  rmSync(folder, { recursive: true, force: true });
}
