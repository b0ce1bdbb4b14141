import { describe, expect, test } from '@jest/globals';
import type { HeartbeatMessage } from '../../../../src/domain/health/message.ts';
import { remembered } from '../../../../src/domain/health/recent-prints.ts';
import { HeartbeatTable } from '../../../../src/domain/health/table.ts';

const stats = { tx: 1, rx: 2, conns: 3, totconns: 4, ereq: 0 };
const says = (status: string, seq = 1): HeartbeatMessage => ({
  id: 'amphora',
  seq,
  listeners: { listener: { status, stats } },
  pools: { 'pool:listener': { status: 'UP', members: { one: 'UP', two: 'DOWN 1/2' } } },
  ver: 3,
});

describe('the table of heartbeats', () => {
  test('takes the first of an amphora and every change of a status for new, and nothing else', () => {
    const table = new HeartbeatTable();
    const heard = [says('OPEN'), says('OPEN', 2), says('FULL', 3), says('FULL', 4)];
    expect(heard.map((one) => table.hear(one, one.seq, 1))).toEqual(['news', 'same', 'news', 'same']);
    expect(table.lastSeen('amphora')).toBe(1);
    expect(table.observation('amphora')).toEqual({
      listeners: { listener: { status: 'FULL' } },
      pools: { 'pool:listener': { status: 'UP', members: { one: 'UP', two: 'DOWN 1/2' } } },
    });
  });

  test('takes for known what another node has heard before, once', () => {
    const before = new HeartbeatTable();
    before.hear(says('OPEN'), 1, 1);
    const digest = before.digest('amphora');
    const table = new HeartbeatTable();
    table.expectNews('amphora', digest);
    expect(table.hear(says('OPEN'), 2, 2)).toBe('same');
    expect(table.observation('amphora')?.listeners['listener']?.status).toBe('OPEN');
    expect(table.hear(says('FULL', 2), 3, 3)).toBe('news');
    expect(table.hear(says('OPEN', 3), 4, 4)).toBe('news');
    table.expectNews('amphora', digest);
    expect(table.hear(says('FULL', 4), 5, 5)).toBe('news');
    table.expectNews('amphora', undefined);
    expect(table.hear(says('FULL', 5), 6, 6)).toBe('news');
    expect(table.hear(says('FULL', 6), 7, 7)).toBe('same');
  });

  test('knows of an amphora that only others have heard when it was, and not what it says', () => {
    const table = new HeartbeatTable();
    table.touch('amphora', 5, 7);
    expect([table.lastSeen('amphora'), table.observation('amphora'), table.digest('amphora')]).toEqual([
      7,
      undefined,
      undefined,
    ]);
    expect(table.hear(says('OPEN', 6), 1, 8)).toBe('news');
    table.touch('amphora', undefined, 7);
    expect(table.lastSeen('amphora')).toBe(8);
  });

  test('knows a packet that is sent again for as long as it is remembered, and lets it change nothing', () => {
    const table = new HeartbeatTable();
    const packets = Array.from({ length: remembered }, (_, seq) => says('OPEN', seq));
    for (const packet of packets) table.hear(packet, 1000 + packet.seq, packet.seq);
    const last = packets.at(-1) ?? says('OPEN');
    expect(table.hear(last, 1000 + last.seq, 40)).toBe('again');
    for (const packet of packets) expect(table.hear(packet, 1000 + packet.seq, 99)).toBe('repeat');
    expect(table.lastSeen('amphora')).toBe(40);
    table.forget('amphora');
    expect(table.hear(says('OPEN'), 1000, 100)).toBe('news');
  });

  test('hears a sender that has begun anew and says the same as before, and each of its old packets but once', () => {
    const table = new HeartbeatTable();
    const packets = Array.from({ length: 10 }, (_, seq) => says('OPEN', seq));
    for (const packet of packets) table.hear(packet, 1000 + packet.seq, packet.seq);
    for (const packet of packets) {
      expect(table.hear(packet, 1000 + packet.seq, 20 + packet.seq)).toBe('again');
      expect(table.lastSeen('amphora')).toBe(20 + packet.seq);
    }
    for (const packet of packets) expect(table.hear(packet, 1000 + packet.seq, 99)).toBe('repeat');
    expect(table.hear(says('OPEN', 10), 1010, 30)).toBe('same');
    expect(table.lastSeen('amphora')).toBe(30);
  });

  test('lets a number that other nodes have told already keep nobody alive', () => {
    const table = new HeartbeatTable();
    table.touch('amphora', 5, 1);
    table.touch('amphora', 5, 2);
    table.touch('amphora', 4, 3);
    expect(table.lastSeen('amphora')).toBe(1);
    table.touch('amphora', 6, 4);
    expect(table.lastSeen('amphora')).toBe(4);
  });

  test('counts a message that newer ones have overtaken, and takes nothing else from it', () => {
    const table = new HeartbeatTable();
    table.hear(says('OPEN', 7), 7, 1);
    expect(table.hear(says('FULL', 6), 6, 2)).toBe('late');
    expect(table.observation('amphora')?.listeners['listener']?.status).toBe('OPEN');
    expect(table.lastSeen('amphora')).toBe(2);
  });

  test('takes numbers that begin anew for an agent that was restarted', () => {
    const table = new HeartbeatTable();
    table.hear(says('OPEN', 700), 1, 1);
    expect(table.hear(says('FULL', 0), 2, 2)).toBe('news');
    expect(table.hear(says('OPEN', 1), 3, 3)).toBe('news');
    expect(table.missed).toBe(0);
  });

  test('counts heartbeats that did not come, and takes back those that were only late', () => {
    const table = new HeartbeatTable();
    const hear = (seq: number) => table.hear(says('OPEN', seq), seq + 1, seq);
    for (const seq of [3, 4, 8]) hear(seq);
    expect(table.numbers('amphora')).toEqual({ seq: 8, missed: 3 });
    hear(6);
    expect(table.numbers('amphora')).toEqual({ seq: 8, missed: 2 });
    expect(table.missed).toBe(2);
    table.forget('amphora');
    expect(table.missed).toBe(0);
  });
});
