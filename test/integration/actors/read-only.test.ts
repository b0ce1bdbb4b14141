// A database that turns read-only under a node, as the old primary does in a fail-over: on a server of its own, because
// that is a setting of the whole server.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '../../../src/db/embedded-postgres.ts';
import { migrate } from '../../../src/db/migrate.ts';
import { startTestControl } from '../../support/control.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer } from '../../support/load-balancer-commands.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { newLoadBalancerId, send, startTestNode, untilStatus } from '../../support/tree.ts';
import { waitFor } from '../../support/wait-for.ts';

let url: string;
// Before its folder goes.
afterAll(() => removeEmbeddedPostgres(dataDir));
const dataDir = tempFolder('read-only');

beforeAll(async () => {
  ({ url } = await startEmbeddedPostgres({ dataDir, log: () => undefined }));
  await migrate(url);
});

async function setReadOnly(value: 'on' | 'off'): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('set default_transaction_read_only = off');
  await client.query(`alter system set default_transaction_read_only = ${value}`);
  await client.query('select pg_reload_conf()');
  await client.end();
}

test('while it is read-only commands are to be repeated, reads and ownership go on, and each command happens once afterwards', async () => {
  const world = new FakeWorld();
  const node = await startTestNode({ url, world, leaseMs: 2_000 });
  const control = await startTestControl(node, world);
  const impatient = await startTestControl(node, world, { limits: { deadlineMs: 1_500 } });
  try {
    const id = newLoadBalancerId();
    await send(node, id, createLoadBalancer(id));
    await untilStatus(node, id, 'ACTIVE');
    const client = await control.connect();
    const hasty = await impatient.connect();
    const create = (protocolPort: number, commandId: string, over = client) =>
      over.call('listener.create', { loadBalancerId: id, protocol: 'TCP', protocolPort, commandId });
    const epochs = async () => (await node.pool.query('select owner, epoch from shards order by 1, 2')).rows;
    const before = await epochs();
    const [first, second] = [randomUUID(), randomUUID()];

    await setReadOnly('on');
    const given = await create(1, first, hasty).catch((error: unknown) => error);
    expect(given).toMatchObject({ code: 'unavailable', data: { commandId: first, retryAfterMs: expect.any(Number) } });
    expect(node.journal.trouble).toMatch(/read-only transaction/);
    expect(await client.call('loadBalancer.show', { id })).toMatchObject({ provisioningStatus: 'ACTIVE' });
    await waitFor(() => node.ownership.leaseLost.aborted, { describe: 'the lease to run out' });
    expect(node.tree.registry.find(`load-balancers/lb-${id}`)?.restarts).toBe(0);
    expect((await client.call('loadBalancer.explain', { id })).fault).toBeNull();

    const waiting = create(2, second);
    await setReadOnly('off');
    expect((await waiting).listener).toMatchObject({ protocolPort: 2 });
    await create(1, first);
    await untilStatus(node, id, 'ACTIVE');
    const { items } = await client.call('listener.list', { loadBalancerId: id });
    expect(items.map((listener) => listener.protocolPort).toSorted((a, b) => a - b)).toEqual([1, 2]);
    expect(node.journal.trouble).toBeUndefined();
    await waitFor(() => !node.ownership.leaseLost.aborted, { describe: 'the lease to be renewed' });
    expect(await epochs()).toEqual(before);
  } finally {
    await impatient.close();
    await control.close();
    await node.close();
  }
});
