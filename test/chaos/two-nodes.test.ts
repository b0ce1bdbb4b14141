import { expect, test } from '@jest/globals';
import type { CommandClient } from '../../src/channels/command/client.ts';
import { useCluster } from '../support/nodes.ts';
import { waitFor } from '../support/wait-for.ts';

const cluster = useCluster(2);

const create = (client: CommandClient, commandId: string, vipSubnetId: string) =>
  client.call('loadBalancer.create', { projectId: 'p', name: commandId, vipSubnetId, commandId });

test('of two nodes either takes every command, and when one is killed the other finishes everything that was accepted', async () => {
  const one = await cluster.start(0);
  const other = await cluster.start(1);
  const vipSubnetId = (await one.client.call('subnet.list', {})).items[0]?.id ?? '';
  const commandIds = Array.from({ length: 20 }, (_, index) => `create-${index}`);
  const nodes = [one, other];
  const accepted = await Promise.all(
    commandIds.map((commandId, index) => create((nodes[index % 2] ?? one).client, commandId, vipSubnetId)),
  );
  one.process.kill('SIGKILL');
  await one.process.ended;
  await waitFor(
    async () => {
      const { items } = await other.client.call('loadBalancer.list', {});
      return (
        items.filter(({ name }) => name.startsWith('create-')).length === 20 &&
        items.every((item) => item.provisioningStatus === 'ACTIVE')
      );
    },
    { timeoutMs: 30_000, describe: 'all load balancers to be ACTIVE' },
  );
  // The same commands again, to the successor: the same answers, nothing made twice.
  const again = await Promise.all(commandIds.map((commandId) => create(other.client, commandId, vipSubnetId)));
  expect(again.map(({ loadBalancer }) => loadBalancer?.id)).toEqual(
    accepted.map(({ loadBalancer }) => loadBalancer?.id),
  );
  expect((await other.client.call('loadBalancer.list', {})).items).toHaveLength(20);
});
