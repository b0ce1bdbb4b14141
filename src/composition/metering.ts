// The metering driver that the settings name.
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { Config } from '../config/schema.ts';
import { addUsage } from '../db/repositories/statistics.ts';
import type { MeteringDriver } from '../drivers/metering/driver.ts';
import { logMetering } from '../drivers/metering/log/driver.ts';
import { postgresMetering } from '../drivers/metering/postgres/driver.ts';
import { prometheusMetering } from '../drivers/metering/prometheus/driver.ts';

export interface Metering {
  readonly driver: MeteringDriver;
  /** What it shows at /metrics. */
  readonly registry: Registry;
}

export function meteringOf(name: Config['statistics']['metering'], pool: Pool, log: Logger): Metering {
  const registry = new Registry();
  switch (name) {
    case 'postgres':
      return { driver: postgresMetering((usages, at) => addUsage(pool, usages, at)), registry };
    case 'prometheus':
      return { driver: prometheusMetering(registry), registry };
    case 'log':
      return { driver: logMetering(log), registry };
  }
}
