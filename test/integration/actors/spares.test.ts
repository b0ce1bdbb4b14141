import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { AmphoraId, LoadBalancerId } from '../../../src/domain/ids.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer } from '../../support/load-balancer-commands.ts';
import { emptyBeforeEach, useTestDatabase } from '../../support/postgres.ts';
import {
  newLoadBalancerId,
  send,
  startTestNode,
  stateOf,
  type TestNode,
  type TestNodeOptions,
  untilStatus,
} from '../../support/tree.ts';
import { undoAfterEach } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

const undo = undoAfterEach();
const database = useTestDatabase();
emptyBeforeEach(database);

async function query(text: string, values: readonly unknown[] = []): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query(text, [...values]);
  } finally {
    await client.end();
  }
}

async function node(world: FakeWorld, options: Partial<TestNodeOptions> = {}): Promise<TestNode> {
  const started = await startTestNode({ url: database.url, world, ...options });
  undo.push(() => started.close());
  return started;
}

interface AmphoraRow {
  readonly id: AmphoraId;
  readonly status: string;
  readonly load_balancer_id: string | null;
}

async function amphorae({ pool }: TestNode): Promise<readonly AmphoraRow[]> {
  return (await pool.query<AmphoraRow>('select id, status, load_balancer_id from amphorae')).rows;
}

const ready = async (started: TestNode) => (await amphorae(started)).filter(({ status }) => status === 'READY');

const untilReady = (started: TestNode, count: number) =>
  waitFor(async () => (await ready(started)).length === count, { describe: `${count} spares`, timeoutMs: 20_000 });

describe('a spare', () => {
  test('is never given twice, however many ask at once', async () => {
    const world = new FakeWorld();
    const started = await node(world, { spares: 2 });
    const ids = Array.from({ length: 15 }, () => newLoadBalancerId());
    await Promise.all(ids.map((id) => send(started, id, createLoadBalancer(id))));
    for (const id of ids) await untilStatus(started, id, 'ACTIVE');
    await untilReady(started, 2);
    const states = await Promise.all(ids.map((id) => stateOf(started, id)));
    const serving = states.flatMap((state) => state?.slots.map(({ amphoraId }) => amphoraId) ?? []);
    expect(serving).toHaveLength(15);
    expect(new Set(serving).size).toBe(15);
    const allocated = (await amphorae(started)).filter(({ status }) => status === 'ALLOCATED');
    expect(new Map(allocated.map((row) => [row.id, row.load_balancer_id]))).toEqual(
      new Map(states.map((state) => [state?.slots[0]?.amphoraId, state?.id])),
    );
    const served = [...world.served].map(([amphoraId, request]) => [amphoraId, request.loadBalancerId] as const);
    expect(new Map<unknown, unknown>(served)).toEqual(
      new Map(states.map((state) => [state?.slots[0]?.amphoraId, state?.id])),
    );
    expect(world.instances.size).toBe(17);
  });

  test('that one was granted is refused to another, and granted again to the one', async () => {
    const started = await node(new FakeWorld());
    await untilReady(started, 1);
    const [spare] = await ready(started);
    const ask = (loadBalancerId: LoadBalancerId) =>
      started.tree.amphorae.ask(
        spare?.id ?? '',
        { type: 'allocateAmphora', loadBalancerId, role: 'STANDALONE' },
        AbortSignal.timeout(10_000),
      );
    const [one, other] = [newLoadBalancerId(), newLoadBalancerId()];
    const first = await ask(one);
    expect(first.type).toBe('ok');
    expect(await ask(other)).toMatchObject({ type: 'refused', refusal: { code: 'conflict' } });
    expect(await ask(one)).toEqual(first);
  });

  test('that was granted and never claimed is a spare again', async () => {
    const world = new FakeWorld();
    const first = await node(world);
    await untilReady(first, 1);
    const [spare] = await ready(first);
    const id = spare?.id ?? '';
    // A load balancer that was there when it asked and is not there any more.
    const loadBalancerId = randomUUID() as LoadBalancerId;
    const command = { type: 'allocateAmphora', loadBalancerId, role: 'STANDALONE' } as const;
    await first.tree.amphorae.ask(id, command, AbortSignal.timeout(10_000));
    await untilReady(first, 1);
    const statusOf = async (started: TestNode) => (await amphorae(started)).find((row) => row.id === id)?.status;
    expect(await statusOf(first)).toBe('ALLOCATED');
    await first.close();
    // As if the time that a load balancer has to claim it had passed while no node ran.
    await query(
      `update journal j set events = replace(j.events::text, e ->> 'at', ((e ->> 'at')::bigint - 60000)::text)::jsonb
       from journal other, jsonb_array_elements(other.events) e
       where j.entity_id = $1 and other.entity_id = $1 and j.seq = other.seq and e ->> 'type' = 'amphoraAllocated'`,
      [id],
    );
    await query(`update entities set wake_at = now() where id = $1`, [id]);
    const second = await node(world);
    await waitFor(async () => (await statusOf(second)) !== 'ALLOCATED', { describe: 'it to be given back' });
    expect(['READY', 'PENDING_DELETE', undefined]).toContain(await statusOf(second));
    await untilReady(second, 1);
  });

  test('that a load balancer has lost its grip on is found by it again', async () => {
    const world = new FakeWorld();
    const first = await node(world, { spares: 1 });
    await untilReady(first, 1);
    const [spare] = await ready(first);
    const id = newLoadBalancerId();
    const command = { type: 'allocateAmphora', loadBalancerId: id, role: 'STANDALONE' } as const;
    // It was granted before the answer reached the load balancer.
    await first.tree.amphorae.ask(spare?.id ?? '', command, AbortSignal.timeout(10_000));
    world.misbehave.set('network.allocateVip', ['fail']);
    await send(first, id, createLoadBalancer(id));
    await untilStatus(first, id, 'ACTIVE');
    const claimed = (await stateOf(first, id))?.slots.map(({ amphoraId }) => amphoraId);
    const mine = (await amphorae(first)).filter((row) => row.load_balancer_id === id);
    expect(claimed).toHaveLength(1);
    expect(mine.map((row) => row.id)).toContain(claimed?.[0]);
  });
});

