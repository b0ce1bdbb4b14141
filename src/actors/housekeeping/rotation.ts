// The chore that has certificates of amphorae replaced ahead of their end: a few at a time, the first to end first. Each amphora
// does it by itself and keeps at it; one that keeps failing makes room for the others.
import type { Logger } from 'pino';
import type { AmphoraId } from '../../domain/ids.ts';
import type { Chore } from './housekeeping.ts';

export interface RotationOptions {
  /** Replaced at the same time. */
  readonly atOnce: number;
  readonly state: () => Promise<{ readonly underWay: number; readonly earliestEnd: number | null }>;
  /** That end soon, the first to end first. */
  readonly due: () => Promise<
    readonly { readonly amphoraId: AmphoraId; readonly fingerprint: string; readonly zone: string | null }[]
  >;
  readonly rotate: (amphoraId: AmphoraId, fingerprint: string) => void;
  /** Whether amphorae of that zone are to be left alone. */
  readonly isHeld: (zone: string | null) => boolean;
  readonly log: Logger;
}

export interface Rotation {
  readonly chore: Chore;
  /** When the first certificate of all ends, milliseconds; undefined while another node keeps house, or there is none. */
  readonly earliestEnd: () => number | undefined;
}

const everyMs = 10_000;

export function certificateRotation({ atOnce, state, due, rotate, isHeld, log }: RotationOptions): Rotation {
  let seen: { readonly earliestEnd: number | null; readonly at: number } | undefined;
  const run = async () => {
    const { underWay, earliestEnd } = await state();
    seen = { earliestEnd, at: performance.now() };
    const room = atOnce - underWay;
    if (room <= 0) return { done: 0, isMore: false };
    const chosen = (await due()).filter(({ zone }) => !isHeld(zone)).slice(0, room);
    for (const { amphoraId, fingerprint } of chosen) {
      log.info({ amphoraId }, 'its certificate ends soon and is replaced');
      rotate(amphoraId, fingerprint);
    }
    return { done: chosen.length, isMore: false };
  };
  return {
    chore: { name: 'certificates', firstAfterMs: everyMs, everyMs, run },
    earliestEnd: () =>
      seen === undefined || performance.now() - seen.at > 3 * everyMs ? undefined : (seen.earliestEnd ?? undefined),
  };
}
