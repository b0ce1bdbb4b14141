// The dashboard and the alert rules name metrics that there are.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { apiMetrics } from '../../../src/channels/api-metrics.ts';
import { metricsOf, type Readings } from '../../../src/channels/metrics.ts';
import { prometheusMetering } from '../../../src/drivers/metering/prometheus/driver.ts';

const operations = (name: string) => readFileSync(new URL(`../../../docs/operations/${name}`, import.meta.url), 'utf8');
test.each(['grafana/amphitheatre.json', 'prometheus/rules.yml', 'monitoring.md'])('%s', (file) => {
  const more = new Registry();
  prometheusMetering(more);
  apiMetrics(more);
  // Nothing is read: only names are looked up.
  const registry = metricsOf({ more: [more] } as unknown as Readings) as Registry;
  const named = Array.from(operations(file).matchAll(/\bamphi_[a-z0-9_]+/g), ([name]) =>
    name.replace(/_(bucket|count|sum)$/, ''),
  );
  expect(named.length).toBeGreaterThan(2);
  expect([...new Set(named)].filter((name) => registry.getSingleMetric(name) === undefined)).toEqual([]);
});

test('the dashboard is JSON whose panels have places and queries', () => {
  const { panels } = JSON.parse(operations('grafana/amphitheatre.json')) as {
    panels: readonly { id: number; type: string; targets?: readonly { expr: string }[] }[];
  };
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const charts = panels.filter(({ type }) => type !== 'row');
  expect(charts.length).toBeGreaterThan(15);
  for (const { targets = [] } of charts) expect(targets.every(({ expr }) => expr !== '')).toBe(true);
});