describe('the pool', () => {
  test('tops itself up after a restart, from what is there', async () => {
    const world = new FakeWorld();
    const first = await node(world, { spares: 2 });
    await untilReady(first, 2);
    await first.close();
    const second = await node(world, { spares: 3 });
    await untilReady(second, 3);
    expect(world.instances.size).toBe(3);
    await second.close();
    const third = await node(world, { spares: 1 });
    await untilReady(third, 1);
    await waitFor(() => world.instances.size === 1, { describe: 'surplus spares to go' });
  });

  test('forgets a boot that was never accepted, and boots again after a pause', async () => {
    const world = new FakeWorld();
    await query(`alter table amphorae add constraint nothing_boots check (status <> 'BOOTING')`);
    const started = await node(world, { spares: 2 });
    const view = () => started.tree.cluster.singletons.sparesView(AbortSignal.timeout(5_000));
    await waitFor(async () => (await view()).failedBoots > 0, { describe: 'a boot to be refused' });
    await waitFor(async () => (await view()).booting === 0, { describe: 'it to be forgotten' });
    await query('alter table amphorae drop constraint nothing_boots');
    await untilReady(started, 2);
  });

  test('tells who waits that booting fails, so that the load balancer is in ERROR and not silent for ever', async () => {
    const world = new FakeWorld();
    world.misbehave.set('compute.create', Array(40).fill('fail'));
    const started = await node(world, { spares: 0, retryBudget: 2 });
    const id = newLoadBalancerId();
    await send(started, id, createLoadBalancer(id));
    await untilStatus(started, id, 'ERROR');
    const { rows } = await started.pool.query<{ error_reason: string }>(
      'select error_reason from load_balancers where id = $1',
      [id],
    );
    expect(rows[0]?.error_reason).toContain('no spare amphora, and booting one failed: it did not boot');
  });
});
