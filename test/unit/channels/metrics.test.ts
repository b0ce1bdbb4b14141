import { expect, test } from '@jest/globals';
import { metricsOf } from '../../../src/channels/metrics.ts';

test('waits for the database are visible: the oldest write, connections by what they do, callers without one', async () => {
  const registry = metricsOf({
    journal: () => ({ entries: 7, statements: 3, backlog: 2, oldestWaitMs: 1_500 }),
    pool: () => ({ total: 8, idle: 3, waiting: 4 }),
    actors: () => ({ byKind: new Map(), deadLetters: 0, restarts: 0, stepFailures: {} }),
    heartbeats: () => ({}),
  });
  const text = await registry.metrics();
  for (const line of [
    'amphi_journal_oldest_wait_seconds 1.5',
    'amphi_journal_backlog 2',
    'amphi_database_connections{state="busy"} 5',
    'amphi_database_connections{state="idle"} 3',
    'amphi_database_waiting 4',
  ]) {
    expect(text.split('\n')).toContain(line);
  }
});
