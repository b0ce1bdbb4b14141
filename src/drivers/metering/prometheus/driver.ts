// Usage as counters of the node, by project. Prometheus adds nodes up, and knows counters that begin anew.
import { Counter, type Registry } from 'prom-client';
import type { Usage } from '../../../domain/statistics/usage.ts';
import type { MeteringDriver } from '../driver.ts';

const counted = [
  ['bytesIn', 'amphi_project_received_bytes_total', 'Bytes that came from clients.'],
  ['bytesOut', 'amphi_project_sent_bytes_total', 'Bytes that went to clients.'],
  ['totalConnections', 'amphi_project_connections_total', 'Connections of clients.'],
  ['requestErrors', 'amphi_project_request_errors_total', 'Requests that were errors.'],
] as const satisfies readonly (readonly [keyof Usage, string, string])[];

export function prometheusMetering(registry: Registry): MeteringDriver {
  const counters = counted.map(([field, name, help]) => {
    const counter = new Counter({ name, help, labelNames: ['project'], registers: [registry] });
    return { field, counter };
  });
  return {
    name: 'prometheus',
    record: (usages) => {
      for (const usage of usages) {
        for (const { field, counter } of counters) counter.inc({ project: usage.projectId }, usage[field]);
      }
      return Promise.resolve();
    },
  };
}
