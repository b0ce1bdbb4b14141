// Looks, at a steady pace, whether amphorae of this node's load balancers still hold what they have accepted. One that does not,
// because somebody or something has changed it behind our back, has its load balancer push again.
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';

/** An amphora and what it has accepted last. */
export interface Accepted {
  readonly loadBalancerId: LoadBalancerId;
  readonly amphoraId: AmphoraId;
  readonly agentHost: string;
  readonly agentPort: number;
  readonly zone: string | null;
  /** Null when that was nothing. */
  readonly digest: string | null;
  readonly hasLvs: boolean;
}

export interface DriftRepairOptions {
  /** In which all amphorae are looked at once, milliseconds. */
  readonly roundMs: number;
  readonly count: () => Promise<number>;
  readonly next: (after: Accepted | null, limit: number) => Promise<readonly Accepted[]>;
  /** Digest of what the amphora holds; undefined when that is nothing. */
  readonly look: (amphora: Accepted, signal: AbortSignal) => Promise<string | undefined>;
  /** Does nothing when it has accepted something else meanwhile. */
  readonly repair: (amphora: Accepted) => void;
  /** Whether amphorae of that zone are to be left alone. */
  readonly isHeld: (zone: string | null) => boolean;
  readonly now: () => number;
  readonly log: Logger;
}

const page = 100;
const lookMs = 5_000;
/** When there is nothing to look at, there may be soon. */
const longestPauseMs = 60_000;
/** A mistake of ours would make the whole fleet look changed: it must not be reloaded all at once. */
const repairPauseMs = 2_000;

export class DriftRepair {
  readonly counts = { looks: 0, repairs: 0, unreachable: 0 };
  readonly #options: DriftRepairOptions;
  readonly #stopping = new AbortController();
  #repairedAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;

  constructor(options: DriftRepairOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#goRound();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #goRound(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#round();
      } catch (error) {
        if (signal.aborted) return;
        this.#options.log.debug({ err: error }, 'amphorae could not be looked at; they are later');
        await this.#pause(longestPauseMs);
      }
    }
  }

  async #round(): Promise<void> {
    const { roundMs, count, next } = this.#options;
    const pauseMs = roundMs / Math.max(1, await count());
    let after: Accepted | null = null;
    for (;;) {
      const some = await next(after, page);
      if (some.length === 0) break;
      for (const amphora of some) {
        await this.#pause(pauseMs);
        if (this.#stopping.signal.aborted) return;
        await this.visit(amphora);
      }
      after = some.at(-1) ?? null;
    }
    if (after === null) await this.#pause(Math.min(roundMs, longestPauseMs));
  }

  /** Looks at one, and has it repaired when that is due and may be. */
  async visit(amphora: Accepted): Promise<void> {
    const { look, repair, isHeld, now, log } = this.#options;
    if (isHeld(amphora.zone)) return;
    const { loadBalancerId, amphoraId, digest } = amphora;
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(lookMs)]);
    let held: string | undefined;
    try {
      held = await look(amphora, signal);
    } catch (error) {
      // Silence is the watchdog's.
      this.counts.unreachable++;
      log.debug({ err: error, amphoraId }, 'what an amphora serves could not be looked at');
      return;
    }
    this.counts.looks++;
    if (held === (digest ?? undefined) || now() - this.#repairedAt < repairPauseMs) return;
    this.#repairedAt = now();
    this.counts.repairs++;
    const expected = digest ?? 'nothing';
    log.warn(
      { loadBalancerId, amphoraId, expected, held: held ?? 'nothing' },
      'an amphora has changed: it is repaired',
    );
    repair(amphora);
  }

  async #pause(ms: number): Promise<void> {
    await wait(ms, undefined, { signal: this.#stopping.signal, ref: false }).catch(() => undefined);
  }
}
