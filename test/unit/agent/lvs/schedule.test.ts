import { describe, expect, test } from '@jest/globals';
import { Scheduler, networkOf } from '../../../../src/agent/lvs/schedule.ts';

const two = [
  { id: 'a', weight: 3, clients: 0 },
  { id: 'b', weight: 1, clients: 0 },
];

describe('who gets a new client', () => {
  test('in turn, by weight, and never for long the same', () => {
    const scheduler = new Scheduler();
    const chosen = Array.from({ length: 8 }, () => scheduler.choose('rr', two, 'x')?.id).join('');
    expect(chosen).toBe('aabaaaba');
  });

  test('the one with the fewest clients for its weight', () => {
    const scheduler = new Scheduler();
    const busy = [
      { id: 'a', weight: 3, clients: 5 },
      { id: 'b', weight: 1, clients: 2 },
    ];
    expect(scheduler.choose('wlc', busy, 'x')?.id).toBe('a');
    expect(scheduler.choose('wlc', [{ id: 'a', weight: 3, clients: 7 }, ...busy.slice(1)], 'x')?.id).toBe('b');
  });

  test('the same client the same member, and many clients in proportion to the weights', () => {
    const scheduler = new Scheduler();
    const counts = { a: 0, b: 0 };
    for (let client = 0; client < 4000; client++) {
      const address = `10.0.${client >> 8}.${client & 255}`;
      const first = scheduler.choose('sh', two, address)?.id as 'a' | 'b';
      expect(scheduler.choose('sh', two, address)?.id).toBe(first);
      counts[first]++;
    }
    expect(counts.a / counts.b).toBeGreaterThan(2.5);
    expect(counts.a / counts.b).toBeLessThan(3.5);
  });

  test.each(['rr', 'wlc', 'sh'] as const)('nobody when there is nobody (%s)', (schedule) => {
    expect(new Scheduler().choose(schedule, [], 'x')).toBeUndefined();
  });
});

describe('the network of a client', () => {
  test.each([
    ['10.1.2.3', '10.1.2.250', 24, true],
    ['10.1.2.3', '10.1.3.3', 24, false],
    ['10.1.2.3', '10.1.2.4', 32, false],
  ])('of %s and %s at /%i is the same: %s', (one, other, ipv4, same) => {
    const bits = { ipv4, ipv6: 128 };
    expect(networkOf(one, bits) === networkOf(other, bits)).toBe(same);
  });

  test.each([
    ['2001:db8::1', '2001:db8:0:0:1::9', 64, true],
    ['2001:db8::1', '2001:db8:0:1::1', 64, false],
  ])('of %s and %s at /%i is the same: %s', (one, other, ipv6, same) => {
    const bits = { ipv4: 32, ipv6 };
    expect(networkOf(one, bits) === networkOf(other, bits)).toBe(same);
  });
});
