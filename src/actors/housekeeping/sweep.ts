// The chore that removes instances nobody knows: left by a restore from an older backup, or by hand.
import type { Logger } from 'pino';
import type { SweepReport } from '../../domain/cluster/messages.ts';
import { planSweep, type SweepLimits } from '../../domain/housekeeping/sweep.ts';
import type { AmphoraId } from '../../domain/ids.ts';
import type { ComputeDriver } from '../../drivers/compute/driver.ts';
import type { Chore } from './housekeeping.ts';

export interface SweepOptions {
  readonly compute: ComputeDriver;
  /** Of these, the amphorae that the journal knows and that are not deleted. */
  readonly known: (ids: readonly AmphoraId[]) => Promise<ReadonlySet<AmphoraId>>;
  readonly limits: SweepLimits;
  readonly everyMs: number;
  /** Whether operators have said to leave things alone: the chore waits then. Whoever asks for a sweep gets it. */
  readonly isHeld: () => boolean;
  readonly now: () => number;
  readonly log: Logger;
}

const timeoutMs = 30_000;

export class Sweep {
  readonly #options: SweepOptions;
  #seen: ReadonlyMap<AmphoraId, number> = new Map();

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  /** Looks, and removes what is due, until `ending` aborts. A dry run only looks; it counts as a sighting all the same. */
  async run(isDryRun: boolean, ending?: AbortSignal): Promise<SweepReport> {
    const { compute, known, limits, now, log } = this.#options;
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(ending === undefined ? [] : [ending])]);
    // The world first: an instance that is made after this is not in the list, one made before has its row by now.
    const listed = (await compute.list(signal)).map((instance) => instance.amphoraId);
    const plan = planSweep({ listed, known: await known(listed), seen: this.#seen, now: now() }, limits);
    this.#seen = plan.seen;
    if (plan.stopped !== undefined) log.warn({ orphans: plan.seen.size }, `sweep stopped: ${plan.stopped}`);
    const remove = isDryRun ? [] : plan.remove;
    for (const amphoraId of remove) {
      log.warn({ amphoraId }, 'an instance that no amphora knows is removed');
      await compute.delete(amphoraId, signal);
    }
    return {
      instances: listed.length,
      removed: remove,
      due: plan.remove,
      waiting: plan.waiting.map((amphoraId) => ({ amphoraId, seenAt: plan.seen.get(amphoraId) ?? 0 })),
      stopped: plan.stopped ?? null,
    };
  }

  chore(): Chore {
    const { everyMs, isHeld } = this.#options;
    const run = async (signal: AbortSignal) => ({
      done: isHeld() ? 0 : (await this.run(false, signal)).removed.length,
      isMore: false,
    });
    return { name: 'sweep', firstAfterMs: everyMs, everyMs, run };
  }
}
