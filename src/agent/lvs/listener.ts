// One UDP listener in the amphora: its file, lvs/octavia-keepalivedlvs-<listener>.conf as in OpenStack's agent, and what balances it.
// Changes happen one after the other.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Outcome } from '../haproxy/master.ts';
import type { HaproxyStatistics } from '../haproxy/stats.ts';
import { inTurn } from '../in-turn.ts';
import { Balancer } from './balancer.ts';
import { parseLvs } from './configuration.ts';

const folder = 'lvs';
const filePattern = /^octavia-keepalivedlvs-([0-9a-f-]{36})\.conf$/;

export class LvsListener {
  readonly id: string;
  readonly #log: Logger;
  readonly #moves: () => ReadonlyMap<string, string>;
  readonly #inTurn = inTurn();
  #balancer: Balancer | undefined;
  /** Tells counters of one run from those of the next, which begin at 0. */
  #run = 0;

  /** `moves`: VIPs that are not here now, and what to listen on instead. */
  constructor(id: string, log: Logger, moves: () => ReadonlyMap<string, string>) {
    this.id = id;
    this.#log = log;
    this.#moves = moves;
  }

  /** The listener whose configuration is in a file of that name. */
  static idOf(fileName: string): string | undefined {
    return filePattern.exec(fileName)?.[1];
  }

  static readonly folder = folder;

  isRunning(): boolean {
    return this.#balancer !== undefined;
  }

  exists(): boolean {
    return existsSync(this.#file);
  }

  async configuration(): Promise<Buffer | undefined> {
    return readFile(this.#file).catch(() => undefined);
  }

  /** Takes a configuration that can be read. It is served from the next start or reload on. */
  upload(content: Buffer): Promise<Outcome> {
    return this.#inTurn(async () => {
      try {
        const { listenerId } = parseLvs(content.toString('utf8'));
        if (listenerId !== this.id)
          throw new Error(`expected the configuration of ${this.id}, given that of ${listenerId}`);
      } catch (error) {
        return { ok: false, words: messageOf(error) };
      }
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(`${this.#file}.new`, content, { mode: 0o600 });
      await rename(`${this.#file}.new`, this.#file);
      return { ok: true };
    });
  }

  /** Serves the configuration taken last; what runs goes on with it. */
  serve(): Promise<Outcome> {
    return this.#inTurn(async () => {
      try {
        const parsed = parseLvs(await readFile(this.#file, 'utf8'));
        const moves = this.#moves();
        const addresses = parsed.addresses.map((address) => moves.get(address) ?? address);
        const configuration = { ...parsed, addresses };
        if (this.#balancer === undefined) {
          this.#balancer = await Balancer.start(configuration, () => performance.now());
          this.#run = Date.now();
        } else await this.#balancer.reconfigure(configuration);
        return { ok: true };
      } catch (error) {
        this.#log.error({ listener: this.id, words: messageOf(error) }, 'the listener could not be served');
        return { ok: false, words: messageOf(error) };
      }
    });
  }

  /** The VIP has come or gone. False when its port is not free here yet. */
  async relocate(): Promise<boolean> {
    return this.#balancer === undefined || (await this.serve()).ok;
  }

  /** The configuration stays. */
  stop(): Promise<void> {
    return this.#inTurn(() => {
      this.#balancer?.stop();
      this.#balancer = undefined;
      return Promise.resolve();
    });
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.#file, { force: true });
  }

  /** What it counts and sees now, in the words of haproxy's; undefined when it does not run. */
  statistics(): HaproxyStatistics | undefined {
    if (this.#balancer === undefined) return undefined;
    const pool = this.#balancer.pool();
    return {
      worker: this.#run,
      listeners: { [this.id]: { status: 'OPEN', stats: this.#balancer.statistics() } },
      pools: pool === undefined ? {} : { [pool.id]: pool.report },
    };
  }

  get #file(): string {
    return `${folder}/octavia-keepalivedlvs-${this.id}.conf`;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
