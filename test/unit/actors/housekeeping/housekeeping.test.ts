import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { start, stop } from 'nact';
import { pino } from 'pino';
import { Fleet } from '../../../../src/actors/cluster/fleet.ts';
import { type Chore, spawnHousekeeping } from '../../../../src/actors/housekeeping/housekeeping.ts';
import { missingInstancesChore } from '../../../../src/actors/housekeeping/missing-instances.ts';
import { Registry } from '../../../../src/actors/runtime/registry.ts';
import type { AmphoraId, LoadBalancerId } from '../../../../src/domain/ids.ts';
import { FakeWorld } from '../../../support/fake-drivers.ts';
import { waitFor } from '../../../support/wait-for.ts';

const log = pino({ level: 'silent' });

function keep(chore: Chore) {
  const system = start();
  const registry = new Registry();
  const actor = spawnHousekeeping(system, { registry, log, mailboxLimit: 10 }, { chores: [chore], log });
  return { actor, registry, close: () => stop(system) };
}

test('a chore that is under way is told when housekeeping ends, and speaks to nobody after that', async () => {
  let underWay: AbortSignal | undefined;
  let ended: unknown;
  const { actor, registry, close } = keep({
    name: 'slow',
    firstAfterMs: 0,
    everyMs: 10,
    run: (signal) => {
      underWay = signal;
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => {
          ended = signal.reason;
          reject(signal.reason as Error);
        }),
      );
    },
  });
  try {
    await waitFor(() => underWay, { describe: 'the chore to begin' });
    expect(underWay?.aborted).toBe(false);
    actor.stop();
    await waitFor(() => ended, { describe: 'the chore to be told' });
    await new Promise(setImmediate);
    expect(registry.deadLetterCount).toBe(0);
  } finally {
    close();
  }
});

test('the look for missing instances does not wait for its second look when another node keeps house by then', async () => {
  const world = new FakeWorld();
  const fleet = new Fleet();
  fleet.learn(randomUUID() as AmphoraId, { status: 'READY', loadBalancerIds: [], bootFailure: null, controllers: [] });
  const failed: AmphoraId[] = [];
  const chore = missingInstancesChore({
    compute: world.compute,
    fleet,
    isHeld: () => false,
    failOver: (amphoraId) => failed.push(amphoraId),
  });
  const ending = new AbortController();
  const outcome = chore.run(ending.signal);
  await waitFor(() => world.calls.includes('compute.list '), { describe: 'the first look' });
  ending.abort(new Error('another node keeps house'));
  await expect(outcome).rejects.toThrow();
  expect(world.calls).toEqual(['compute.list ']);
  expect(failed).toEqual([]);
});

test('spares whose instances are missing go first, so that none is given to a load balancer that has lost its own', async () => {
  const fleet = new Fleet();
  const [served, spare] = [randomUUID() as AmphoraId, randomUUID() as AmphoraId];
  const loadBalancerIds = [randomUUID() as LoadBalancerId];
  fleet.learn(served, { status: 'ALLOCATED', loadBalancerIds, bootFailure: null, controllers: [] });
  fleet.learn(spare, { status: 'READY', loadBalancerIds: [], bootFailure: null, controllers: [] });
  const failed: AmphoraId[] = [];
  const chore = missingInstancesChore({
    compute: new FakeWorld().compute,
    fleet,
    isHeld: () => false,
    failOver: (amphoraId) => failed.push(amphoraId),
  });
  expect(await chore.run(new AbortController().signal)).toEqual({ done: 2, isMore: false });
  expect(failed).toEqual([spare, served]);
});
