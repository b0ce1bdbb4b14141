// The part of keepalived in this agent: takes its configuration, agrees with the other one of the pair who has the VIP, and
// tells when that changes. Files: vrrp/octavia-keepalived.conf, and vrrp/started while it shall run.
import { createSocket, type Socket } from 'node:dgram';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import type { Logger } from 'pino';
import { advertPort, openAdvert, sealAdvert } from './advert.ts';
import { readVrrpConfiguration, type VrrpConfiguration } from './configuration.ts';
import { beginElection, type ElectionState, onAdvert, onHealth, onTimer, type Turn } from './election.ts';

const folder = 'vrrp';
const configurationFile = `${folder}/octavia-keepalived.conf`;
const startedFile = `${folder}/started`;
/** keepalived looks every 5 s, twice. A haproxy that is restarted is back by then. */
const healthEveryMs = 500;
const failuresForFault = 4;

export interface VrrpOptions {
  /** Whether haproxy serves what it should. */
  readonly isWell: () => boolean;
  /** The VIP has come or gone. */
  readonly onMove: () => void;
  readonly log: Logger;
}

export class Vrrp {
  readonly #options: VrrpOptions;
  #conf: VrrpConfiguration | undefined;
  #state: ElectionState | undefined;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #health: NodeJS.Timeout | undefined;
  #failures = 0;

  constructor(options: VrrpOptions) {
    this.#options = options;
    if (existsSync(configurationFile)) this.#conf = readVrrpConfiguration(readFileSync(configurationFile, 'utf8'));
  }

  /** Own address in place of each VIP while the other one has them; none for an amphora that stands alone. */
  moves(): ReadonlyMap<string, string> {
    const { address = '', addresses = [] } = this.#conf ?? {};
    return new Map(this.#state?.role === 'MASTER' ? [] : addresses.map((vip) => [vip, address]));
  }

  /** One of a pair that takes no part in it says nothing of itself: nobody may count on it. */
  isSilenced(): boolean {
    return this.#conf !== undefined && this.#state === undefined;
  }

  /** Keeps a configuration for the next start or reload. @throws Error saying what it lacks */
  upload(text: string): void {
    const conf = readVrrpConfiguration(text);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(configurationFile, text, { mode: 0o600 });
    // Until it runs, this only says which addresses are not to be taken yet.
    if (this.#state === undefined) this.#conf = conf;
  }

  /** Goes on after a restart of the agent. */
  async resume(): Promise<void> {
    if (existsSync(startedFile)) await this.start();
  }

  /** Takes part in the pair; with what was uploaded last, when it does already. @throws Error without a configuration */
  async start(): Promise<void> {
    const conf = readVrrpConfiguration(readFileSync(configurationFile, 'utf8'));
    const before = this.#conf;
    this.#conf = conf;
    if (this.#state === undefined || before?.address !== conf.address) {
      await this.#listen(conf);
      writeFileSync(startedFile, '', { mode: 0o600 });
      this.#take(beginElection(conf, Date.now()));
      clearInterval(this.#health);
      this.#health = setInterval(() => this.#look(), healthEveryMs);
    } else {
      // A newcomer is told at once that there is somebody.
      if (this.#state.role === 'MASTER') this.#send(conf.priority);
      this.#options.onMove();
    }
  }

  /** Leaves the VIP to the other one, and takes no part any more. */
  stop(): void {
    rmSync(startedFile, { force: true });
    this.end();
    this.#options.onMove();
  }

  /** As `stop`, but comes back with the agent. */
  end(): void {
    if (this.#state?.role === 'MASTER') this.#send(0);
    clearTimeout(this.#timer);
    clearInterval(this.#health);
    const socket = this.#socket;
    // What was sent last leaves before.
    setImmediate(() => socket?.close());
    this.#socket = undefined;
    this.#state = undefined;
  }

  async #listen({ address }: VrrpConfiguration): Promise<void> {
    this.#socket?.close();
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    this.#socket = socket;
    socket.on('message', (datagram, { address: from }) => this.#hear(datagram, from));
    await new Promise<void>((listening, failed) => {
      socket.once('error', failed);
      socket.bind(advertPort, address, listening);
    });
    // Such as "connection refused" by a peer that is gone.
    socket.removeAllListeners('error').on('error', (error) => this.#options.log.debug({ err: error }, 'vrrp socket'));
  }

  #hear(datagram: Buffer, from: string): void {
    const [conf, state] = [this.#conf, this.#state];
    if (conf === undefined || state === undefined || !conf.peers.includes(from)) return;
    const priority = openAdvert(datagram, conf);
    if (priority !== undefined) this.#take(onAdvert(state, { priority, from }, conf, Date.now()));
  }

  #look(): void {
    const [conf, state] = [this.#conf, this.#state];
    if (conf === undefined || state === undefined) return;
    this.#failures = this.#options.isWell() ? 0 : this.#failures + 1;
    if (this.#failures === 0 || this.#failures >= failuresForFault)
      this.#take(onHealth(state, this.#failures === 0, conf, Date.now()));
  }

  #take({ state, send }: Turn): void {
    const before = this.#state;
    if (send !== undefined) this.#send(send);
    if (before === state) return;
    this.#state = state;
    clearTimeout(this.#timer);
    if (Number.isFinite(state.timerAt)) {
      this.#timer = setTimeout(() => this.#onTimer(), Math.max(0, state.timerAt - Date.now()));
    }
    if (before?.role === state.role) return;
    this.#options.log.info({ from: before?.role, to: state.role }, 'the VIP moves');
    this.#options.onMove();
  }

  #onTimer(): void {
    if (this.#conf !== undefined && this.#state !== undefined) this.#take(onTimer(this.#state, this.#conf, Date.now()));
  }

  #send(priority: number): void {
    if (this.#conf === undefined) return;
    const datagram = sealAdvert(priority, this.#conf);
    for (const peer of this.#conf.peers) this.#socket?.send(datagram, advertPort, peer, () => undefined);
  }
}
