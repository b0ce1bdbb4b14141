import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { InspectMethods } from '../../../src/channels/inspect/methods.ts';
import { RpcClient } from '../../../src/channels/rpc/client.ts';
import { observingReason } from '../../../src/db/mark.ts';
import type { AmphoraId } from '../../../src/domain/ids.ts';
import { startTestControl } from '../../support/control.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer } from '../../support/load-balancer-commands.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { newLoadBalancerId, send, startTestNode, untilStatus } from '../../support/tree.ts';
import { waitFor } from '../../support/wait-for.ts';

const database = useTestDatabase();

test('a restore is compared with the world by a node, and accepted', async () => {
  const world = new FakeWorld();
  const node = await startTestNode({ url: database.url, world });
  const control = await startTestControl(node, world);
  const client = await RpcClient.connect<InspectMethods>({ url: control.inspectUrl, token: control.token });
  try {
    const id = newLoadBalancerId();
    await send(node, id, createLoadBalancer(id));
    await untilStatus(node, id, 'ACTIVE');
    await waitFor(async () => (await client.call('restore.check', {})).amphorae === 2, { describe: 'a spare' });
    const before = await client.call('restore.check', {});
    expect(before).toMatchObject({ observing: null, accepted: false, loadBalancers: 1, differences: [] });

    const { rows } = await node.pool.query<{ id: AmphoraId }>('select id from amphorae where load_balancer_id = $1', [
      id,
    ]);
    const lost = rows[0]?.id as AmphoraId;
    const strange = randomUUID() as AmphoraId;
    world.instances.delete(lost);
    world.instances.set(strange, { amphoraId: strange, computeId: 'strange', status: 'ACTIVE', agent: undefined });
    await node.pool.query(`update deployment set observing = 'an older backup'`);
    const found = await client.call('restore.check', {});
    expect(found.observing).toBe('an older backup');
    expect(found.differences.map(({ kind, amphoraId }) => [kind, amphoraId])).toEqual([
      ['unknownInstance', strange],
      ['missingInstance', lost],
      ['unservedLoadBalancer', null],
    ]);
    expect(await observingReason(node.pool)).toBe('an older backup');
    expect(await client.call('restore.check', { accept: true })).toMatchObject({ ...found, accepted: true });
    expect(await observingReason(node.pool)).toBeNull();
  } finally {
    await client.close();
    await control.close();
    await node.close();
  }
});
