import { expect, test } from '@jest/globals';
import { explainLoadBalancer } from '../../../src/db/repositories/explain.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer } from '../../support/load-balancer-commands.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { newLoadBalancerId, send, startTestNode, untilStatus } from '../../support/tree.ts';
import { waitFor } from '../../support/wait-for.ts';

const database = useTestDatabase();

test('an explanation is of one moment, whatever is written while it is read', async () => {
  const node = await startTestNode({ url: database.url, world: new FakeWorld(), spares: 0 });
  const id = newLoadBalancerId();
  await send(node, id, createLoadBalancer(id));
  await untilStatus(node, id, 'ACTIVE');
  const writer = await node.pool.connect();
  try {
    await writer.query('begin');
    await writer.query('lock table entities in access exclusive mode');
    await writer.query(`update load_balancers set name = 'later' where id = $1`, [id]);
    await writer.query(`update entities set fault = 'later' where id = $1`, [id]);
    const explanation = explainLoadBalancer(node.pool, id);
    // The rest of it has been read by then, or will be read after.
    const waiting = `select 1 from pg_locks where relation = 'entities'::regclass and not granted`;
    await waitFor(async () => (await node.pool.query(waiting)).rowCount === 1, { describe: 'the read to wait' });
    await writer.query('commit');
    const { name, fault } = (await explanation) ?? {};
    expect([name, fault]).toEqual(['one', null]);
  } finally {
    writer.release();
    await node.close();
  }
});
