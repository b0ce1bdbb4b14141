// Reads that wait for a database that is away, instead of failing while it restarts.
import { setTimeout as wait } from 'node:timers/promises';
import { isDatabaseAway } from './failures.ts';

/** Longer than a caller waits: it is the caller's deadline that ends a call. */
const patienceMs = 60_000;
const firstPauseMs = 50;
const longestPauseMs = 1_000;

/** Repeats a read as long as the database is away. @throws what the read throws otherwise, or at the end of its patience */
export async function patiently<T>(read: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 2, longestPauseMs)) {
    try {
      return await read();
    } catch (error) {
      if (!isDatabaseAway(error) || performance.now() > deadline) throw error;
      await wait(pause);
    }
  }
}
