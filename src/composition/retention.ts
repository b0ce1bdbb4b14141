// The chores that keep the database small: snapshots before old entries go, and the purge itself.
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Chore } from '../actors/housekeeping/housekeeping.ts';
import type { Tree } from '../actors/tree.ts';
import type { Config } from '../config/schema.ts';
import { purgeAlerts } from '../db/repositories/alerts.ts';
import { purgeOperatingStatuses } from '../db/repositories/operating-statuses.ts';
import { purgeStatistics } from '../db/repositories/statistics.ts';
import { purge, uncoveredEntities } from '../db/repositories/retention.ts';

const intervalMs = 600_000;
/** Entities that are woken together for the sake of a snapshot. */
const snapshotsAtOnce = 100;

/** Entities of this node that are recovered from entries about to go write a snapshot. */
export function snapshotChore(
  pool: pg.Pool,
  { journal }: Pick<Config, 'journal'>,
  tree: Pick<Tree, 'writeSnapshot'>,
  nodeId: string,
): Chore {
  return {
    name: 'snapshots',
    firstAfterMs: intervalMs / 2,
    everyMs: intervalMs,
    run: async () => {
      const entities = await uncoveredEntities(pool, nodeId, journal.retentionDays, snapshotsAtOnce);
      const written = await Promise.allSettled(entities.map(({ kind, id }) => tree.writeSnapshot(kind, id)));
      const done = written.filter(({ status }) => status === 'fulfilled').length;
      return { done, isMore: done > 0 && entities.length === snapshotsAtOnce };
    },
  };
}

/** Every node sees to its own entities, for as long as it lives. Gives how to stop that. */
export function startSnapshots(
  pool: pg.Pool,
  config: Pick<Config, 'journal'>,
  tree: Pick<Tree, 'writeSnapshot'>,
  nodeId: string,
  log: Logger,
): () => void {
  const { run, firstAfterMs } = snapshotChore(pool, config, tree, nodeId);
  let timer: NodeJS.Timeout;
  const ending = new AbortController();
  const work = async (): Promise<void> => {
    let isMore = false;
    try {
      ({ isMore } = await run(ending.signal));
    } catch (error) {
      log.warn({ err: error }, 'snapshots of quiet entities were not written; they are at the next time');
    }
    if (!ending.signal.aborted) later(isMore ? 0 : intervalMs);
  };
  const later = (ms: number) => {
    timer = setTimeout(() => void work(), ms).unref();
  };
  later(firstAfterMs);
  return () => {
    ending.abort();
    clearTimeout(timer);
  };
}

/** Once in a cluster. */
export function purgeChore(
  pool: pg.Pool,
  { journal, commands, statistics, alerts }: Pick<Config, 'journal' | 'commands' | 'statistics' | 'alerts'>,
  log: Logger,
): Chore {
  const retention = { journalDays: journal.retentionDays, commandHours: commands.retentionHours };
  return {
    name: 'purge',
    firstAfterMs: intervalMs,
    everyMs: intervalMs,
    run: async () => {
      const { partitions, waiting, commands: answers, entities } = await purge(pool, retention);
      await purgeStatistics(pool, statistics.usageDays);
      const past = (await purgeAlerts(pool, alerts.retentionDays)) + (await purgeOperatingStatuses(pool));
      if (partitions.length > 0) log.info({ partitions }, 'old partitions of the journal were dropped');
      if (waiting !== undefined) log.info({ partition: waiting }, 'a partition of the journal cannot go yet');
      const done = partitions.length + answers + entities + past;
      return { done, isMore: answers + entities + past > 0 };
    },
  };
}
