// The chore that clears alerts of what has been well for long enough, once in a cluster.
import type pg from 'pg';
import type { Chore } from '../actors/housekeeping/housekeeping.ts';
import { clearAlerts, countOpenAlerts } from '../db/repositories/alerts.ts';
import type { AlertChange } from '../domain/alert-views.ts';

const longestMs = 5_000;

export interface Clearing {
  readonly chore: Chore;
  /** Open alerts by kind of object, as this node saw them last; none while another one keeps house. */
  readonly open: () => Readonly<Record<string, number>>;
}

export function clearingOfAlerts(pool: pg.Pool, settleSeconds: number, tell: (change: AlertChange) => void): Clearing {
  const everyMs = Math.min(longestMs, settleSeconds * 250);
  let open: { readonly counts: Readonly<Record<string, number>>; readonly at: number } | undefined;
  const run = async () => {
    const cleared = await clearAlerts(pool, settleSeconds);
    for (const change of cleared) tell(change);
    open = { counts: await countOpenAlerts(pool), at: performance.now() };
    return { done: cleared.length, isMore: false };
  };
  return {
    chore: { name: 'alerts', firstAfterMs: everyMs, everyMs, run },
    open: () => (open === undefined || performance.now() - open.at > 6 * longestMs ? {} : open.counts),
  };
}
