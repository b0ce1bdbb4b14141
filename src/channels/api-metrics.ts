// How long requests to the REST API take, for Prometheus.
import { Histogram, type Registry } from 'prom-client';

/** Seconds: most answers take milliseconds, and none more than the API's deadline. */
const buckets = [0.005, 0.02, 0.05, 0.1, 0.25, 1, 5, 30];

/** Counts every answer it is told of: amphi_api_request_duration_seconds, by method, route and status. */
export function apiMetrics(registry: Registry) {
  const durations = new Histogram({
    name: 'amphi_api_request_duration_seconds',
    help: 'Time from a request of the REST API to its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets,
    registers: [registry],
  });
  return ({ method, route, status, seconds }: Answer): void => durations.observe({ method, route, status }, seconds);
}

interface Answer {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}
