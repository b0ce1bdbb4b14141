// Starts a noop world in a process of its own, so that killing a node erases neither the world nor its log.
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { lineReader } from './protocol.ts';

export interface StartWorld {
  readonly logFile?: string | undefined;
  readonly port?: number;
  /** As `ServeWorld` has it. */
  readonly isBoundless?: boolean;
  /** Goes on when this process ends. */
  readonly detached?: boolean;
  /** The built main.js; the one beside this file unless given. */
  readonly main?: string;
}

export interface StartedWorld {
  readonly address: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** @throws Error with what the process printed when it does not come up. */
export function startNoopWorld({
  logFile,
  port = 0,
  isBoundless = false,
  detached = false,
  main = ownMain,
}: StartWorld): Promise<StartedWorld> {
  const flags = [
    ...(logFile === undefined ? [] : ['--log', logFile]),
    ...(detached ? ['--detached'] : []),
    ...(isBoundless ? ['--boundless'] : []),
  ];
  const child = spawn(process.execPath, [main, '--port', String(port), ...flags], {
    stdio: [detached ? 'ignore' : 'pipe', 'pipe', detached ? 'ignore' : 'pipe'],
    detached,
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return new Promise((resolve, reject) => {
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    child.once('error', reject);
    void ended.then(() => reject(new Error(`the noop world did not come up: ${complaint.trim()}`)));
    const read = lineReader((line) => {
      const { address, pid } = JSON.parse(line) as { address: string; pid: number };
      // The world must not keep its starter from ending.
      for (const pipe of [child.stdin, child.stdout, child.stderr]) (pipe as Socket | null)?.unref();
      child.unref();
      const stop = (): Promise<void> => {
        // Whoever waits for its end must not end before.
        child.ref();
        child.kill('SIGTERM');
        return ended;
      };
      resolve({ address, pid, stop });
    });
    child.stdout?.setEncoding('utf8').on('data', read);
  });
}

const ownMain = fileURLToPath(new URL('./main.js', import.meta.url));
