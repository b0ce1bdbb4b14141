import { expect, test } from '@jest/globals';
import { Failovers } from '../../../src/actors/health-watchdog/failovers.ts';
import { noPeers } from '../../../src/domain/cluster/peers.ts';
import { emptyView } from '../../../src/domain/ownership.ts';

class Clock {
  now = 100_000;
}

function failoversOf(clock: Clock): Failovers {
  const owners = { ...emptyView.owners, health: ['a', 'b'] };
  return new Failovers({
    ownership: { nodeId: 'a', view: { ...emptyView, owners } },
    peers: noPeers,
    perMinute: 10,
    tickMs: 250,
    now: () => clock.now,
  });
}

const quiet = { node: 'b', failovers: 0, groups: [] } as const;

test('a node is heard since its first tally without a break, and not at all when it falls silent', () => {
  const clock = new Clock();
  const failovers = failoversOf(clock);
  expect(failovers.heardSince('a')).toBe(-Infinity);
  expect(failovers.heardSince('b')).toBeUndefined();
  failovers.hear(quiet);
  clock.now += 900;
  failovers.hear(quiet);
  expect(failovers.heardSince('b')).toBe(100_000);
  clock.now += 1_001;
  expect(failovers.heardSince('b')).toBeUndefined();
  failovers.hear(quiet);
  expect(failovers.heardSince('b')).toBe(101_901);
});

test('what another node has begun is not left for this one, and its counts are forgotten when it falls silent', () => {
  const clock = new Clock();
  const failovers = failoversOf(clock);
  failovers.hear({ node: 'b', failovers: 4, groups: [['fleet', 3, 2, 1]] });
  expect(failovers.left(3)).toBe(3);
  expect([...(failovers.tallies[0]?.groups ?? [])]).toEqual([['fleet', { late: 3, suspect: 2, silent: 1 }]]);
  clock.now += 5_000;
  expect(failovers.tallies).toEqual([]);
  // Its share is five.
  expect(failovers.left(3)).toBe(2);
});
