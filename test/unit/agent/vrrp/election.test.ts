import { describe, expect, test } from '@jest/globals';
import type { VrrpConfiguration } from '../../../../src/agent/vrrp/configuration.ts';
import {
  beginElection,
  type ElectionState,
  masterDownMs,
  onAdvert,
  onHealth,
  onTimer,
} from '../../../../src/agent/vrrp/election.ts';

const conf: VrrpConfiguration = {
  beginsAs: 'BACKUP',
  routerId: 1,
  priority: 90,
  advertIntervalMs: 1_000,
  nopreempt: true,
  address: '127.90.0.2',
  peers: ['127.90.0.1'],
  password: 'secret',
  addresses: ['127.88.0.1'],
};
const stronger = { priority: 100, from: '127.90.0.1' };
const weaker = { priority: 80, from: '127.90.0.1' };
const master: ElectionState = { role: 'MASTER', timerAt: 1_000 };
const backup: ElectionState = { role: 'BACKUP', timerAt: 3_000 };

describe('one of a pair', () => {
  test('that begins as BACKUP takes the VIP after three intervals and a little without a word, and says so', () => {
    expect(masterDownMs(conf)).toBeCloseTo(3_648, 0);
    const { state } = beginElection(conf, 0);
    expect(state).toEqual({ role: 'BACKUP', timerAt: masterDownMs(conf) });
    expect(onTimer(state, conf, 4_000)).toEqual({ state: { role: 'MASTER', timerAt: 5_000 }, send: 90 });
  });

  test('that begins as MASTER has it at once', () => {
    expect(beginElection({ ...conf, beginsAs: 'MASTER' }, 0)).toMatchObject({ state: { role: 'MASTER' }, send: 90 });
  });

  test('with more priority waits a little less', () => {
    expect(masterDownMs({ ...conf, priority: 100 })).toBeLessThan(masterDownMs(conf));
  });

  test('waits on as long as it hears the other one', () => {
    expect(onAdvert(backup, stronger, conf, 2_000).state).toEqual({
      role: 'BACKUP',
      timerAt: 2_000 + masterDownMs(conf),
    });
  });

  test('leaves the VIP to a weaker one that has it, unless it is to preempt', () => {
    expect(onAdvert(backup, weaker, conf, 2_000).state.timerAt).toBeGreaterThan(backup.timerAt);
    expect(onAdvert(backup, weaker, { ...conf, nopreempt: false }, 2_000).state).toBe(backup);
  });

  test('takes it almost at once when the other one gives it up', () => {
    const { state } = onAdvert(backup, { ...stronger, priority: 0 }, conf, 100);
    expect(state.timerAt).toBeLessThan(100 + conf.advertIntervalMs);
  });

  test('gives it up to a stronger one that has it too, and tells a weaker one that it stays', () => {
    expect(onAdvert(master, stronger, conf, 0).state.role).toBe('BACKUP');
    expect(onAdvert(master, weaker, conf, 0)).toMatchObject({ state: { role: 'MASTER' }, send: 90 });
  });

  test('of equals, the one with the greater address keeps it', () => {
    expect(onAdvert(master, { priority: 90, from: '127.90.0.1' }, conf, 0).state.role).toBe('MASTER');
    expect(onAdvert(master, { priority: 90, from: '127.90.0.3' }, conf, 0).state.role).toBe('BACKUP');
  });

  test('gives it up when its haproxy is down, wants it again only as BACKUP, and hears nothing meanwhile', () => {
    const fault = onHealth(master, false, conf, 0);
    expect(fault).toEqual({ state: { role: 'FAULT', timerAt: Number.POSITIVE_INFINITY }, send: 0 });
    expect(onAdvert(fault.state, { ...weaker, priority: 0 }, conf, 1).state).toBe(fault.state);
    expect(onHealth(fault.state, true, conf, 2).state.role).toBe('BACKUP');
  });
});
