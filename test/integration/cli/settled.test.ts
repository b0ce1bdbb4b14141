import { expect, test } from '@jest/globals';
import { untilSettled } from '../../../src/cli/waiting.ts';
import { useTestControl } from '../../support/control.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';

const world = new FakeWorld();
const { client } = useTestControl(world);
test('a wait for a failover does not fail for a change that was refused before, where a wait for everything does', async () => {
  const { loadBalancer } = await client.call('loadBalancer.create', { projectId: 'p', vipSubnetId: 'subnet' });
  const id = loadBalancer?.id ?? '';
  await untilSettled(client, id, 20);
  world.refuses = ':81';
  await client.call('listener.create', { loadBalancerId: id, protocol: 'TCP', protocolPort: 81 });
  await expect(untilSettled(client, id, 20)).rejects.toThrow(/is ACTIVE/);
  await client.call('loadBalancer.failover', { id });
  await untilSettled(client, id, 20, 'itself');
  expect((await client.call('loadBalancer.show', { id })).provisioningStatus).toBe('ACTIVE');
});
