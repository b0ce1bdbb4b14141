// Heartbeats off the wire: datagram → signature → bounded inflate → JSON → message. What is wrong with a packet is
// counted and the packet dropped; nothing a packet holds can raise an error beyond this file.
import { inflateSync } from 'node:zlib';
import { type HeartbeatMessage, parseMessage } from '../../domain/health/message.ts';
import { openPacket, printOf } from '../../domain/health/packet.ts';

export interface ReadingCounters {
  accepted: number;
  /** Of these, signed with another key than the first. */
  otherKey: number;
  /** No valid signature. */
  badSignature: number;
  /** Signed, but not zlib, or larger than allowed when inflated. */
  badCompression: number;
  /** Signed and inflated, but not a heartbeat. */
  badMessage: number;
}

export interface Reading {
  readonly message: HeartbeatMessage;
  /** Fingerprint of the packet. */
  readonly print: number;
}

/** A heartbeat of a thousand members inflates to some 70 KiB. */
const largestMessageBytes = 1024 * 1024;
/** zlib inflates in pieces of this size; most messages are smaller. */
const pieceBytes = 2048;

export function noReadings(): ReadingCounters {
  return { accepted: 0, otherKey: 0, badSignature: 0, badCompression: 0, badMessage: 0 };
}

/** The message in a packet; undefined, and counted, when there is none. Never throws. */
export function readPacket(datagram: Buffer, keys: readonly string[], counters: ReadingCounters): Reading | undefined {
  const opened = openPacket(datagram, keys);
  if (opened === undefined) {
    counters.badSignature++;
    return undefined;
  }
  let text: string;
  try {
    text = inflateSync(opened.stream, { maxOutputLength: largestMessageBytes, chunkSize: pieceBytes }).toString('utf8');
  } catch {
    counters.badCompression++;
    return undefined;
  }
  try {
    const message = parseMessage(JSON.parse(text) as unknown);
    if (message !== undefined) {
      counters.accepted++;
      if (opened.keyIndex > 0) counters.otherKey++;
      return { message, print: printOf(datagram) };
    }
  } catch {
    // Not JSON: counted below.
  }
  counters.badMessage++;
  return undefined;
}
