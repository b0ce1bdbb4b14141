// What keeps a node from working that lies with its database, in sentences for whoever asks whether it is ready.
import type { Pool } from 'pg';
import type { Journal } from './journal.ts';

/** Commands are answered late before they fail. */
const slowMs = 2_000;

/** Empty when all is well. Asks the database, and waits for its answer as long as the pool does. */
export async function databaseTroubles(
  pool: Pool,
  journal: Pick<Journal, 'trouble' | 'oldestWaitMs'>,
): Promise<readonly string[]> {
  const troubles: string[] = [];
  if (journal.trouble !== undefined) troubles.push(`nothing can be written: ${journal.trouble}`);
  const waitMs = journal.oldestWaitMs;
  if (waitMs > slowMs) troubles.push(`the database is slow: a write has been waiting for ${seconds(waitMs)}`);
  const askedAt = performance.now();
  try {
    await pool.query('select 1');
    const answerMs = performance.now() - askedAt;
    const { totalCount, waitingCount } = pool;
    const waiting = `(connections: ${totalCount}, waiting for one: ${waitingCount})`;
    if (answerMs > slowMs) troubles.push(`the database is slow: it answered after ${seconds(answerMs)} ${waiting}`);
  } catch (error) {
    troubles.push(`the database does not answer: ${(error as Error).message}`);
  }
  return troubles;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
