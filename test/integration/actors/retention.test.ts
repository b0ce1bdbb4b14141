// Entities whose first entries are about to go: they write snapshots, the entries go, and they are what they were.
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { purgeChore, snapshotChore } from '../../../src/composition/retention.ts';
import { makeJournalPartitions } from '../../../src/db/journal-partitions.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer } from '../../support/load-balancer-commands.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { newLoadBalancerId, send, startTestNode, stateOf, untilStatus } from '../../support/tree.ts';
import { waitFor } from '../../support/wait-for.ts';

const database = useTestDatabase();
const settings = {
  journal: { retentionDays: 30 },
  commands: { retentionHours: 24 },
  statistics: { interval: 30, metering: 'postgres', usageDays: 400 },
  alerts: { settle: 30, retentionDays: 30 },
} as const;

test('old entries of a quiet fleet go, and it is recovered from snapshots', async () => {
  const world = new FakeWorld();
  const first = await startTestNode({ url: database.url, world });
  const id = newLoadBalancerId();
  const entries = async (pool = first.pool) => (await pool.query('select 1 from journal')).rowCount;
  let before: unknown;
  try {
    await send(first, id, createLoadBalancer(id));
    await untilStatus(first, id, 'ACTIVE');
    const quiet = `select (select count(*) from amphorae) = 2 and not exists (select 1 from entities where has_work) as is_quiet`;
    await waitFor(async () => (await first.pool.query<{ is_quiet: boolean }>(quiet)).rows[0]?.is_quiet, {
      describe: 'all work to be done',
    });
    before = await stateOf(first, id);
    await makeJournalPartitions(first.pool, Date.now() - 60 * 86_400_000);
    await first.pool.query(`update journal set at = now() - interval '60 days'`);
    const { rows } = await first.pool.query<{ owner: string }>('select owner from shards limit 1');
    const purge = purgeChore(first.pool, settings, pino({ level: 'silent' }));
    const snapshots = snapshotChore(first.pool, settings, first.tree, rows[0]?.owner ?? '');

    const { signal } = new AbortController();
    await purge.run(signal);
    expect(await entries()).toBeGreaterThan(2);
    // The load balancer, its amphora and the spare.
    expect(await snapshots.run(signal)).toEqual({ done: 3, isMore: false });
    expect(await snapshots.run(signal)).toEqual({ done: 0, isMore: false });
    await purge.run(signal);
    expect(await entries()).toBe(0);
  } finally {
    await first.close();
  }
  const second = await startTestNode({ url: database.url, world });
  try {
    expect(await stateOf(second, id)).toEqual(before);
    await send(second, id, { type: 'deleteLoadBalancer', cascade: true });
    await untilStatus(second, id, undefined);
  } finally {
    await second.close();
  }
});
