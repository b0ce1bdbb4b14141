// One load balancer in the amphora: its configuration files and its haproxy. Files, below the agent's base path, which is
// its working directory:
//   <id>/haproxy.cfg             what the controller sent last and haproxy found valid
//   <id>/haproxy.cfg.new-failed  what was sent and refused last
//   <id>/haproxy.cfg.served      what haproxy last loaded with success
//   <id>/haproxy.cfg.host        the same, translated for this host: what haproxy reads
//   <id>/<id>.pid, <id>/servers-state, <id>.sock
// Changes of one load balancer happen one after the other.
import { existsSync } from 'node:fs';
import { appendFile, copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { peerName } from '../domain/haproxy/peer-name.ts';
import { checkConfiguration } from './haproxy/check.ts';
import { connectionsWithin, localise } from './haproxy/localise.ts';
import { HaproxyMaster, type Outcome } from './haproxy/master.ts';
import { portsInUse } from './haproxy/ports.ts';
import { inTurn } from './in-turn.ts';
import { ask, type HaproxyStatistics, statistics } from './haproxy/stats.ts';

export interface LoadBalancerContext {
  readonly amphoraId: string;
  readonly haproxyCommand: string;
  /** Limit of open files of this process, which haproxy inherits. */
  readonly openFiles: number;
  /** A configuration that stands before every load balancer's own. */
  readonly commonConfiguration: string;
  readonly log: Logger;
  /** VIPs that are not here now, and what to listen on instead. */
  readonly moves: () => ReadonlyMap<string, string>;
  /** Called with what a worker counted just before it is replaced. */
  readonly onLastCount: (counted: HaproxyStatistics) => void;
}

const firstRestartDelayMs = 100;
const longestRestartDelayMs = 5000;
/** A haproxy that lived this long is restarted at once. */
const healthyAfterMs = 30_000;

export class LoadBalancer {
  readonly id: string;
  readonly #context: LoadBalancerContext;
  readonly #haproxy: HaproxyMaster;
  readonly #file: (suffix: string) => string;
  #restartTimer: NodeJS.Timeout | undefined;
  #restartDelayMs = firstRestartDelayMs;
  #startedAt = 0;
  /** Whether a haproxy that ends shall be started again. */
  #wanted = false;
  readonly #inTurn = inTurn();

  constructor(id: string, context: LoadBalancerContext) {
    this.id = id;
    this.#context = context;
    this.#file = (suffix) => `${id}/haproxy.cfg${suffix}`;
    this.#haproxy = new HaproxyMaster({
      command: context.haproxyCommand,
      configurations: [context.commonConfiguration, this.#file('.host')],
      pidFile: `${id}/${id}.pid`,
      statsSocket: this.#socket,
      peerName: peerName(context.amphoraId),
      onDeath: (words) => this.#died(words),
    });
  }

  /** Whether a haproxy serves. */
  isRunning(): boolean {
    return this.#haproxy.isRunning();
  }

  /** The configuration taken last, byte for byte; undefined when there is none. */
  async configuration(): Promise<Buffer | undefined> {
    return readFile(this.#file('')).catch(() => undefined);
  }

  /** Takes a configuration when haproxy finds it valid. It is served from the next start or reload on. */
  upload(configuration: Buffer): Promise<Outcome> {
    return this.#inTurn(() => this.#upload(configuration));
  }

  async #upload(configuration: Buffer): Promise<Outcome> {
    await mkdir(this.id, { recursive: true, mode: 0o700 });
    await appendFile(`${this.id}/servers-state`, '');
    await writeFile(this.#file('.new'), configuration, { mode: 0o600 });
    await writeFile(this.#file('.new.host'), this.#localised(configuration.toString('utf8')), { mode: 0o600 });
    const { haproxyCommand, commonConfiguration, amphoraId } = this.#context;
    const files = [commonConfiguration, this.#file('.new.host')];
    const outcome = await checkConfiguration(haproxyCommand, files, peerName(amphoraId));
    await rename(this.#file('.new'), this.#file(outcome.ok ? '' : '.new-failed'));
    await rm(this.#file('.new.host'), { force: true });
    return outcome;
  }

  /**
   * Serves the configuration taken last: starts haproxy, or reloads it when it runs. When haproxy refuses, for example
   * because somebody else holds a port, it goes on with what it had, and that becomes the configuration of this load
   * balancer again. (OpenStack's agent keeps the new file; its controller has to send the old one again.)
   */
  serve(): Promise<Outcome> {
    return this.#inTurn(() => this.#serve());
  }

  async #serve(): Promise<Outcome> {
    clearTimeout(this.#restartTimer);
    this.#wanted = true;
    const outcome = this.isRunning() ? await this.#reload() : await this.#start();
    if (outcome.ok) await this.#remember();
    else await this.#goBack();
    return outcome;
  }

  /**
   * The VIP has come or gone: haproxy listens where it should. The configuration was proven before, so a failure, such as
   * an address that the other one of the pair has not left yet, is one to try again: false then.
   */
  relocate(): Promise<boolean> {
    return this.#inTurn(async () => {
      // Whoever starts it looks where it should listen.
      if (!this.isRunning()) return true;
      const served = await readFile(this.#file('.served'), 'utf8').catch(() => undefined);
      const current = await readFile(this.#file('.host'), 'utf8').catch(() => '');
      if (served === undefined || this.#localised(served) === current) return true;
      await this.#count();
      await this.#saveServerStates();
      await writeFile(this.#file('.host'), this.#localised(served), { mode: 0o600 });
      const outcome = await this.#haproxy.reload();
      if (outcome.ok) return true;
      this.#context.log.error({ words: outcome.words }, 'haproxy does not follow the VIP yet');
      // What it goes on with.
      await writeFile(this.#file('.host'), current, { mode: 0o600 });
      return false;
    });
  }

  /** Whether a haproxy serves, where one shall. */
  isWell(): boolean {
    return !this.#wanted || this.isRunning();
  }

  /** Whether a haproxy shall serve. */
  isWanted(): boolean {
    return this.#wanted;
  }

  /** Ends haproxy; the configuration stays. */
  stop(): Promise<void> {
    clearTimeout(this.#restartTimer);
    this.#wanted = false;
    return this.#inTurn(async () => {
      await this.#count();
      await this.#haproxy.stop();
    });
  }

  /** Ends haproxy and removes everything of this load balancer. */
  async remove(): Promise<void> {
    await this.stop();
    await Promise.all([
      rm(this.id, { recursive: true, force: true }),
      rm(`certs/${this.id}`, { recursive: true, force: true }),
      rm(this.#socket, { force: true }),
    ]);
  }

  /** What haproxy counts and sees now; undefined when it is down. */
  async statistics(): Promise<HaproxyStatistics | undefined> {
    return this.isRunning() ? statistics(this.#socket) : undefined;
  }

  /** Starts haproxy after a start of the agent, with what is there; goes on trying when that fails. */
  resume(): Promise<void> {
    return this.#inTurn(() => this.#resume());
  }

  async #resume(): Promise<void> {
    this.#wanted = true;
    // A haproxy that outlived its agent is about to be ended, and what it counted is wanted.
    const counted = await statistics(this.#socket);
    if (counted !== undefined) this.#context.onLastCount(counted);
    const outcome = await this.#start();
    if (outcome.ok) await this.#remember();
    else this.#died(outcome.words);
  }

  get #socket(): string {
    return `${this.id}.sock`;
  }

  #localised(configuration: string): string {
    return localise(configuration, {
      statsSocket: this.#socket,
      serverStateFile: `${this.id}/servers-state`,
      mostConnections: connectionsWithin(this.#context.openFiles),
      privileged: process.getuid?.() === 0,
      exists: existsSync,
      moves: this.#context.moves(),
    });
  }

  async #start(): Promise<Outcome> {
    await this.#translate();
    this.#startedAt = Date.now();
    return this.#haproxy.start();
  }

  async #reload(): Promise<Outcome> {
    const next = await readFile(this.#file(''), 'utf8');
    const current = await readFile(this.#file('.host'), 'utf8').catch(() => '');
    const taken = await portsInUse(this.#localised(next), current);
    if (taken.length > 0) return { ok: false, words: taken.join('\n') };
    await this.#count();
    await this.#saveServerStates();
    await this.#translate();
    return this.#haproxy.reload();
  }

  async #remember(): Promise<void> {
    await copyFile(this.#file(''), this.#file('.served'));
  }

  async #goBack(): Promise<void> {
    if (existsSync(this.#file('.served'))) {
      await copyFile(this.#file(''), this.#file('.new-failed'));
      await copyFile(this.#file('.served'), this.#file(''));
      await this.#translate();
      if (!this.isRunning()) this.#restartLater();
    } else {
      await rename(this.#file(''), this.#file('.new-failed'));
      await rm(this.#file('.host'), { force: true });
    }
  }

  async #translate(): Promise<void> {
    const configuration = await readFile(this.#file(''), 'utf8');
    await writeFile(this.#file('.host'), this.#localised(configuration), { mode: 0o600 });
  }

  /** So that a new worker knows which members are down, instead of taking them for up until it has checked. */
  async #saveServerStates(): Promise<void> {
    const states = await ask(this.#socket, 'show servers state').catch(() => '');
    if (states !== '') await writeFile(`${this.id}/servers-state`, states, { mode: 0o600 });
  }

  async #count(): Promise<void> {
    const counted = await this.statistics();
    if (counted !== undefined) this.#context.onLastCount(counted);
  }

  #died(words: string): void {
    this.#context.log.error({ loadBalancer: this.id, words }, 'haproxy ended by itself');
    if (!this.#wanted) return;
    if (Date.now() - this.#startedAt > healthyAfterMs) this.#restartDelayMs = firstRestartDelayMs;
    this.#restartLater();
  }

  #restartLater(): void {
    clearTimeout(this.#restartTimer);
    this.#restartTimer = setTimeout(() => void this.#inTurn(() => this.#restart()), this.#restartDelayMs);
    this.#restartDelayMs = Math.min(this.#restartDelayMs * 2, longestRestartDelayMs);
  }

  async #restart(): Promise<void> {
    if (!this.#wanted || this.isRunning()) return;
    this.#startedAt = Date.now();
    // As it was loaded last: a configuration that was taken since then but never loaded has not been proven.
    const served = await readFile(this.#file('.served'), 'utf8').catch(() => undefined);
    if (served !== undefined) await writeFile(this.#file('.host'), this.#localised(served), { mode: 0o600 });
    const outcome = await this.#haproxy.start();
    if (!outcome.ok) this.#died(outcome.words);
    else this.#context.log.info({ loadBalancer: this.id }, 'haproxy serves again');
  }
}
