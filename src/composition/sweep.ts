// What removes machines that nobody knows, put together from settings, tables, the driver and the orders in force.
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Ownership } from '../actors/runtime/ownership.ts';
import { Sweep } from '../actors/housekeeping/sweep.ts';
import type { Config } from '../config/schema.ts';
import { knownAmphorae } from '../db/repositories/fleet.ts';
import { anyMaintenance } from '../domain/cluster/orders.ts';
import { sweepShares } from '../domain/housekeeping/sweep.ts';
import type { ComputeDriver } from '../drivers/compute/driver.ts';

export interface SweepParts {
  readonly compute: ComputeDriver;
  readonly pool: pg.Pool;
  readonly ownership: Ownership;
  readonly log: Logger;
}

export function sweepOf({ grace, interval }: Config['sweep'], { compute, pool, ownership, log }: SweepParts): Sweep {
  return new Sweep({
    compute,
    known: (ids) => knownAmphorae(pool, ids),
    limits: { ...sweepShares, graceMs: grace * 1000 },
    everyMs: interval * 1000,
    // An instance that nobody knows is of no zone that we know.
    isHeld: () => anyMaintenance(ownership.view.orders) !== undefined,
    now: Date.now,
    log,
  });
}
