// How often a crashed actor may start again: so many restarts in a window of time, each after a longer pause. Pure; the
// clock is an argument.

export interface RestartLimits {
  readonly restarts: number;
  readonly windowMs: number;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
}

export const defaultRestartLimits: RestartLimits = {
  restarts: 5,
  windowMs: 60_000,
  firstDelayMs: 50,
  longestDelayMs: 5_000,
};

export type Verdict = { readonly type: 'restart'; readonly delayMs: number } | { readonly type: 'giveUp' };

/** `history` holds the times of earlier restarts, oldest first; the caller appends `now` when it restarts. */
export function judgeCrash(history: readonly number[], now: number, limits: RestartLimits, jitter: number): Verdict {
  const recent = history.filter((at) => now - at < limits.windowMs).length;
  if (recent >= limits.restarts) return { type: 'giveUp' };
  const delay = Math.min(limits.longestDelayMs, limits.firstDelayMs * 2 ** recent);
  return { type: 'restart', delayMs: Math.round(delay * (1 + jitter / 4)) };
}
