// Usage by the hour, in the service's own database: table usage_hours.
import type { Usage } from '../../../domain/statistics/usage.ts';
import { TransientFailure } from '../../failure.ts';
import type { MeteringDriver } from '../driver.ts';

/** `add` adds to the rows of the hour that `at` is in. */
export function postgresMetering(add: (usages: readonly Usage[], at: Date) => Promise<void>): MeteringDriver {
  return {
    name: 'postgres',
    record: (usages, at) =>
      add(usages, new Date(at)).catch((error: unknown) => {
        throw new TransientFailure(error instanceof Error ? error.message : String(error), {
          call: 'metering.postgres record',
        });
      }),
  };
}
