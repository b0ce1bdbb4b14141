import { describe, expect, test } from '@jest/globals';
import {
  expectFrom,
  judge,
  startWatching,
  type WatchdogLimits,
  type WatchdogState,
} from '../../../../src/domain/health/watchdog.ts';
import type { AmphoraId } from '../../../../src/domain/ids.ts';

const limits: WatchdogLimits = {
  timeoutMs: 3_000,
  tickMs: 250,
  failoversPerMinute: 5,
  breakerShare: 0.5,
  breakerMinimum: 8,
};

/** A watchdog over amphorae a0…, with heartbeats as the test says. */
class Watch {
  readonly state: WatchdogState = startWatching(0);
  readonly seen = new Map<AmphoraId, number>();
  now = 0;

  constructor(count: number) {
    for (let index = 0; index < count; index++) expectFrom(this.state, `a${index}` as AmphoraId, 0);
  }

  /** Lets time pass in ticks; all but the silent send heartbeats. Gives the amphorae that were failed over. */
  pass(ms: number, { silent = [] as readonly string[], blind = false } = {}): string[] {
    const failedOver: string[] = [];
    for (const until = this.now + ms; this.now < until; ) {
      this.now += limits.tickMs;
      for (const id of this.state.expected.keys()) if (!silent.includes(id)) this.seen.set(id, this.now);
      failedOver.push(...this.tick(blind));
    }
    return failedOver;
  }

  tick(blind = false): string[] {
    return judge(this.state, (id) => this.seen.get(id), this.now, blind, limits).failover.map(({ id }) => id);
  }
}

describe('the watchdog', () => {
  test('fails over an amphora that is silent for the time-out, and not before', () => {
    const watch = new Watch(3);
    watch.pass(1_000);
    expect(watch.pass(2_750, { silent: ['a1'] })).toEqual([]);
    expect(watch.pass(250, { silent: ['a1'] })).toEqual(['a1']);
  });

  test('asks once, and again only after another time-out', () => {
    const watch = new Watch(3);
    expect(watch.pass(5_750, { silent: ['a1'] })).toEqual(['a1']);
    expect(watch.pass(500, { silent: ['a1'] })).toEqual(['a1']);
  });

  test('counts silence of one that was never heard from when it was first expected', () => {
    const watch = new Watch(0);
    watch.now = 10_000;
    watch.state.lastTickAt = 10_000;
    expectFrom(watch.state, 'late' as AmphoraId, 10_000);
    expect(watch.pass(2_750, { silent: ['late'] })).toEqual([]);
    expect(watch.pass(250, { silent: ['late'] })).toEqual(['late']);
  });

  test('gives everybody the whole time-out again when this process was stopped', () => {
    const watch = new Watch(3);
    watch.pass(1_000);
    watch.now += 60_000;
    expect(watch.tick()).toEqual([]);
    expect(watch.pass(2_750, { silent: ['a0', 'a1', 'a2'] })).toEqual([]);
    expect(watch.pass(250, { silent: ['a0', 'a1', 'a2'] })).toEqual(['a0', 'a1', 'a2']);
  });

  test('fails nobody over while it is blind, nor before a time-out has passed since', () => {
    const watch = new Watch(3);
    watch.pass(1_000);
    expect(watch.pass(60_000, { silent: ['a0'], blind: true })).toEqual([]);
    expect(watch.pass(2_750, { silent: ['a0'] })).toEqual([]);
    expect(watch.pass(250, { silent: ['a0'] })).toEqual(['a0']);
  });

  test('takes the loss of most of a fleet for one cause and leaves it alone', () => {
    const watch = new Watch(10);
    const silent = ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7'];
    watch.pass(1_000);
    expect(watch.pass(10_000, { silent })).toEqual([]);
    const verdict = judge(watch.state, (id) => watch.seen.get(id), watch.now, false, limits);
    expect(verdict.held).toHaveLength(8);
    expect(verdict.holdReason).toBe('8 of 10 amphorae are silent at once: that looks like one cause');
  });

  test('keeps to its pace', () => {
    const watch = new Watch(100);
    const silent = Array.from({ length: 20 }, (_, index) => `a${index}`);
    watch.pass(1_000);
    expect(new Set(watch.pass(30_000, { silent })).size).toBe(5);
    expect(new Set(watch.pass(60_000, { silent })).size).toBeGreaterThan(5);
  });
});
