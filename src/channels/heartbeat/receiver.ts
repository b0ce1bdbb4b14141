// The UDP socket that heartbeats come to.
import { createSocket, type Socket } from 'node:dgram';
import type { HeartbeatMessage } from '../../domain/health/message.ts';
import { LagProbe } from './probe.ts';
import { noReadings, type Reading, type ReadingCounters, readPacket } from './reading.ts';
import { ReadingWorkers } from './workers.ts';

export interface HeartbeatCounters extends ReadingCounters {
  received: number;
  /** Not read, because the workers were too slow. */
  overflowed: number;
}

export interface HeartbeatReceiverOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Secrets that sign heartbeats; more than one while a key is being replaced. */
  readonly keys: readonly string[];
  /** Threads that read packets; 0 for none, when this one does. */
  readonly workers?: number;
  readonly workerMain?: URL;
  /** `print` is a fingerprint of the packet. */
  readonly onMessage: (message: HeartbeatMessage, print: number) => void;
  /** The kernel gave a smaller receive buffer than asked for. */
  readonly onSmallBuffer?: ((got: number, asked: number) => void) | undefined;
  /** A worker has ended: nothing is heard from its amphorae any more. */
  readonly onWorkerFailed?: (error: Error) => void;
}

export interface HeartbeatReceiver {
  readonly port: number;
  readonly counters: Readonly<HeartbeatCounters>;
  /** Bytes that the kernel keeps for packets that were not read yet. */
  readonly bufferBytes: number;
  /** Milliseconds between a packet's arrival and its reading, as measured last. */
  lagMs(): number;
  close(): Promise<void>;
}

export const receiveBufferBytes = 4 * 1024 * 1024;

/** @throws Error with a clear sentence when the port is taken */
export async function startHeartbeatReceiver(options: HeartbeatReceiverOptions): Promise<HeartbeatReceiver> {
  const { keys, onMessage } = options;
  const counters: HeartbeatCounters = { received: 0, overflowed: 0, ...noReadings() };
  const socket = createSocket(options.host.includes(':') ? 'udp6' : 'udp4');
  await bind(socket, options);
  const workers = options.workers === undefined || options.workers === 0 ? undefined : startWorkers(options, counters);
  const bufferBytes = growBuffer(socket, options);
  const probe = new LagProbe(socket, options.host);
  socket.on('message', (datagram, { address, port }) => {
    if (probe.take(datagram)) return;
    counters.received++;
    if (workers !== undefined) {
      workers.add(datagram, address, port);
      counters.overflowed = workers.dropped;
      return;
    }
    const reading = readPacket(datagram, keys, counters);
    if (reading !== undefined) onMessage(reading.message, reading.print);
  });
  return {
    port: socket.address().port,
    counters,
    bufferBytes,
    lagMs: () => probe.lagMs,
    close: async () => {
      probe.stop();
      await new Promise<void>((resolve) => socket.close(() => resolve()));
      await workers?.close();
    },
  };
}

function startWorkers(options: HeartbeatReceiverOptions, counters: HeartbeatCounters): ReadingWorkers {
  const { workers = 0, keys, onMessage, onWorkerFailed = () => undefined, workerMain } = options;
  const take = (readings: readonly Reading[], read: ReadingCounters): void => {
    counters.accepted += read.accepted;
    counters.otherKey += read.otherKey;
    counters.badSignature += read.badSignature;
    counters.badCompression += read.badCompression;
    counters.badMessage += read.badMessage;
    for (const { message, print } of readings) onMessage(message, print);
  };
  return new ReadingWorkers(workers, { keys }, take, onWorkerFailed, workerMain);
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

/** What the kernel gave. */
function growBuffer(socket: Socket, { onSmallBuffer }: HeartbeatReceiverOptions): number {
  try {
    socket.setRecvBufferSize(receiveBufferBytes);
  } catch {
    // What counts is what it has now.
  }
  // Linux reports twice the size it keeps for data.
  const got = Math.floor(socket.getRecvBufferSize() / 2);
  if (got < receiveBufferBytes) onSmallBuffer?.(got, receiveBufferBytes);
  return got;
}
