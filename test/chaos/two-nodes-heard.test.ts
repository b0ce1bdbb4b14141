// What two nodes tell of amphorae, whichever of them owns what: alerts, and the way to another heartbeat key.
import { expect, test } from '@jest/globals';
import { subscribeAlerts } from '../../src/channels/command/client.ts';
import type { AlertChange } from '../../src/domain/alert-views.ts';
import { packageRoot } from '../support/built.ts';
import { type TestClusterNode, untilShared, useCluster } from '../support/nodes.ts';
import { processes } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const cluster = useCluster(2, {
  AMPHI_HEARTBEAT_INTERVAL: '0.5',
  AMPHI_HEARTBEAT_TIMEOUT: '2',
  AMPHI_SPARES_SIZE: '2',
  AMPHI_ALERTS_SETTLE: '1',
});
const startProcess = processes();
const [old, next] = ['the-old-heartbeat-key', 'the-next-heartbeat-key'];

async function created({ client }: TestClusterNode): Promise<string> {
  const vipSubnetId = (await client.call('subnet.list', {})).items[0]?.id ?? '';
  const { loadBalancer } = await client.call('loadBalancer.create', {
    projectId: 'test',
    vipSubnetId,
    listeners: [{ protocol: 'TCP', protocolPort: 80 }],
  });
  return loadBalancer?.id ?? '';
}

const untilOnline = ({ client }: TestClusterNode, ids: readonly string[]) =>
  waitFor(
    async () => {
      const { items } = await client.call('loadBalancer.list', {});
      return ids.every((id) => items.find((item) => item.id === id)?.operatingStatus === 'ONLINE');
    },
    { timeoutMs: 30_000, describe: 'all load balancers to be ONLINE' },
  );

const amphoraOf = async ({ client }: TestClusterNode, id: string) =>
  (await client.call('amphora.list', { loadBalancerId: id })).items[0]?.id ?? '';

async function counted({ controlPort, folder }: TestClusterNode, outcome: string): Promise<number> {
  const token = readFileSync(join(folder, 'control.token'), 'utf8').trim();
  const headers = { authorization: `Bearer ${token}` };
  const text = await (await fetch(`http://127.0.0.1:${controlPort}/metrics`, { headers })).text();
  return Number(new RegExp(`^amphi_heartbeats_total\\{outcome="${outcome}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

test('every node hears of alerts of all, each once; and the heartbeat key is replaced one node after the other', async () => {
  const settings = { AMPHI_HEARTBEAT_KEY: old };
  let one = await cluster.start(0, undefined, settings);
  let other = await cluster.start(1, undefined, settings);
  await untilShared(one);
  const world = await cluster.world();
  const ids = await Promise.all(Array.from({ length: 6 }, () => created(one)));
  await untilOnline(one, ids);

  // Heartbeats that were under way when a load balancer was first served raise no alarm.
  expect((await other.client.call('alerts.list', {})).items).toEqual([]);
  const heard: AlertChange[][] = [[], []];
  await subscribeAlerts(one.client, (change) => heard[0]?.push(change));
  await subscribeAlerts(other.client, (change) => heard[1]?.push(change));
  const inFolder = { env: { AMPHI_DATA_DIR: other.folder } };
  const follow = startProcess(join(packageRoot, 'bin/amphi'), ['alerts', '--follow'], inFolder);
  await follow.prints(/no alert is open/);
  const lost = ids.slice(0, 3);
  for (const id of lost) await world.control('kill', { amphoraId: await amphoraOf(one, id) });
  await waitFor(() => heard.every((changes) => changes.filter(({ what }) => what === 'cleared').length >= 3), {
    timeoutMs: 60_000,
    describe: 'three load balancers to be lost and served again',
  });
  for (const changes of heard) {
    const told = changes
      .filter(({ kind }) => kind === 'loadBalancer')
      .map(({ what, objectId }) => `${what} ${objectId}`);
    expect(told.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
      ['cleared', 'opened'].flatMap((what) => lost.map((id) => `${what} ${id}`).toSorted((a, b) => (a < b ? -1 : 1))),
    );
  }
  for (const id of lost) {
    await follow.prints(
      new RegExp(`opened  loadBalancer ${id}: ONLINE -> OFFLINE \\(none of its amphorae is heard\\)`),
    );
    await follow.prints(new RegExp(`cleared  loadBalancer ${id}: OFFLINE -> ONLINE`));
  }
  follow.kill('SIGTERM');
  await follow.ended;
  const past = (await other.client.call('alerts.list', {})).items;
  expect(past.map(({ reason }) => reason)).toEqual(Array(3).fill('none of its amphorae is heard'));

  const again = async (node: TestClusterNode, number: number, more: Readonly<Record<string, string>>) => {
    node.process.kill('SIGTERM');
    await node.process.ended;
    return cluster.start(number, undefined, more);
  };
  const serving = await Promise.all(ids.map((id) => amphoraOf(one, id)));
  const both = { AMPHI_HEARTBEAT_KEY: old, AMPHI_HEARTBEAT_OTHER_KEY: next };
  one = await again(one, 0, both);
  other = await again(other, 1, both);
  const turned = { AMPHI_HEARTBEAT_KEY: next, AMPHI_HEARTBEAT_OTHER_KEY: old };
  one = await again(one, 0, turned);
  other = await again(other, 1, turned);
  await untilShared(one);
  const env = { AMPHI_DATA_DIR: one.folder };
  const cli = startProcess(join(packageRoot, 'bin/amphi'), ['amphora', 'configure', '--all'], { env });
  expect([await cli.ended, cli.output()]).toEqual([0, expect.stringMatching(/^(\d+) of \1 are given/)]);
  const otherKeys = async () => [await counted(one, 'otherKey'), await counted(other, 'otherKey')];
  const accepted = async () => (await counted(one, 'accepted')) + (await counted(other, 'accepted'));
  await waitFor(
    async () => {
      const [before, from] = [await otherKeys(), await accepted()];
      await waitFor(async () => (await accepted()) > from + 30, { describe: 'heartbeats', timeoutMs: 20_000 });
      return (await otherKeys()).join() === before.join();
    },
    { timeoutMs: 60_000, describe: 'nobody to use the old key any more' },
  );
  one = await again(one, 0, { AMPHI_HEARTBEAT_KEY: next });
  other = await again(other, 1, { AMPHI_HEARTBEAT_KEY: next });
  const from = await accepted();
  await waitFor(async () => (await accepted()) > from + 60, { describe: 'heartbeats', timeoutMs: 30_000 });
  expect([await counted(one, 'badSignature'), await counted(other, 'badSignature')]).toEqual([0, 0]);
  expect(await Promise.all(ids.map((id) => amphoraOf(one, id)))).toEqual(serving);
});
