import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Lease } from '../../../../src/actors/runtime/lease.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test('a lease counts from before it was asked for, not from the answer', () => {
  const lease = new Lease(1_000);
  const askedAt = performance.now();
  jest.advanceTimersByTime(400);
  lease.prolong(askedAt);
  jest.advanceTimersByTime(599);
  expect(lease.lost.aborted).toBe(false);
  jest.advanceTimersByTime(1);
  expect(lease.lost.reason).toMatchObject({ message: 'the lease ran out' });
});

test('a lease that is prolonged in time is the same one', () => {
  const lease = new Lease(1_000);
  lease.prolong(performance.now());
  const { lost } = lease;
  for (let time = 0; time < 5; time++) {
    jest.advanceTimersByTime(900);
    lease.prolong(performance.now());
  }
  expect(lease.lost).toBe(lost);
  expect(lost.aborted).toBe(false);
});

test('what was lost stays lost for those who listened, and a renewal begins another lease', () => {
  const lease = new Lease(1_000);
  lease.prolong(performance.now());
  const { lost } = lease;
  lease.lose('the session ended');
  lease.lose('something else');
  expect(lost.reason).toMatchObject({ message: 'the session ended' });
  lease.prolong(performance.now());
  expect([lost.aborted, lease.lost.aborted]).toEqual([true, false]);
});

test('an answer that took longer than the lease gives none', () => {
  const lease = new Lease(1_000);
  const askedAt = performance.now();
  jest.advanceTimersByTime(1_500);
  lease.prolong(askedAt);
  jest.advanceTimersByTime(0);
  expect(lease.lost.aborted).toBe(true);
});
