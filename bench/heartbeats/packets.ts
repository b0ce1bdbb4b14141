// What the amphorae of the benchmark say: sizes as seen on the wire, signed and compressed as agents do.
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { encodeMessage, type HeartbeatMessage, messageVersion } from '../../src/domain/health/message.ts';
import { sealPacket } from '../../src/domain/health/packet.ts';

export const heartbeatKey = 'the-heartbeat-key-of-the-benchmark';

type Kind = 'amphora' | 'loadBalancer' | 'listener' | 'pool' | 'member';

/** The same id for the same numbers, in every process. */
export function benchId(kind: Kind, ...numbers: readonly number[]): string {
  const hex = createHash('sha1').update(`${kind} ${numbers.join()}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export interface Shape {
  readonly listeners: number;
  /** Of each listener's pool. */
  readonly members: number;
}

export const shapes = {
  small: { listeners: 1, members: 3 },
  large: { listeners: 10, members: 10 },
} as const satisfies Record<string, Shape>;

export function messageOf(amphora: number, seq: number, shape: Shape): HeartbeatMessage {
  const listeners: Record<string, HeartbeatMessage['listeners'][string]> = {};
  const pools: Record<string, HeartbeatMessage['pools'][string]> = {};
  for (let index = 0; index < shape.listeners; index++) {
    const listenerId = benchId('listener', amphora, index);
    const stats = { tx: 489 + seq, rx: 234, conns: 0, totconns: 3, ereq: 0 };
    listeners[listenerId] = { status: 'OPEN', stats };
    const members: Record<string, string> = {};
    for (let member = 0; member < shape.members; member++) members[benchId('member', amphora, index, member)] = 'UP';
    pools[`${benchId('pool', amphora, index)}:${listenerId}`] = { status: 'UP', members };
  }
  return { id: benchId('amphora', amphora), seq, listeners, pools, ver: messageVersion };
}

export function packetOf(message: HeartbeatMessage): Buffer {
  return sealPacket(deflateSync(encodeMessage(message), { level: 9 }), heartbeatKey);
}
