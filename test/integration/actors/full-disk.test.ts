// What a full disk does to a node, on any machine: a trigger that fails every entry as PostgreSQL fails on a full disk.
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { RpcError } from '../../../src/channels/rpc/errors.ts';
import { startTestControl } from '../../support/control.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer } from '../../support/load-balancer-commands.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { newLoadBalancerId, send, startTestNode, untilStatus } from '../../support/tree.ts';
import { waitFor } from '../../support/wait-for.ts';

const database = useTestDatabase();

const fullDisk = `
  create function refuse_for_want_of_space() returns trigger language plpgsql as $$
  begin
    raise exception 'could not extend file "base/1/2": No space left on device' using errcode = '53100';
  end $$;
  create trigger full_disk before insert on journal for each row execute function refuse_for_want_of_space();`;
const room = 'drop trigger full_disk on journal; drop function refuse_for_want_of_space()';

test('on a full disk commands wait or are to be repeated, reads go on, and each command happens once when there is room', async () => {
  const world = new FakeWorld();
  const node = await startTestNode({ url: database.url, world });
  const control = await startTestControl(node, world, { limits: { deadlineMs: 1_500 } });
  try {
    const id = newLoadBalancerId();
    await send(node, id, createLoadBalancer(id));
    await untilStatus(node, id, 'ACTIVE');
    const client = await control.connect();
    const create = (protocolPort: number, commandId: string) =>
      client.call('listener.create', { loadBalancerId: id, protocol: 'TCP', protocolPort, commandId });
    const ids = [randomUUID(), randomUUID(), randomUUID()] as const;

    await node.pool.query(fullDisk);
    const given = await create(1, ids[0]).catch((error: unknown) => error);
    expect(given).toBeInstanceOf(RpcError);
    expect(given).toMatchObject({ code: 'unavailable', data: { commandId: ids[0] } });
    expect(node.journal.trouble).toContain('No space left on device');
    expect(await client.call('loadBalancer.show', { id })).toMatchObject({ provisioningStatus: 'ACTIVE' });
    // Its actor is neither given up nor restarted at the cost of its budget.
    const explained = await client.call('loadBalancer.explain', { id });
    expect(explained.fault).toBeNull();
    const record = node.tree.registry.find(`load-balancers/lb-${id}`);
    expect(record?.restarts).toBe(0);

    const waiting = create(2, ids[1]);
    await node.pool.query(room);
    expect((await waiting).listener).toMatchObject({ protocolPort: 2 });
    const last = await create(3, ids[2]);
    expect(last.listener).toMatchObject({ protocolPort: 3 });
    expect(node.journal.trouble).toBeUndefined();
    // The one that nobody waited for was not dropped; repeated, it gives the answer of the first time.
    const again = await create(1, ids[0]);
    const { items } = await client.call('listener.list', { loadBalancerId: id });
    expect(items.map((listener) => listener.protocolPort).toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
    expect(items.find((listener) => listener.protocolPort === 1)?.id).toBe(again.listener?.id);
    await waitFor(() => client.call('loadBalancer.show', { id }).then((now) => now.provisioningStatus === 'ACTIVE'), {
      describe: 'the load balancer to be ACTIVE',
    });
  } finally {
    await control.close();
    await node.close();
  }
});
