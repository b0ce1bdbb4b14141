// Heartbeats off the wire: datagram → signature → bounded inflate → JSON → message. What is wrong with a packet is
// counted and the packet dropped; nothing a packet holds can raise an error beyond this file.
import { createSocket, type Socket } from 'node:dgram';
import { inflateSync } from 'node:zlib';
import { type HeartbeatMessage, parseMessage } from '../../domain/health/message.ts';
import { openPacket } from '../../domain/health/packet.ts';

export interface HeartbeatCounters {
  received: number;
  accepted: number;
  /** No valid signature. */
  badSignature: number;
  /** Signed, but not zlib, or larger than allowed when inflated. */
  badCompression: number;
  /** Signed and inflated, but not a heartbeat. */
  badMessage: number;
}

export interface HeartbeatReceiverOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Secrets that sign heartbeats; more than one while a key is being replaced. */
  readonly keys: readonly string[];
  readonly onMessage: (message: HeartbeatMessage) => void;
  /** The kernel gave a smaller receive buffer than asked for. */
  readonly onSmallBuffer?: ((got: number, asked: number) => void) | undefined;
}

export interface HeartbeatReceiver {
  readonly port: number;
  readonly counters: Readonly<HeartbeatCounters>;
  close(): Promise<void>;
}

/** A heartbeat of a thousand members inflates to some 70 KiB. */
const largestMessageBytes = 1024 * 1024;
const receiveBufferBytes = 4 * 1024 * 1024;

/** @throws Error with a clear sentence when the port is taken */
export async function startHeartbeatReceiver(options: HeartbeatReceiverOptions): Promise<HeartbeatReceiver> {
  const counters: HeartbeatCounters = { received: 0, accepted: 0, badSignature: 0, badCompression: 0, badMessage: 0 };
  const socket = createSocket(options.host.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (datagram) => {
    const message = readPacket(datagram, options.keys, counters);
    if (message !== undefined) options.onMessage(message);
  });
  await bind(socket, options);
  const port = socket.address().port;
  growBuffer(socket, options);
  return {
    port,
    counters,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** The message in a packet; undefined, and counted, when there is none. Never throws. */
export function readPacket(
  datagram: Buffer,
  keys: readonly string[],
  counters: HeartbeatCounters,
): HeartbeatMessage | undefined {
  counters.received++;
  const deflated = openPacket(datagram, keys);
  if (deflated === undefined) {
    counters.badSignature++;
    return undefined;
  }
  let text: string;
  try {
    text = inflateSync(deflated, { maxOutputLength: largestMessageBytes }).toString('utf8');
  } catch {
    counters.badCompression++;
    return undefined;
  }
  try {
    const message = parseMessage(JSON.parse(text) as unknown);
    if (message !== undefined) {
      counters.accepted++;
      return message;
    }
  } catch {
    // Not JSON: counted below.
  }
  counters.badMessage++;
  return undefined;
}

function bind(socket: Socket, { host, port }: HeartbeatReceiverOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      const why = taken ? 'the port is in use by another program' : error.message;
      reject(new Error(`heartbeats: UDP ${host}:${port} can't be listened on: ${why}`, { cause: error }));
    });
    socket.bind(port, host, () => {
      socket.removeAllListeners('error');
      // A receiving socket reports errors of earlier sends at most; none of them ends it.
      socket.on('error', () => undefined);
      resolve();
    });
  });
}

function growBuffer(socket: Socket, { onSmallBuffer }: HeartbeatReceiverOptions): void {
  try {
    socket.setRecvBufferSize(receiveBufferBytes);
  } catch {
    // What counts is what it has now.
  }
  // Linux reports twice the size it keeps for data.
  const got = Math.floor(socket.getRecvBufferSize() / 2);
  if (got < receiveBufferBytes) onSmallBuffer?.(got, receiveBufferBytes);
}
