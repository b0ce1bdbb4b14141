// The frame of a heartbeat datagram: the zlib stream of a JSON text, followed by the HMAC-SHA256 of that stream as 64
// hex characters. Nothing else: no header, no length. Must not change; OpenStack's agents and controllers use the same.
// Compressing and inflating, which need bounds of their own, are left to the callers.
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';

const hexSignatureBytes = 64;
const rawSignatureBytes = 32;

/** The datagram for a zlib stream: the stream, then its signature under `key` (taken as UTF-8). */
export function sealPacket(deflated: Uint8Array, key: string): Buffer {
  return Buffer.concat([deflated, Buffer.from(sign(deflated, key).toString('hex'), 'latin1')]);
}

export interface OpenedPacket {
  readonly stream: Buffer;
  readonly keyIndex: number;
}

/**
 * The zlib stream of a datagram that was signed with one of `keys`, as a view on the datagram, and the key's place; undefined
 * when no signature holds. Amphorae of the first Octavia releases signed with the 32 raw bytes: tried second.
 */
export function openPacket(datagram: Buffer, keys: readonly string[]): OpenedPacket | undefined {
  return openAs(datagram, keys, hexSignatureBytes) ?? openAs(datagram, keys, rawSignatureBytes);
}

/** A number that tells a packet that was opened from others: from its signature, so equal only for equal packets. */
export function printOf(datagram: Buffer): number {
  const end = datagram.length;
  return Math.imul(datagram.readInt32LE(end - 8), 31) ^ datagram.readInt32LE(end - 4);
}

function openAs(datagram: Buffer, keys: readonly string[], signatureBytes: number): OpenedPacket | undefined {
  const end = datagram.length - signatureBytes;
  if (end <= 0) return undefined;
  const stream = datagram.subarray(0, end);
  const given = datagram.subarray(end);
  const keyIndex = keys.findIndex((key) => timingSafeEqual(expected(stream, key, signatureBytes), given));
  return keyIndex === -1 ? undefined : { stream, keyIndex };
}

function expected(stream: Uint8Array, key: string, signatureBytes: number): Buffer {
  const signature = sign(stream, key);
  return signatureBytes === rawSignatureBytes ? signature : Buffer.from(signature.toString('hex'), 'latin1');
}

function sign(stream: Uint8Array, key: string): Buffer {
  return createHmac('sha256', keyOf(key)).update(stream).digest();
}

/** Keys as OpenSSL wants them, made once. A process has one or two. */
const prepared = new Map<string, KeyObject>();

function keyOf(text: string): KeyObject {
  let key = prepared.get(text);
  if (key === undefined) {
    key = createSecretKey(Buffer.from(text, 'utf8'));
    if (prepared.size < 16) prepared.set(text, key);
  }
  return key;
}
