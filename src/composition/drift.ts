// What keeps amphorae as they were accepted, put together from settings, tables, the driver and the tree.
import type pg from 'pg';
import type { Logger } from 'pino';
import { DriftRepair } from '../actors/housekeeping/drift-repair.ts';
import type { Ownership } from '../actors/runtime/ownership.ts';
import type { Tree } from '../actors/tree.ts';
import type { Config } from '../config/schema.ts';
import { countServed, listServed } from '../db/repositories/served.ts';
import { maintenanceOf } from '../domain/cluster/orders.ts';
import type { AmphoraDriver } from '../drivers/amphora/driver.ts';

export interface DriftParts {
  readonly nodeId: string;
  readonly pool: pg.Pool;
  readonly ownership: Ownership;
  readonly tree: Tree;
  readonly amphora: AmphoraDriver;
  readonly log: Logger;
}

export function driftRepairOf({ interval }: Config['drift'], parts: DriftParts): DriftRepair {
  const { nodeId, pool, ownership, tree, amphora, log } = parts;
  return new DriftRepair({
    roundMs: interval * 1000,
    count: () => countServed(pool, nodeId),
    next: (after, limit) => listServed(pool, nodeId, after, limit),
    look: ({ amphoraId, agentHost: host, agentPort: port, loadBalancerId, hasLvs }, signal) =>
      amphora.configurationDigest({ amphoraId, endpoint: { host, port } }, { loadBalancerId, hasLvs }, signal),
    repair: ({ loadBalancerId, amphoraId, digest }) =>
      tree.cluster.loadBalancers.command(loadBalancerId, { type: 'repairAmphora', amphoraId, digest }),
    isHeld: (zone) => ownership.leaseLost.aborted || maintenanceOf(ownership.view.orders, zone) !== undefined,
    now: () => performance.now(),
    log,
  });
}
