import { expect, test } from '@jest/globals';
import {
  anyMaintenance,
  maintenanceOf,
  type Order,
  orderSentence,
  releaseOf,
} from '../../../../src/domain/cluster/orders.ts';

const order = (kind: Order['kind'], scope: Order['scope'], name: string | null): Order => ({
  kind,
  scope,
  name,
  reason: 'switch replaced',
  by: 'ops@jump1',
  since: '2026-01-02T03:04:05.000Z',
  until: null,
});

test('maintenance of a zone holds what is there, that of the fleet everything', () => {
  const zone = order('maintenance', 'zone', 'az1');
  expect(maintenanceOf([zone], 'az1')).toBe(zone);
  expect(maintenanceOf([zone], 'az2')).toBeUndefined();
  expect(maintenanceOf([zone], null)).toBeUndefined();
  const fleet = order('maintenance', 'fleet', null);
  for (const where of ['az1', 'az2', null]) expect(maintenanceOf([fleet], where)).toBe(fleet);
  expect(anyMaintenance([zone])).toBe(zone);
  expect(anyMaintenance([order('release', 'fleet', null)])).toBeUndefined();
});

test('a release is for a zone, a machine or the fleet, and is no maintenance', () => {
  const where = { zone: 'az1', host: 'h1' };
  expect(releaseOf([order('release', 'zone', 'az1')], where)).toBeDefined();
  expect(releaseOf([order('release', 'host', 'h1')], where)).toBeDefined();
  expect(releaseOf([order('release', 'fleet', null)], where)).toBeDefined();
  expect(releaseOf([order('release', 'zone', 'h1'), order('release', 'host', 'az1')], where)).toBeUndefined();
  expect(releaseOf([order('release', 'host', 'h1')], { zone: null, host: null })).toBeUndefined();
  expect(releaseOf([order('maintenance', 'zone', 'az1')], where)).toBeUndefined();
  expect(maintenanceOf([order('release', 'zone', 'az1')], 'az1')).toBeUndefined();
});

test('an order is told as a sentence', () => {
  expect(orderSentence(order('maintenance', 'zone', 'az1'))).toBe(
    'maintenance of zone az1 since 2026-01-02T03:04:05.000Z by ops@jump1: switch replaced',
  );
});
