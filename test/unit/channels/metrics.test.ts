import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { apiMetrics } from '../../../src/channels/api-metrics.ts';
import { metricsOf } from '../../../src/channels/metrics.ts';
import { prometheusMetering } from '../../../src/drivers/metering/prometheus/driver.ts';

test('numbers are shown by the names that dashboards and alert rules know', async () => {
  const usage = new Registry();
  await prometheusMetering(usage).record(
    [{ projectId: 'p', bytesIn: 1, bytesOut: 2, totalConnections: 3, requestErrors: 4 }],
    0,
  );
  apiMetrics(usage)({ method: 'GET', route: '/v2/lbaas/pools', status: 200, seconds: 0.03 });
  const registry = metricsOf({
    journal: () => ({ entries: 7, statements: 3, backlog: 2, oldestWaitMs: 1_500 }),
    pool: () => ({ total: 8, idle: 3, waiting: 4 }),
    actors: () => ({
      byKind: new Map(),
      deadLetters: 0,
      restarts: 0,
      stepFailures: {},
      rotations: { replaced: 7, failed: 1 },
    }),
    heartbeats: () => ({
      outcomes: { accepted: 9, repeated: 1 },
      lagMs: 250,
      bufferBytes: 4096,
      kernelDrops: 3,
      missed: 5,
      heard: 6,
    }),
    failovers: () => ({
      held: { maintenance: 0, breaker: 12 },
      openBreakers: { fleet: 0, zone: 1 },
      begun: { silence: 13 },
      perMinute: 60,
      left: 59,
    }),
    maintenance: () => [{ scope: 'zone', name: 'az1' }],
    statistics: () => ({ written: 11, waiting: 2 }),
    drift: () => ({ looks: 12, repairs: 2, unreachable: 0 }),
    certificatesEnd: () => 1_800_000_000_000,
    openAlerts: () => ({ member: 4, pool: 0 }),
    more: [usage],
  });
  const text = await registry.metrics();
  for (const line of [
    'amphi_journal_oldest_wait_seconds 1.5',
    'amphi_journal_backlog 2',
    'amphi_database_connections{state="busy"} 5',
    'amphi_database_connections{state="idle"} 3',
    'amphi_database_waiting 4',
    'amphi_heartbeats_total{outcome="accepted"} 9',
    'amphi_heartbeats_total{outcome="repeated"} 1',
    'amphi_heartbeat_lag_seconds 0.25',
    'amphi_heartbeat_kernel_drops_total 3',
    'amphi_heartbeats_missed 5',
    'amphi_certificate_rotations_total{outcome="replaced"} 7',
    'amphi_drift_looks_total 12',
    'amphi_drift_repairs_total 2',
    'amphi_certificate_earliest_end_seconds 1800000000',
    'amphi_alerts_open{kind="member"} 4',
    'amphi_alerts_open{kind="pool"} 0',
    'amphi_amphorae_heard 6',
    'amphi_failovers_total{cause="silence"} 13',
    'amphi_failovers_held{reason="breaker"} 12',
    'amphi_failovers_held{reason="maintenance"} 0',
    'amphi_failover_budget 60',
    'amphi_failover_budget_left 59',
    'amphi_failover_breakers_open{group="zone"} 1',
    'amphi_maintenance{zone=""} 0',
    'amphi_maintenance{zone="az1"} 1',
    'amphi_statistics_rows_total 11',
    'amphi_statistics_waiting 2',
    'amphi_project_received_bytes_total{project="p"} 1',
    'amphi_api_request_duration_seconds_bucket{le="0.05",method="GET",route="/v2/lbaas/pools",status="200"} 1',
  ]) {
    expect(text.split('\n')).toContain(line);
  }
});
