// Sends a heartbeat to one controller per interval, round robin, from the same port as long as the agent lives. Nothing
// that happens to a datagram matters: the next one tells the same.
import { type Socket, createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { deflateSync } from 'node:zlib';
import type { Logger } from 'pino';
import { type HeartbeatMessage, encodeMessage } from '../../domain/health/message.ts';
import { sealPacket } from '../../domain/health/packet.ts';
import type { Controller } from '../settings.ts';

export interface HeartbeatSettings {
  readonly controllers: readonly Controller[];
  readonly heartbeatIntervalMs: number;
  readonly heartbeatKey: string;
}

/** Builds the next message; one call, one sequence number. Undefined while nothing is to be said. */
export type BuildMessage = () => Promise<HeartbeatMessage | undefined>;

export class HeartbeatSender {
  readonly #build: BuildMessage;
  readonly #log: Logger;
  readonly #sockets = new Map<'udp4' | 'udp6', Socket>();
  #settings: HeartbeatSettings;
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;
  #busy = false;

  constructor(build: BuildMessage, settings: HeartbeatSettings, log: Logger) {
    this.#build = build;
    this.#settings = settings;
    this.#log = log;
  }

  /** Begins with a heartbeat at once, so that a new amphora is known early; called again, goes on with new settings. */
  start(settings: HeartbeatSettings = this.#settings): void {
    clearInterval(this.#timer);
    this.#settings = settings;
    this.#timer = setInterval(() => void this.beat(), settings.heartbeatIntervalMs);
    void this.beat();
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  /** Sends one heartbeat; left out while the one before is still being built. Never rejects. */
  async beat(): Promise<void> {
    const { controllers, heartbeatKey } = this.#settings;
    const controller = controllers[this.#turn % Math.max(controllers.length, 1)];
    if (this.#busy || controller === undefined) return;
    this.#busy = true;
    this.#turn += 1;
    try {
      const message = await this.#build();
      if (message === undefined) return;
      const text = encodeMessage(message);
      this.#send(sealPacket(deflateSync(text, { level: 9 }), heartbeatKey), controller);
    } catch (error) {
      this.#log.warn({ err: error }, 'a heartbeat could not be built');
    } finally {
      this.#busy = false;
    }
  }

  #send(datagram: Buffer, controller: Controller): void {
    const socket = this.#socket(isIPv6(controller.host) ? 'udp6' : 'udp4');
    socket.send(datagram, controller.port, controller.host, (error) => {
      if (error !== null) this.#log.debug({ err: error }, 'a heartbeat could not be sent');
    });
  }

  #socket(type: 'udp4' | 'udp6'): Socket {
    const existing = this.#sockets.get(type);
    if (existing !== undefined) return existing;
    const socket = createSocket(type);
    // Such as "connection refused", which a datagram to a closed port brings back: nobody listens now.
    socket.on('error', (error) => this.#log.debug({ err: error }, 'the heartbeat socket reported an error'));
    this.#sockets.set(type, socket);
    return socket;
  }
}
