import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import {
  addUsage,
  amphoraStatistics,
  purgeStatistics,
  statisticsOf,
  writeStatistics,
} from '../../../src/db/repositories/statistics.ts';
import type { Counted } from '../../../src/domain/statistics/accumulator.ts';
import { useTestDatabase } from '../../support/postgres.ts';

let pool: pg.Pool;
afterAll(() => pool.end());
const database = useTestDatabase();
beforeAll(() => {
  pool = new pg.Pool({ connectionString: database.url });
});

const [loadBalancer, one, two, gone, amphora, replaced, node] = Array.from({ length: 7 }, () => randomUUID()) as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];

beforeEach(async () => {
  await pool.query(
    'truncate load_balancers, listeners, amphorae, listener_statistics, statistics_batches, usage_hours, nodes cascade',
  );
  const times = `'ACTIVE', now(), now()`;
  await pool.query(
    `insert into load_balancers (id, name, description, admin_state_up, tags, project_id, vip_subnet_id, vip_network_id,
       generation, provisioning_status, created_at, updated_at)
     values ($1, '', '', true, '[]', 'project', 's', 'n', 1, ${times})`,
    [loadBalancer],
  );
  await pool.query(
    `insert into listeners (id, load_balancer_id, name, description, admin_state_up, tags, protocol, protocol_port,
       connection_limit, timeout_client_data, timeout_member_connect, timeout_member_data, timeout_tcp_inspect,
       insert_headers, position, provisioning_status, created_at, updated_at)
     select l, $1, '', '', true, '[]', 'HTTP', 80, -1, 0, 0, 0, 0, '{}', 0, ${times} from unnest($2::uuid[]) l`,
    [loadBalancer, [one, two]],
  );
  await pool.query(
    `insert into amphorae (id, load_balancer_id, status, created_at, updated_at) values ($1, $2, 'ALLOCATED', now(), now())`,
    [amphora, loadBalancer],
  );
});

const counted = (listenerId: string, amphoraId: string, factor = 1): Counted => ({
  listenerId,
  amphoraId,
  bytesIn: factor,
  bytesOut: 2 * factor,
  activeConnections: 3 * factor,
  totalConnections: 4 * factor,
  requestErrors: 5 * factor,
});
const sums = (times: number, active: number) => ({
  bytesIn: times,
  bytesOut: 2 * times,
  activeConnections: active,
  totalConnections: 4 * times,
  requestErrors: 5 * times,
});

test('batches add up, and what a project used is told', async () => {
  const usage = await writeStatistics(pool, node, 1, [counted(one, amphora), counted(two, amphora, 10)]);
  expect(usage).toEqual([{ projectId: 'project', bytesIn: 11, bytesOut: 22, totalConnections: 44, requestErrors: 55 }]);
  await writeStatistics(pool, node, 2, [counted(one, amphora, 100)]);
  expect(await statisticsOf(pool, 'listener', one)).toEqual(sums(101, 300));
  expect(await statisticsOf(pool, 'listener', two)).toEqual(sums(10, 30));
  expect(await statisticsOf(pool, 'loadBalancer', loadBalancer)).toEqual(sums(111, 330));
  const ofAmphora = await amphoraStatistics(pool, amphora);
  expect(ofAmphora.toSorted((a, b) => a.bytesIn - b.bytesIn)).toEqual([
    { listenerId: two, loadBalancerId: loadBalancer, ...sums(10, 30) },
    { listenerId: one, loadBalancerId: loadBalancer, ...sums(101, 300) },
  ]);
});

test('a batch that is written again, because its answer was lost, changes nothing and tells nothing', async () => {
  await writeStatistics(pool, node, 1, [counted(one, amphora)]);
  expect(await writeStatistics(pool, node, 1, [counted(one, amphora)])).toEqual([]);
  expect(await statisticsOf(pool, 'listener', one)).toEqual(sums(1, 3));
  await writeStatistics(pool, randomUUID(), 1, [counted(one, amphora)]);
  expect(await statisticsOf(pool, 'listener', one)).toEqual(sums(2, 3));
});

test('listeners that are gone are passed over, and their sums go with the purge', async () => {
  expect(await writeStatistics(pool, node, 1, [counted(gone, amphora), counted(one, amphora)])).toMatchObject([
    { bytesIn: 1 },
  ]);
  expect(await statisticsOf(pool, 'listener', gone)).toEqual(sums(0, 0));
  await pool.query('delete from listeners');
  await purgeStatistics(pool, 400);
  expect((await pool.query('select 1 from listener_statistics')).rowCount).toBe(0);
  expect((await pool.query('select 1 from statistics_batches')).rowCount).toBe(0);
});

test('an amphora that was replaced has no connections open, and what it counted stays', async () => {
  await writeStatistics(pool, node, 1, [counted(one, replaced), counted(one, amphora)]);
  expect(await statisticsOf(pool, 'listener', one)).toEqual(sums(2, 3));
});

test('usage is kept by the hour, and for a time', async () => {
  const usage = { projectId: 'p', bytesIn: 1, bytesOut: 2, totalConnections: 3, requestErrors: 4 };
  const long = new Date(Date.now() - 500 * 86_400_000);
  const hourMs = 3_600_000;
  const hour = Math.floor(Date.now() / hourMs) * hourMs - 30 * 24 * hourMs;
  for (const at of [hour + 60_000, hour + hourMs - 1, hour + hourMs]) await addUsage(pool, [usage], new Date(at));
  await addUsage(pool, [usage], long);
  await addUsage(pool, [usage], new Date());
  const rows = async () =>
    (await pool.query<{ n: string }>('select bytes_in as n from usage_hours order by hour')).rows;
  expect((await rows()).map(({ n }) => Number(n))).toEqual([1, 2, 1, 1]);
  await purgeStatistics(pool, 400);
  expect((await rows()).map(({ n }) => Number(n))).toEqual([2, 1, 1]);
});
