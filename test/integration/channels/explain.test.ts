// "Why is it not ACTIVE?", asked as an operator does, while it really is not.
import { expect, test } from '@jest/globals';
import type { LoadBalancerId } from '../../../src/domain/ids.ts';
import { useTestControl } from '../../support/control.ts';
import { FakeWorld, type Misbehaviour } from '../../support/fake-drivers.ts';
import { createLoadBalancer } from '../../support/load-balancer-commands.ts';
import { newLoadBalancerId, send, stateOf, untilStatus } from '../../support/tree.ts';
import { waitFor } from '../../support/wait-for.ts';

// Before the hooks of the database, which must find no connection open.
const world = new FakeWorld();
const { client, node } = useTestControl(world, { spares: 0 });

async function create(): Promise<LoadBalancerId> {
  const id = newLoadBalancerId();
  expect(await send(node, id, createLoadBalancer(id))).toMatchObject({ type: 'ok' });
  return id;
}

function untilExplained(id: LoadBalancerId, expected: RegExp): Promise<string> {
  return waitFor(
    async () => {
      const { why } = await client.call('loadBalancer.explain', { id });
      const found = why.find((reason) => expected.test(reason));
      if (found === undefined) throw new Error(why.join('; '));
      return found;
    },
    { describe: `an explanation that says ${expected}` },
  );
}

const always = (behaviour: Misbehaviour) => Array.from({ length: 1_000 }, () => behaviour);

test('waiting for an amphora while compute fails: what is waited for, and what compute said', async () => {
  world.misbehave.set('compute.create', always('fail'));
  const id = await create();
  await untilExplained(id, /it waits for an amphora .*compute\.create was told to fail/);
  world.misbehave.delete('compute.create');
  await untilStatus(node, id, 'ACTIVE');
  await untilExplained(id, /^it is ACTIVE, and nothing is left to do$/);
}, 60_000);

test('a refused change: the object and the reason, though the load balancer itself is ACTIVE', async () => {
  const id = await create();
  await untilStatus(node, id, 'ACTIVE');
  world.refuses = ':6666';
  const attributes = { name: 'culprit', protocol: 'TCP', protocolPort: 6666 };
  await client.call('listener.create', { loadBalancerId: id, ...attributes });
  await untilExplained(id, /^Listener culprit was refused .*haproxy does not know :6666/);
  world.refuses = undefined;
});

test('a lost amphora: which, why, and the step that hangs', async () => {
  const id = await create();
  await untilStatus(node, id, 'ACTIVE');
  const amphoraId = (await stateOf(node, id))?.slots[0]?.amphoraId;
  if (amphoraId === undefined) throw new Error('no amphora');
  world.misbehave.set('compute.delete', always('hang'));
  const reason = 'no heartbeat for 3.1 s';
  await send(node, id, { type: 'failoverAmphora', amphoraId, why: 'lost', reason });
  await untilExplained(id, new RegExp(`^amphora ${amphoraId} is lost: ${reason}$`));
  await untilExplained(id, new RegExp(`^it removes amphora ${amphoraId}`));
  world.misbehave.delete('compute.delete');
});

test('an amphora that was lost and is replaced already: said for as long as the newest history tells', async () => {
  const id = await create();
  await untilStatus(node, id, 'ACTIVE');
  const amphoraId = (await stateOf(node, id))?.slots[0]?.amphoraId;
  if (amphoraId === undefined) throw new Error('no amphora');
  await send(node, id, { type: 'failoverAmphora', amphoraId, why: 'lost', reason: 'no heartbeat for 3.1 s' });
  await untilExplained(id, new RegExp(`^amphora ${amphoraId} was lost and is replaced .*: no heartbeat for 3.1 s$`));
});

test('an actor that was given up: why, and how to go on', async () => {
  const id = await create();
  await untilStatus(node, id, 'ACTIVE');
  await node.journal.recordFault('loadBalancer', id, 'crashed 5 times', node.ownership.fenceOf(id));
  const found = await untilExplained(id, /^its actor was given up: crashed 5 times/);
  expect(found).toContain(`amphi actors restart load-balancers/lb-${id}`);
});
