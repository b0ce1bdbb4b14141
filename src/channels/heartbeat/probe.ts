// How late heartbeats are read: now and then the receiver sends a datagram to itself, which waits in the kernel's queue and
// in this process's like any other.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:dgram';

const tokenBytes = 16;
const probeBytes = tokenBytes + 8;
const everyMs = 500;

export class LagProbe {
  readonly #token = randomBytes(tokenBytes);
  readonly #timer: NodeJS.Timeout;
  /** When the oldest probe that is under way was sent. */
  #underWaySince: number | undefined;
  #lastLagMs = 0;

  /** `host` is where the socket listens; a probe to all addresses goes to this machine's own. */
  constructor(socket: Socket, host: string) {
    const { address, port } = socket.address();
    const target = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : host;
    const send = (): void => {
      this.#underWaySince ??= performance.now();
      const probe = Buffer.alloc(probeBytes);
      this.#token.copy(probe);
      probe.writeDoubleBE(performance.now(), tokenBytes);
      socket.send(probe, port, target, () => undefined);
    };
    this.#timer = setInterval(send, everyMs).unref();
    send();
  }

  /** Milliseconds between a datagram's arrival and its reading; of the one under way, what it has waited so far. */
  get lagMs(): number {
    const waited = this.#underWaySince === undefined ? 0 : performance.now() - this.#underWaySince;
    return Math.max(this.#lastLagMs, waited);
  }

  /** Whether the datagram is one of its own, which it then takes. */
  take(datagram: Buffer): boolean {
    if (datagram.length !== probeBytes || !timingSafeEqual(datagram.subarray(0, tokenBytes), this.#token)) return false;
    const sentAt = datagram.readDoubleBE(tokenBytes);
    this.#lastLagMs = Math.max(0, performance.now() - sentAt);
    this.#underWaySince = undefined;
    return true;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
