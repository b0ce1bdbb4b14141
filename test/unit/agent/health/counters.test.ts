import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DeltaCounters } from '../../../../src/agent/health/counters.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const folder = tempFolder('counters');
let files = 0;
const newFile = (): string => join(folder, `${files++}.json`);
const counted = (worker: number, total: number) => ({
  worker,
  listeners: {
    a: { status: 'OPEN' as const, stats: { tx: total, rx: total, conns: 5, totconns: total, ereq: total } },
  },
  pools: {},
});

test('what was taken is not told again', () => {
  const counters = new DeltaCounters(newFile());
  counters.add(counted(1, 10));
  expect(counters.take('a', 5)).toEqual({ tx: 10, rx: 10, conns: 5, totconns: 10, ereq: 10 });
  counters.add(counted(1, 12));
  expect(counters.take('a', 1)).toEqual({ tx: 2, rx: 2, conns: 1, totconns: 2, ereq: 2 });
  expect(counters.take('a', 0)).toMatchObject({ tx: 0, totconns: 0 });
});

test('another worker counts from 0, even when it has counted more', () => {
  const counters = new DeltaCounters(newFile());
  counters.add(counted(1, 10));
  counters.add(counted(2, 15));
  expect(counters.take('a', 0).tx).toBe(25);
});

test('a counter that went down counts from 0', () => {
  const counters = new DeltaCounters(newFile());
  counters.add(counted(1, 10));
  counters.add(counted(1, 4));
  expect(counters.take('a', 0).tx).toBe(14);
});

test('a broken file counts as empty', () => {
  for (const content of ['', '{', 'null', '[]', '{"seen":{"a":{"worker":1}},"unreported":{"a":null}}']) {
    const file = newFile();
    writeFileSync(file, content);
    const counters = new DeltaCounters(file);
    counters.add(counted(1, 3));
    expect(counters.take('a', 0).tx).toBe(3);
  }
});

test('a listener that is gone is forgotten, in the file too', () => {
  const file = newFile();
  const counters = new DeltaCounters(file);
  counters.add(counted(1, 3));
  counters.keepOnly(new Set());
  counters.save();
  expect(readFileSync(file, 'utf8')).not.toContain('"a"');
});

test('the deltas add up to what was counted, whatever is restarted in between', () => {
  const step = fc.record({
    more: fc.nat(100),
    newWorker: fc.boolean(),
    restartAgent: fc.boolean(),
    take: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const file = newFile();
      let counters = new DeltaCounters(file);
      let [worker, total, sum, told] = [1, 0, 0, 0];
      for (const { more, newWorker, restartAgent, take } of steps) {
        if (newWorker) [worker, total] = [worker + 1, 0];
        total += more;
        sum += more;
        counters.add(counted(worker, total));
        if (take) told += counters.take('a', 0).tx;
        counters.save();
        if (restartAgent) counters = new DeltaCounters(file);
      }
      expect(told + counters.take('a', 0).tx).toBe(sum);
    }),
    { numRuns: 50 },
  );
});
