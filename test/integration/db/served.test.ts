import { expect, test } from '@jest/globals';
import { countServed, listServed } from '../../../src/db/repositories/served.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer, listener } from '../../support/load-balancer-commands.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { newLoadBalancerId, send, startTestNode, stateOf, untilStatus } from '../../support/tree.ts';

const database = useTestDatabase();

test('what amphorae of a node have accepted is read in pages; what is changing just now is left out', async () => {
  const world = new FakeWorld();
  const node = await startTestNode({ url: database.url, world, spares: 0 });
  try {
    const ids = Array.from({ length: 5 }, newLoadBalancerId).toSorted((a, b) => (a < b ? -1 : 1));
    for (const [index, id] of ids.entries()) {
      await send(node, id, createLoadBalancer(id, { listeners: index === 0 ? [] : [listener(80 + index)] }));
    }
    for (const id of ids) await untilStatus(node, id, 'ACTIVE');
    const { rows } = await node.pool.query<{ owner: string }>('select owner from shards limit 1');
    const owner = rows[0]?.owner ?? '';
    const one = await listServed(node.pool, owner, null, 2);
    const two = await listServed(node.pool, owner, one.at(-1) ?? null, 2);
    const rest = await listServed(node.pool, owner, two.at(-1) ?? null, 2);
    const all = [...one, ...two, ...rest];
    expect(all.map(({ loadBalancerId }) => loadBalancerId)).toEqual(ids);
    expect(all.map(({ digest }) => digest === null)).toEqual([true, false, false, false, false]);
    const slots = await Promise.all(ids.map(async (id) => (await stateOf(node, id))?.slots[0]?.amphoraId));
    expect(all.map(({ amphoraId }) => amphoraId)).toEqual(slots);
    await node.pool.query(`update load_balancers set provisioning_status = 'PENDING_UPDATE' where id = $1`, [ids[1]]);
    expect(await countServed(node.pool, owner)).toBe(4);
    expect(await countServed(node.pool, ids[0] ?? '')).toBe(0);
  } finally {
    await node.close();
  }
});
