// The comparison of world and journal after a restore: it needs drivers, so a node makes it.
import type { Pool } from 'pg';
import type { RestoreView } from '../channels/inspect/methods.ts';
import { acceptDatabase, observingReason } from '../db/mark.ts';
import { journalledWorld } from '../db/repositories/restore.ts';
import { compareWorld } from '../domain/restore/compare.ts';
import type { ComputeDriver } from '../drivers/compute/driver.ts';

const timeoutMs = 20_000;

/** Compares, and then lets nodes work again when that is asked for. */
export function restoreCheck(pool: Pool, compute: ComputeDriver): (accept: boolean) => Promise<RestoreView> {
  return async (accept) => {
    const instances = await compute.list(AbortSignal.timeout(timeoutMs));
    const journalled = await journalledWorld(
      pool,
      instances.map(({ amphoraId }) => amphoraId),
    );
    const observing = await observingReason(pool);
    if (accept) await acceptDatabase(pool);
    return {
      observing,
      accepted: accept && observing !== null,
      instances: instances.length,
      amphorae: journalled.amphorae.length,
      loadBalancers: journalled.loadBalancers.length,
      differences: compareWorld({ instances, ...journalled }),
    };
  };
}
