import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import { StatisticsWriter } from '../../../../src/actors/statistics/writer.ts';
import type { HeartbeatMessage } from '../../../../src/domain/health/message.ts';
import type { Usage } from '../../../../src/domain/statistics/usage.ts';

const log = pino({ level: 'silent' });
const beat = (rx: number): HeartbeatMessage => ({
  id: 'a',
  seq: 0,
  listeners: { l: { status: 'OPEN', stats: { tx: 0, rx, conns: 0, totconns: 0, ereq: 0 } } },
  pools: {},
  ver: 3,
});
const usage: Usage = { projectId: 'p', bytesIn: 1, bytesOut: 0, totalConnections: 0, requestErrors: 0 };

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

function writer(write: (batch: number, bytesIn: number) => Promise<readonly Usage[]>) {
  const metered: Usage[] = [];
  const made = new StatisticsWriter({
    intervalMs: 10_000,
    write: (batch, rows) =>
      write(
        batch,
        rows.reduce((sum, row) => sum + row.bytesIn, 0),
      ),
    meter: async (usages) => void metered.push(...usages),
    log,
  });
  return { writer: made, metered };
}

test('statistics are written every interval, in numbered batches, and metered', async () => {
  const calls: [number, number][] = [];
  const { writer: it, metered } = writer(async (...call) => (calls.push(call), [usage]));
  it.count(beat(1));
  it.count(beat(2));
  await jest.advanceTimersByTimeAsync(10_000);
  await jest.advanceTimersByTimeAsync(10_000);
  it.count(beat(5));
  await jest.advanceTimersByTimeAsync(10_000);
  expect(calls).toEqual([
    [1, 3],
    [2, 5],
  ]);
  expect([metered.length, it.written, it.waiting]).toEqual([2, 2, 0]);
  await it.stop(0);
});

test('a batch that failed is tried again under its number, and what came meanwhile is not in it', async () => {
  const calls: [number, number][] = [];
  const { writer: it } = writer(async (...call) => {
    calls.push(call);
    if (calls.length < 3) throw new Error('the database is away');
    return [];
  });
  it.count(beat(1));
  const flushed = it.flush();
  it.count(beat(10));
  await jest.advanceTimersByTimeAsync(2_000);
  await flushed;
  expect(calls).toEqual([
    [1, 1],
    [1, 1],
    [1, 1],
  ]);
  expect(it.waiting).toBe(1);
  await it.stop(0);
  expect(calls.at(-1)).toEqual([2, 10]);
});

test('a node that stops gives up after its time when the database stays away', async () => {
  const { writer: it } = writer(() => Promise.reject(new Error('the database is away')));
  it.count(beat(1));
  const stopped = it.stop(5_000);
  await jest.advanceTimersByTimeAsync(6_000);
  await stopped;
  expect(it.written).toBe(0);
});
