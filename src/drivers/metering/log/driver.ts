// Usage as lines of the log, for whoever collects logs.
import type { Logger } from 'pino';
import type { MeteringDriver } from '../driver.ts';

export function logMetering(log: Logger): MeteringDriver {
  return {
    name: 'log',
    record: (usages, at) => {
      for (const usage of usages) log.info({ ...usage, until: new Date(at).toISOString() }, 'usage');
      return Promise.resolve();
    },
  };
}
