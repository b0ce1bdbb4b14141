import { describe, expect, test } from '@jest/globals';
import type { HeartbeatMessage } from '../../../../src/domain/health/message.ts';
import { HeartbeatTable } from '../../../../src/domain/health/table.ts';

const stats = { tx: 1, rx: 2, conns: 3, totconns: 4, ereq: 0 };
const says = (status: string, seq = 1): HeartbeatMessage => ({
  id: 'amphora',
  seq,
  listeners: { listener: { status, stats } },
  pools: {},
  ver: 3,
});

describe('the table of heartbeats', () => {
  test('takes the first of an amphora and every change of a status for new, and nothing else', () => {
    const table = new HeartbeatTable();
    expect([says('OPEN'), says('OPEN', 2), says('FULL', 3), says('FULL', 4)].map((one) => table.fold(one, 1))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(table.lastSeen('amphora')).toBe(1);
  });

  test('takes for known what another node has heard before, once', () => {
    const before = new HeartbeatTable();
    before.fold(says('OPEN'), 1);
    const digest = before.digest('amphora');
    const table = new HeartbeatTable();
    table.expectNews('amphora', digest);
    expect(table.fold(says('OPEN'), 2)).toBe(false);
    expect(table.observation('amphora')?.listeners['listener']?.status).toBe('OPEN');
    expect(table.fold(says('FULL'), 3)).toBe(true);
    expect(table.fold(says('OPEN'), 4)).toBe(true);
    table.expectNews('amphora', digest);
    expect(table.fold(says('FULL'), 5)).toBe(true);
    table.expectNews('amphora', undefined);
    expect(table.fold(says('FULL'), 6)).toBe(true);
  });

  test('knows of an amphora that only others have heard when it was, and not what it says', () => {
    const table = new HeartbeatTable();
    table.touch('amphora', 7);
    expect([table.lastSeen('amphora'), table.observation('amphora'), table.digest('amphora')]).toEqual([
      7,
      undefined,
      undefined,
    ]);
    expect(table.fold(says('OPEN'), 8)).toBe(true);
    table.touch('amphora', 7);
    expect(table.lastSeen('amphora')).toBe(8);
  });
});
