// Waiting for an effect instead of for a time.
import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitFor {
  /** Default 10 s. */
  readonly timeoutMs?: number;
  /** Ends the sentence "waited 10 s for …". */
  readonly describe: string;
  readonly pollMs?: number;
}

/**
 * Calls `condition` until it gives something truthy, and gives that back. A condition that throws counts as not yet
 * met. The error at the deadline says what was seen last.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000, describe, pollMs = 20 }: WaitFor,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  let seen: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      seen = value;
    } catch (error) {
      seen = error;
    }
    if (Date.now() >= deadline)
      throw new Error(`waited ${timeoutMs / 1000} s for ${describe}; last seen: ${shown(seen)}`);
    await sleep(pollMs);
  }
}

function shown(value: unknown): string {
  const { message } = (value ?? {}) as Partial<Error>;
  return message ?? JSON.stringify(value) ?? String(value);
}
