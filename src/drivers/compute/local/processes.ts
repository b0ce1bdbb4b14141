// Which processes belong to which local amphora, as /proc says. Each carries its amphora's folder in its environment,
// inherited by all it starts; this is what finds them when every record is lost, whatever they are called.
import { readdirSync, readFileSync } from 'node:fs';

/** In the environment of an amphora's processes: its folder. Must not change: running amphorae are found by it. */
export const folderVariable = 'AMPHI_AMPHORA_FOLDER';
/** In the environment of an amphora's processes: the deployment it belongs to. Must not change. */
export const deploymentVariable = 'AMPHI_AMPHORA_DEPLOYMENT';

export interface AmphoraProcess {
  readonly pid: number;
  readonly processGroup: number;
  /** Clock ticks from the machine's start: tells a process from a later one with the same id. */
  readonly startedAt: number;
  readonly folder: string;
  readonly deploymentId: string;
  /** The agent itself, not something it started. */
  readonly isAgent: boolean;
}

/** All processes of local amphorae on this machine that we may look into. Zombies count as gone. */
export function amphoraProcesses(): readonly AmphoraProcess[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (inspect(Number(name)) ?? []) : []));
}

/** Whether the process with this id and start time still runs. */
export function isAlive(pid: number, startedAt: number): boolean {
  return statOf(pid)?.startedAt === startedAt;
}

/** Start time of a running process; undefined when it is gone. */
export function startTimeOf(pid: number): number | undefined {
  return statOf(pid)?.startedAt;
}

/** Kills the whole group of each process. A group is never ours: amphorae are started in sessions of their own. */
export function killGroups(processes: readonly AmphoraProcess[]): void {
  const targets = processes.flatMap(({ processGroup, pid }) => (processGroup > 1 ? [-processGroup, pid] : [pid]));
  for (const target of new Set(targets)) {
    try {
      process.kill(target, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function inspect(pid: number): AmphoraProcess | undefined {
  const environment = read(`/proc/${pid}/environ`)?.split('\0');
  const folder = valueOf(environment, folderVariable);
  const stat = folder === undefined ? undefined : statOf(pid);
  if (folder === undefined || stat === undefined) return undefined;
  const words = read(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
  const deploymentId = valueOf(environment, deploymentVariable) ?? '';
  return { pid, ...stat, folder, deploymentId, isAgent: words[words.indexOf('--root') + 1] === folder };
}

function valueOf(environment: readonly string[] | undefined, name: string): string | undefined {
  return environment?.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** Undefined for a zombie, which nobody may ever reap where process 1 is no init. */
function statOf(pid: number): { readonly processGroup: number; readonly startedAt: number } | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The name, in parentheses, may hold anything; the fields after it are numbered from 3 (proc_pid_stat(5)).
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state = 'X', , processGroup] = fields ?? [];
  if (fields === undefined || state === 'Z' || state === 'X') return undefined;
  return { processGroup: Number(processGroup), startedAt: Number(fields[22 - 3]) };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
