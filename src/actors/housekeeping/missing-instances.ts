// The chore of the start that compares amphorae with instances: those that stopped while no controller ran, in a reboot
// say, are replaced at once and at a pace, where silence would take them for one great loss and wait for an operator.
// Later on silence alone is judged. Only for compute drivers whose list is the truth.
import { setTimeout as wait } from 'node:timers/promises';
import { expectedInstances, type Listing, missingTwice } from '../../domain/health/missing.ts';
import type { AmphoraFacts } from '../../domain/amphora/facts.ts';
import type { AmphoraId } from '../../domain/ids.ts';
import type { ComputeDriver, Instance } from '../../drivers/compute/driver.ts';
import type { Fleet } from '../cluster/fleet.ts';
import type { Chore } from './housekeeping.ts';

export interface MissingInstancesOptions {
  readonly compute: ComputeDriver;
  readonly fleet: Fleet;
  /** Whether operators have said to leave it alone: then its silence is what will tell. */
  readonly isHeld: (facts: AmphoraFacts) => boolean;
  /** `endedBy`: a sentence that says who ended it; undefined when nobody meant to. */
  readonly failOver: (id: AmphoraId, facts: AmphoraFacts, endedBy: string | undefined) => void;
}

const secondLookMs = 1_000;
const timeoutMs = 30_000;
/** After a reboot all are missing: they come back at this pace. */
const mostAtOnce = 20;

export function missingInstancesChore({ compute, fleet, isHeld, failOver }: MissingInstancesOptions): Chore {
  const look = async (signal: AbortSignal): Promise<Listing & { readonly stopped: readonly Instance[] }> => {
    const expected = expectedInstances(fleet);
    const listed = await compute.list(AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    const instances = new Set(listed.filter(isUp).map((instance) => instance.amphoraId));
    return { expected, instances, stopped: listed.filter((instance) => !isUp(instance)) };
  };
  return {
    name: 'missing-instances',
    firstAfterMs: 0,
    everyMs: undefined,
    run: async (signal) => {
      if (!compute.listsEverything) return { done: 0, isMore: false };
      const first = await look(signal);
      if (first.expected.every((id) => first.instances.has(id))) return { done: 0, isMore: false };
      await wait(secondLookMs, undefined, { signal });
      const second = await look(signal);
      const isSpare = (id: AmphoraId) => fleet.get(id)?.status === 'READY';
      const missing = missingTwice(first, second)
        .filter((id) => {
          const facts = fleet.get(id);
          return facts !== undefined && !isHeld(facts);
        })
        // Or load balancers that lose theirs would be given a spare that is gone, and wait for its silence.
        .toSorted((a, b) => Number(isSpare(b)) - Number(isSpare(a)));
      for (const id of missing.slice(0, mostAtOnce)) {
        const facts = fleet.get(id);
        const instance = second.stopped.find(({ amphoraId }) => amphoraId === id);
        if (facts !== undefined) failOver(id, facts, instance?.fault);
      }
      return { done: Math.min(missing.length, mostAtOnce), isMore: missing.length > mostAtOnce };
    },
  };
}

/** What still runs in part, or under another data folder, is left to silence. */
function isUp({ status }: Instance): boolean {
  return status !== 'STOPPED';
}
