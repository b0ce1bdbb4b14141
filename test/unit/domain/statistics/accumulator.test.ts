import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { HeartbeatMessage, ListenerStatistics } from '../../../../src/domain/health/message.ts';
import { Accumulator } from '../../../../src/domain/statistics/accumulator.ts';

const nothing: ListenerStatistics = { tx: 0, rx: 0, conns: 0, totconns: 0, ereq: 0 };
const says = (listenerId: string, stats: Partial<ListenerStatistics>, ver = 3, id = 'a'): HeartbeatMessage => ({
  id,
  seq: 0,
  listeners: { [listenerId]: { status: 'OPEN', stats: { ...nothing, ...stats } } },
  pools: {},
  ver,
});

describe('what amphorae count', () => {
  test('is summed for every listener and amphora, and the connections that are open are the newest', () => {
    const accumulator = new Accumulator();
    accumulator.add(says('l', { tx: 1, rx: 10, conns: 5, totconns: 2, ereq: 1 }));
    accumulator.add(says('l', { tx: 2, rx: 20, conns: 3, totconns: 2 }));
    accumulator.add(says('l', { rx: 7 }, 3, 'b'));
    expect(accumulator.take(10)).toEqual([
      {
        amphoraId: 'a',
        listenerId: 'l',
        bytesIn: 30,
        bytesOut: 3,
        activeConnections: 3,
        totalConnections: 4,
        requestErrors: 1,
      },
      {
        amphoraId: 'b',
        listenerId: 'l',
        bytesIn: 7,
        bytesOut: 0,
        activeConnections: 0,
        totalConnections: 0,
        requestErrors: 0,
      },
    ]);
    expect(accumulator.size).toBe(0);
  });

  test('is nothing to write while a listener is idle', () => {
    const accumulator = new Accumulator();
    accumulator.add(says('l', {}));
    expect(accumulator.size).toBe(0);
    accumulator.add(says('l', { conns: 2 }));
    expect(accumulator.take(10)).toHaveLength(1);
    accumulator.add(says('l', { conns: 2 }));
    expect(accumulator.size).toBe(0);
    accumulator.add(says('l', { conns: 0 }));
    expect(accumulator.take(10)).toMatchObject([{ activeConnections: 0 }]);
  });

  test('of agents that tell totals is what was added, from the first message on and after a counter began anew', () => {
    const accumulator = new Accumulator();
    for (const rx of [100, 130, 130, 5]) accumulator.add(says('l', { rx }, 2));
    expect(accumulator.take(10)).toMatchObject([{ bytesIn: 35 }]);
    accumulator.forget('a');
    accumulator.add(says('l', { rx: 500 }, 2));
    expect(accumulator.size).toBe(0);
  });

  test('is neither lost nor counted twice, however batches are taken', () => {
    const step = fc.oneof(
      fc.record({ listener: fc.constantFrom('l', 'm', 'n'), amphora: fc.constantFrom('a', 'b'), rx: fc.nat(1000) }),
      fc.nat(3),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const accumulator = new Accumulator();
        let [added, taken] = [0, 0];
        const take = (most: number) => {
          for (const { bytesIn } of accumulator.take(most)) taken += bytesIn;
        };
        for (const one of steps) {
          if (typeof one === 'number') take(one);
          else {
            accumulator.add(says(one.listener, { rx: one.rx }, 3, one.amphora));
            added += one.rx;
          }
        }
        take(100);
        expect(taken).toBe(added);
      }),
    );
  });
});
