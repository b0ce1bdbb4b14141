// One haproxy in master-worker mode: the master is a child of the agent and in its process group, so that an amphora is
// stopped as a whole; reloads go through USR2, which hands the listening sockets to the new worker. Whether a start or
// a reload worked is judged by its effect: another worker answers on the statistics socket.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { workerPid } from './stats.ts';

/** `words` are haproxy's own. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly words: string };

export interface MasterOptions {
  readonly command: string;
  /** Given to haproxy; paths count from the agent's working directory, which haproxy inherits. */
  readonly configurations: readonly string[];
  readonly pidFile: string;
  readonly statsSocket: string;
  readonly peerName: string;
  /** Called when haproxy ended without having been stopped. */
  readonly onDeath: (words: string) => void;
}

const loadTimeoutMs = 20_000;
const stopTimeoutMs = 5000;
const pollMs = 15;
const unheardMs = 500;
const keptWords = 16 * 1024;
/** 2.6 and later; earlier ones. */
const reloadHeard = /Reloading HAProxy|Reexecuting Master process/;
const reloadFailed = /Loading failure|waitpid mode|Failed to load worker/;

export class HaproxyMaster {
  readonly #options: MasterOptions;
  #child: ChildProcess | undefined;
  #printed = '';
  /** Whoever starts or stops it learns of its end from that call. */
  #endExpected = false;

  constructor(options: MasterOptions) {
    this.#options = options;
  }

  isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Starts haproxy and waits until a worker answers. Not to be called while it runs. */
  async start(): Promise<Outcome> {
    await endStray(this.#options);
    const { command, configurations, pidFile, peerName } = this.#options;
    const files = configurations.flatMap((file) => ['-f', file]);
    this.#begin();
    const child = spawn(command, ['-W', '-db', ...files, '-p', pidFile, '-L', peerName], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    this.#endExpected = true;
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    child.on('error', (error) => this.#hear(`${error.message}\n`));
    child.on('close', () => this.#ended(child));
    const outcome = await this.#loaded(undefined, () => false);
    if (outcome.ok) this.#endExpected = false;
    else await this.stop();
    return outcome;
  }

  /** Loads the configuration anew; when that fails the old worker goes on serving. Not to be called while it is down. */
  async reload(): Promise<Outcome> {
    const before = await workerPid(this.#options.statsSocket);
    this.#begin();
    // A master that has only just started may miss it. Whoever hears it says so, and then loads for as long as it takes.
    const ask = () => (reloadHeard.test(this.#printed) ? undefined : this.#child?.kill('SIGUSR2'));
    ask();
    const asking = setInterval(ask, unheardMs);
    const outcome = await this.#loaded(before, () => reloadFailed.test(this.#printed));
    clearInterval(asking);
    return outcome;
  }

  /** Ends haproxy and every worker of it, connections too. No error when it is down. */
  async stop(): Promise<void> {
    this.#endExpected = true;
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await ended;
    clearTimeout(timer);
  }

  async #loaded(before: number | undefined, failed: () => boolean): Promise<Outcome> {
    const child = this.#child;
    const deadline = Date.now() + loadTimeoutMs;
    while (child !== undefined && child === this.#child && !failed() && Date.now() < deadline) {
      const now = await workerPid(this.#options.statsSocket);
      if (now !== undefined && now !== before && child === this.#child) return { ok: true };
      await sleep(pollMs);
    }
    return { ok: false, words: this.#words() };
  }

  #begin(): void {
    this.#printed = '';
  }

  #hear(text: string): void {
    this.#printed = (this.#printed + text).slice(-keptWords);
  }

  /** What haproxy complained of; all it printed when nothing looks like a complaint. */
  #words(): string {
    const lines = this.#printed.split('\n').filter((line) => line.trim() !== '');
    const complaints = lines.filter((line) => line.startsWith('[ALERT]'));
    const told = complaints.length > 0 ? complaints : lines;
    return told.length > 0 ? told.join('\n') : 'haproxy printed nothing and did not begin to serve in time';
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    if (!this.#endExpected) this.#options.onDeath(`${child.signalCode ?? `exit ${child.exitCode}`}\n${this.#words()}`);
  }
}

/**
 * Ends the haproxy that an agent which was killed has left behind. The number in the pid file may be another process's
 * by now, therefore command line and working directory must be those of ours.
 */
async function endStray({ pidFile }: MasterOptions): Promise<void> {
  const pid = strayPid(pidFile);
  if (pid === undefined) return;
  const deadline = Date.now() + stopTimeoutMs;
  signal(pid, 'SIGTERM');
  while (strayPid(pidFile) === pid) {
    if (Date.now() > deadline) signal(pid, 'SIGKILL');
    await sleep(pollMs);
  }
}

function strayPid(pidFile: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidFile, 'latin1').split('\n')[0]);
    if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const ours = words.includes(pidFile) && readlinkSync(`/proc/${pid}/cwd`) === process.cwd();
    return ours ? pid : undefined;
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended meanwhile.
  }
}
