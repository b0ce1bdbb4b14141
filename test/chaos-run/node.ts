// One node of the cluster: a real process that can be killed, frozen, cut off from its database, and started again.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { connectCommandChannel } from '../../src/channels/command/client.ts';
import { readRunFile } from '../../src/config/data-folder.ts';
import { type DatabaseProxy, startDatabaseProxy } from '../support/database-proxy.ts';
import type { Address } from './client.ts';

export interface NodeOptions {
  readonly number: number;
  /** Folders with `bin/amphi` and `dist/`: each start takes the next one, and the last for good. */
  readonly installations: readonly string[];
  /** Made when missing. */
  readonly folder: string;
  readonly databaseUrl: string;
  /** Environment variables for that installation. */
  readonly settings: (installation: string) => Readonly<Record<string, string>>;
}

const serveTimeoutMs = 60_000;

export class ChaosNode {
  readonly #options: NodeOptions;
  readonly #proxy: DatabaseProxy;
  #process: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #id: string | undefined;
  #isStopped = false;
  #starts = 0;

  private constructor(options: NodeOptions, proxy: DatabaseProxy) {
    this.#options = options;
    this.#proxy = proxy;
  }

  /** Its wire to the database, and no process yet. */
  static async prepare(options: NodeOptions): Promise<ChaosNode> {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    return new ChaosNode(options, await startDatabaseProxy(options.databaseUrl));
  }

  /** The id of the running process in `nodes` and `shards`. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Waits until it serves, when it was started again a moment ago. Gives that id. */
  async up(): Promise<string> {
    while (this.#id === undefined) await wait(20);
    return this.#id;
  }

  /** Where its command channel is; undefined while it does not run. */
  address(): Address | undefined {
    const run = readRunFile(this.#options.folder);
    if (run === undefined || run.pid !== this.#process?.pid) return undefined;
    const token = readFileSync(join(this.#options.folder, 'control.token'), 'utf8').trim();
    return { url: `ws://127.0.0.1:${run.controlPort}/command`, token };
  }

  /** Starts a process and waits until it serves. One that ends before, for want of a database say, is started anew. */
  async start(): Promise<void> {
    const { installations } = this.#options;
    const installation = installations[Math.min(this.#starts++, installations.length - 1)] ?? '';
    const deadline = Date.now() + serveTimeoutMs;
    while (!this.#isStopped) {
      if (this.#process === undefined) this.#spawn(installation);
      const address = this.address();
      if (address !== undefined) {
        const connection = await connectCommandChannel(address).catch(() => undefined);
        const info = await connection?.call('server.info', {}).catch(() => undefined);
        await connection?.close();
        if (info !== undefined) return void (this.#id = info.nodeId);
      }
      if (Date.now() > deadline) throw new Error(`node ${this.#options.number} does not serve: ${this.logTail()}`);
      await wait(20);
    }
  }

  /** Ends it as an operator would. */
  async end(): Promise<void> {
    this.#process?.kill('SIGTERM');
    const patience = setTimeout(() => this.#process?.kill('SIGKILL'), 10_000);
    await this.#ended;
    clearTimeout(patience);
    this.#id = undefined;
  }

  /** SIGKILL. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#ended;
    this.#id = undefined;
  }

  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  goOn(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Breaks its database connections; it may make new ones at once. */
  cut(): void {
    this.#proxy.cut();
  }

  /** From now on nothing travels between it and the database, and neither is told. */
  partition(): void {
    this.#proxy.freeze();
  }

  heal(): void {
    this.#proxy.thaw();
  }

  /** Ends it for good, and its wire. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#proxy.thaw();
    this.goOn();
    await this.end();
    await this.#proxy.close();
  }

  logTail(): string {
    const file = this.#logFile;
    return existsSync(file) ? readFileSync(file, 'utf8').slice(-2_000) : '';
  }

  get #logFile(): string {
    return join(this.#options.folder, 'node.log');
  }

  #spawn(installation: string): void {
    const { folder, settings } = this.#options;
    const { DATABASE_URL: _, ...inherited } = process.env;
    const env = {
      ...inherited,
      AMPHI_DATA_DIR: folder,
      AMPHI_DATABASE_URL: this.#proxy.url,
      ...settings(installation),
    };
    const log = openSync(this.#logFile, 'a', 0o600);
    const child = spawn(join(installation, 'bin/amphi'), ['run', '--roles', 'worker,health,housekeeping'], {
      env,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#process = child;
    this.#ended = new Promise((resolve) =>
      child.once('close', () => {
        if (this.#process === child) this.#process = undefined;
        resolve();
      }),
    );
    child.once('error', () => undefined);
  }
}
