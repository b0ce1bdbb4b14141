// What must not look like the loss of an amphora: a fleet that lives, and everything around it that does not.
import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { WorldClient } from '../../src/drivers/noop-world/client.ts';
import { type TestClusterNode, untilShared, useCluster } from '../support/nodes.ts';
import { waitFor } from '../support/wait-for.ts';

const fleet = 200;
const intervalMs = 1_000;
const timeoutMs = 3_000;
const cluster = useCluster(2, {
  AMPHI_HEARTBEAT_INTERVAL: String(intervalMs / 1_000),
  AMPHI_HEARTBEAT_TIMEOUT: String(timeoutMs / 1_000),
  AMPHI_SPARES_SIZE: '20',
  AMPHI_SPARES_MAX_BOOTING: '20',
});

let nodes: readonly [TestClusterNode, TestClusterNode];
let world: WorldClient;

beforeAll(async () => {
  world = await cluster.world();
  nodes = [await cluster.start(0), await cluster.start(1)];
  await untilShared(nodes[0]);
  const { client } = nodes[0];
  const vipSubnetId = (await client.call('subnet.list', {})).items[0]?.id ?? '';
  let begun = 0;
  const create = async () => {
    while (begun++ < fleet) await client.call('loadBalancer.create', { projectId: 'test', vipSubnetId });
  };
  await Promise.all(Array.from({ length: 20 }, create));
  // Both nodes judge, and every amphora reports to both in turn.
  await waitFor(
    async () => {
      const rows = await cluster.query<{ ready: number }>(
        `select count(*)::int as ready from amphorae where status = 'ALLOCATED' and jsonb_array_length(controllers) = 2`,
      );
      return rows[0]?.ready === fleet;
    },
    { timeoutMs: 60_000, describe: 'the fleet to report to both nodes' },
  );
}, 120_000);

let before: readonly string[];

beforeEach(async () => {
  before = await amphorae();
});

async function amphorae(): Promise<readonly string[]> {
  const rows = await cluster.query<{ id: string }>(
    `select id from amphorae where status = 'ALLOCATED' and load_balancer_id is not null order by id`,
  );
  return rows.map(({ id }) => id);
}

/** Nobody was lost, and for another time-out nobody is. */
async function expectNoFailover(): Promise<void> {
  await wait(timeoutMs);
  const rows = await cluster.query(`select events from journal where events::text like '%amphoraLeaving%'`);
  expect(rows).toEqual([]);
  expect(await amphorae()).toEqual(before);
}

test('a database that is away for several time-outs loses no amphora', async () => {
  const proxy = await cluster.databaseProxy();
  proxy.goAway();
  await wait(3 * timeoutMs);
  proxy.comeBack();
  await untilShared(nodes[0]);
  await expectNoFailover();
}, 60_000);

test('a node that is stopped for two time-outs loses no amphora, neither of its own nor of the other', async () => {
  nodes[0].process.kill('SIGSTOP');
  await wait(2 * timeoutMs);
  nodes[0].process.kill('SIGCONT');
  await expectNoFailover();
}, 60_000);

test('heartbeats that are late by more than an interval lose no amphora', async () => {
  await world.control('carryHeartbeats', { delay: { from: intervalMs, to: 1.8 * intervalMs }, loss: 0 });
  await wait(2 * timeoutMs);
  await world.control('carryHeartbeats', { delay: 0, loss: 0 });
  await expectNoFailover();
}, 60_000);

test('half of all heartbeats lost loses no amphora', async () => {
  await world.control('carryHeartbeats', { delay: 0, loss: 0.5 });
  await wait(3 * timeoutMs);
  const { counts } = await nodes[0].inspect.call('failovers.list', {});
  // There are amphorae that were silent for the time-out: they wait until they stand out.
  expect(Object.keys(counts)).toEqual(expect.arrayContaining([expect.stringMatching(/^(loss|breaker)$/)]));
  await world.control('carryHeartbeats', { delay: 0, loss: 0 });
  await expectNoFailover();
}, 60_000);

test('after all that, one that is really lost is replaced', async () => {
  const lost = before[0] ?? '';
  await world.control('kill', { amphoraId: lost });
  await waitFor(async () => !(await amphorae()).includes(lost) && (await amphorae()).length === fleet, {
    timeoutMs: 30_000,
    describe: 'the amphora to be replaced',
  });
}, 60_000);
