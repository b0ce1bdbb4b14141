// Real processes for tests: started, listened to, and all gone when the test file is done.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll } from '@jest/globals';
import { waitFor } from './wait-for.ts';

export interface StartedProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Everything that was printed so far. */
  output(): string;
  /** Waits until the output matches, and gives the match. Fails early when the process ends. */
  prints(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): void;
}

export interface StartProcess {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/**
 * A function that starts processes. What still runs when the test file is done is killed, and the file fails: a test has
 * to end what it starts. Call it at the top level.
 */
export function processes(): (command: string, args: readonly string[], options?: StartProcess) => StartedProcess {
  const started: StartedProcess[] = [];
  afterAll(async () => {
    const left = started.filter(({ pid }) => isRunning(pid));
    for (const process of left) process.kill('SIGKILL');
    await Promise.all(started.map((process) => process.ended));
    if (left.length > 0)
      throw new Error(`left running: ${left.map(({ child }) => child.spawnargs.join(' ')).join('; ')}`);
  });
  return (command, args, options = {}) => {
    const process = startProcess(command, args, options);
    started.push(process);
    return process;
  };
}

/** Whether the process exists and is more than a zombie. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

function startProcess(command: string, args: readonly string[], { env, cwd }: StartProcess): StartedProcess {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  let end: number | NodeJS.Signals | undefined;
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('error', (error) => {
      output += error.message;
      resolve((end = -1));
    });
    child.on('close', (code, signal) => resolve((end = code ?? signal ?? -1)));
  });
  return {
    child,
    pid: child.pid ?? -1,
    output: () => output,
    ended,
    kill: (signal) => void child.kill(signal),
    prints: async (pattern, timeoutMs = 20_000) => {
      const match = await waitFor(() => output.match(pattern) ?? end !== undefined, {
        timeoutMs,
        describe: `${pattern} from ${command} ${args.join(' ')}, which printed: ${output.slice(-2000)}`,
      });
      if (typeof match === 'object') return match;
      throw new Error(`${command} ended with ${end} without printing ${pattern}; it printed: ${output.slice(-2000)}`);
    },
  };
}
