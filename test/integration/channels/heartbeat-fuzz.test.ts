// A million packets that nobody sends on purpose. None of them may raise an error, be accepted without a valid signature, or
// leave anything behind in memory.
import { expect, test } from '@jest/globals';
import { deflateSync } from 'node:zlib';
import { noReadings, readPacket } from '../../../src/channels/heartbeat/reading.ts';
import { encodeMessage } from '../../../src/domain/health/message.ts';
import { sealPacket } from '../../../src/domain/health/packet.ts';
import { HeartbeatTable } from '../../../src/domain/health/table.ts';
import { Accumulator } from '../../../src/domain/statistics/accumulator.ts';

const key = 'the key of the test';
const packets = 1_000_000;

/** Numbers below `limit`, the same ones at every run (mulberry32). */
function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

const stats = { tx: 1, rx: 2, conns: 3, totconns: 4, ereq: 0 };
const good = {
  id: '6be730e5-8034-44c2-b1e6-e38abf7dfe44',
  seq: 24,
  listeners: { '7fc251fb-aa48-5859-9939-c5ef1eece8a7': { status: 'OPEN', stats } },
  pools: {
    '09208a18-38ec-569f-bb62-60baeabc193d:7fc251fb-aa48-5859-9939-c5ef1eece8a7': {
      status: 'UP',
      members: { 'd1c133dd-a9d2-500c-bd70-4eff7c20a018': 'UP' },
    },
  },
  ver: 3,
};
const sealed = (text: string | Buffer) => sealPacket(deflateSync(text, { level: 9 }), key);
const text = encodeMessage(good);
const whole = sealed(text);

/** Signed, and wrong in every way that comes to mind. */
const strange: readonly Buffer[] = [
  '',
  'null',
  '[]',
  '0',
  '"x"',
  '{}',
  `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
  `{"id":"x","seq":1,"ver":3,"pools":{},"listeners":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
  '{"__proto__":{"id":"x"},"id":"x","seq":1,"ver":3,"listeners":{"__proto__":{"status":"OPEN"}},"pools":{}}',
  '{"id":"constructor","seq":1,"ver":3,"listeners":{},"pools":{"hasOwnProperty":{"status":"UP","members":{"toString":"UP"}}}}',
  text.replace('24', '1e999'),
  text.replace('24', '-1'),
  text.replace('24', '24.5'),
  text.replace('"tx": 1', '"tx": 9007199254740993'),
  text.replace('"tx": 1', '"tx": null'),
  text.replace('OPEN', '\\u0000\\ud800'),
  text.replace('"ver": 3', '"ver": "3"'),
  text.slice(0, -1),
  `${text} ${text}`,
]
  .map((one) => sealed(one))
  .concat([
    sealed(Buffer.alloc(2 * 1024 * 1024)),
    sealPacket(Buffer.from('no stream'), key),
    sealPacket(new Uint8Array(), key),
  ]);

test('a million broken packets raise nothing, pass nothing without a signature, and leave nothing behind', () => {
  const below = numbers(20_261_122);
  const counters = noReadings();
  const table = new HeartbeatTable();
  const accumulator = new Accumulator();
  const take = (packet: Buffer): boolean => {
    const reading = readPacket(packet, [key], counters);
    if (reading === undefined) return false;
    const hearing = table.hear(reading.message, reading.print, 1);
    if (hearing !== 'repeat' && hearing !== 'again') accumulator.add(reading.message);
    table.observation(reading.message.id);
    return true;
  };
  const broken = (): Buffer => {
    switch (below(4)) {
      case 0: {
        const packet = Buffer.from(whole);
        for (let flips = 1 + below(8); flips > 0; flips--) {
          const at = below(packet.length);
          packet[at] = (packet[at] ?? 0) ^ (1 << below(8));
        }
        // An even number of flips may undo itself.
        return packet.equals(whole) ? packet.subarray(1) : packet;
      }
      case 1:
        return whole.subarray(0, below(whole.length));
      case 2:
        return Buffer.concat([whole, Buffer.from([below(256)])]);
      default:
        return Buffer.from(Array.from({ length: below(200) }, () => below(256)));
    }
  };
  const run = (count: number): number => {
    let passed = 0;
    for (let index = 0; index < count; index++) if (take(broken())) passed++;
    return passed;
  };
  expect(run(packets / 10)).toBe(0);
  const before = process.memoryUsage();
  expect(run((packets / 10) * 9)).toBe(0);
  expect(counters).toEqual({ accepted: 0, otherKey: 0, badSignature: packets, badCompression: 0, badMessage: 0 });
  const grown = process.memoryUsage().rss - before.rss;
  expect(grown).toBeLessThan(64 * 1024 * 1024);

  for (const packet of strange) take(packet);
  expect(take(whole)).toBe(true);
  expect(table.observation(good.id)?.listeners).toEqual({
    '7fc251fb-aa48-5859-9939-c5ef1eece8a7': { status: 'OPEN' },
  });
  expect({}.constructor.name).toBe('Object');
}, 120_000);
