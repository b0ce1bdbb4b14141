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
  AMPHI_FAILOVER_HOST_SHARE: '0.5',
});

let nodes: readonly [TestClusterNode, TestClusterNode];
let world: WorldClient;

beforeAll(async () => {
  world = await cluster.world();
  await world.control('hosts', { count: 10 });
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

/** What was taken for lost, of load balancers and among spares. */
function losses(): Promise<readonly { readonly events: unknown }[]> {
  return cluster.query(`select at, kind, events from journal where events::text like '%no heartbeat for%'`);
}

/** Nobody was lost, and for another time-out nobody is. */
async function expectNoFailover(): Promise<void> {
  await wait(timeoutMs);
  expect(await losses()).toEqual([]);
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

test('a machine that falls silent as a whole is seen as one by nodes that each judge a part of it, and left to an operator', async () => {
  const [machine] = await cluster.query<{ host: string; ids: readonly string[] }>(
    `select host, array_agg(id order by id) as ids from amphorae where status = 'ALLOCATED' group by host order by 1 limit 1`,
  );
  const { host, ids } = machine ?? { host: '', ids: [] };
  expect(ids.length).toBeGreaterThan(8);
  // At once: who falls silent a second later was not struck by the same cause.
  await Promise.all(ids.map((amphoraId) => world.control('silence', { amphoraId, silent: true })));
  const list = () => nodes[1].inspect.call('failovers.list', {});
  await waitFor(async () => (await list()).counts['breaker'] === ids.length, {
    timeoutMs: 20_000,
    describe: 'all of the machine to be held',
  });
  const { held, left } = await list();
  expect(held.map(({ amphoraId }) => amphoraId).toSorted()).toEqual(ids);
  for (const one of held) {
    expect(one).toMatchObject({
      host,
      kind: 'breaker',
      why: expect.stringContaining(`of host ${host} are silent at once`),
    });
  }
  const { items } = await nodes[1].client.call('amphora.list', { limit: 1_000 });
  expect(
    items
      .filter(({ status }) => status === 'FAILOVER_STOPPED')
      .map(({ id }) => id)
      .toSorted(),
  ).toEqual(ids);
  // They had been alive all the while.
  for (const amphoraId of ids) await world.control('silence', { amphoraId, silent: false });
  await waitFor(async () => (await list()).held.length === 0, { timeoutMs: 20_000, describe: 'nobody to be held' });
  expect(await losses()).toEqual([]);
  expect(left).toBe(60);
  expect(await amphorae()).toEqual(before);
  // And now they are not.
  for (const amphoraId of ids) await world.control('kill', { amphoraId });
  await waitFor(async () => (await list()).counts['breaker'] === ids.length, {
    timeoutMs: 20_000,
    describe: 'all of the machine to be held again',
  });
  const released = await nodes[0].inspect.call('failovers.release', { scope: 'host', name: host });
  expect(released).toMatchObject({ amphorae: expect.any(Number), releases: [{ scope: 'host', name: host }] });
  await waitFor(async () => (await amphorae()).filter((id) => !ids.includes(id)).length === fleet, {
    timeoutMs: 30_000,
    describe: 'all of them to be replaced',
  });
}, 90_000);

test('after all that, one that is really lost is replaced', async () => {
  const lost = before[0] ?? '';
  await world.control('kill', { amphoraId: lost });
  await waitFor(async () => !(await amphorae()).includes(lost) && (await amphorae()).length === fleet, {
    timeoutMs: 30_000,
    describe: 'the amphora to be replaced',
  });
}, 60_000);
