// A controller's ear for tests: takes heartbeats and keeps those that are signed and well-formed.
import { createSocket } from 'node:dgram';
import { inflateSync } from 'node:zlib';
import { type HeartbeatMessage, parseMessage } from '../../src/domain/health/message.ts';
import { openPacket } from '../../src/domain/health/packet.ts';

export interface HeartbeatReceiver {
  readonly port: number;
  /** In order of arrival. */
  readonly messages: readonly HeartbeatMessage[];
  /** Datagrams that were no heartbeat. */
  readonly bad: readonly Buffer[];
  /** Sum of a counter of a listener over all that came. */
  total(listenerId: string, counter: 'tx' | 'rx' | 'totconns' | 'ereq'): number;
  close(): Promise<void>;
}

export async function heartbeatReceiver(key: string, port = 0): Promise<HeartbeatReceiver> {
  const socket = createSocket('udp4');
  const messages: HeartbeatMessage[] = [];
  const bad: Buffer[] = [];
  socket.on('message', (datagram) => {
    const stream = openPacket(datagram, [key])?.stream;
    const message = stream && parseMessage(JSON.parse(inflateSync(stream).toString('utf8')));
    if (message === undefined) bad.push(datagram);
    else messages.push(message);
  });
  let closed: Promise<void> | undefined;
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  return {
    port: socket.address().port,
    messages,
    bad,
    total: (listenerId, counter) =>
      messages.reduce((sum, message) => sum + (message.listeners[listenerId]?.stats[counter] ?? 0), 0),
    close: () => (closed ??= new Promise((resolve) => void socket.close(() => resolve()))),
  };
}
