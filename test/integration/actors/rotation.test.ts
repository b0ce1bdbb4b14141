// Certificates of amphorae, replaced in place.
import { describe, expect, test } from '@jest/globals';
import { certificateRotation } from '../../../src/actors/housekeeping/rotation.ts';
import { certificateState, dueCertificates } from '../../../src/db/repositories/certificates.ts';
import type { AmphoraId } from '../../../src/domain/ids.ts';
import { pino } from 'pino';
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

const database = useTestDatabase();
const undo = undoAfterEach();
emptyBeforeEach(database);

async function start(world: FakeWorld, options: Partial<TestNodeOptions> = {}): Promise<TestNode> {
  const started = await startTestNode({ url: database.url, world, ...options });
  undo.push(() => started.close());
  return started;
}

/** A load balancer that is served, and its amphora. */
async function served(node: TestNode) {
  const id = newLoadBalancerId();
  await send(node, id, createLoadBalancer(id));
  await untilStatus(node, id, 'ACTIVE');
  return { id, amphoraId: (await stateOf(node, id))?.slots[0]?.amphoraId as AmphoraId };
}

const rotate = (node: TestNode, amphoraId: AmphoraId) =>
  node.tree.cluster.amphorae.ask(
    amphoraId,
    { type: 'rotateCertificate', fingerprint: null },
    AbortSignal.timeout(5_000),
  );

interface Row {
  readonly fingerprint: string;
  readonly busy: boolean;
}

async function rowOf(node: TestNode, amphoraId: AmphoraId): Promise<Row | undefined> {
  const text = 'select certificate_fingerprint as fingerprint, certificate_busy as busy from amphorae where id = $1';
  return (await node.pool.query<Row>(text, [amphoraId])).rows[0];
}

const untilShown = (node: TestNode, amphoraId: AmphoraId, fingerprint: string) =>
  waitFor(
    async () => {
      const row = await rowOf(node, amphoraId);
      return row?.fingerprint === fingerprint && !row.busy;
    },
    { describe: `${amphoraId} to show ${fingerprint}`, timeoutMs: 20_000 },
  );

const certifications = ({ calls }: FakeWorld) => calls.filter((call) => call.startsWith('amphora.certify'));

describe('the certificate of an amphora', () => {
  test('is replaced in place, and traffic is left alone', async () => {
    const world = new FakeWorld();
    const node = await start(world);
    const { amphoraId } = await served(node);
    const pushes = world.calls.filter((call) => call.startsWith('amphora.serve')).length;
    expect(await rotate(node, amphoraId)).toMatchObject({ type: 'ok' });
    await waitFor(() => world.certified.get(amphoraId), { describe: 'the agent to take it' });
    await untilShown(node, amphoraId, world.certified.get(amphoraId) ?? '');
    expect(certifications(world)).toEqual([`amphora.certify ${amphoraId}`]);
    expect(world.calls.filter((call) => call.startsWith('amphora.serve'))).toHaveLength(pushes);
  });

  test('is looked at after an outcome that is not known, and not replaced twice', async () => {
    const world = new FakeWorld();
    const node = await start(world, { stepMs: 400 });
    const { amphoraId } = await served(node);
    world.misbehave.set('amphora.certify', ['succeed-silently']);
    await rotate(node, amphoraId);
    await waitFor(() => world.certified.get(amphoraId), { describe: 'the agent to take it' });
    await untilShown(node, amphoraId, world.certified.get(amphoraId) ?? '');
    expect(certifications(world)).toHaveLength(1);
  });

  test('stays as it is while its replacement fails, which is tried again', async () => {
    const world = new FakeWorld();
    const node = await start(world);
    const { amphoraId } = await served(node);
    world.misbehave.set('amphora.certify', ['fail', 'fail']);
    await rotate(node, amphoraId);
    expect(await rowOf(node, amphoraId)).toEqual({ fingerprint: 'ab', busy: true });
    await waitFor(() => certifications(world).length === 3, { describe: 'three tries' });
    await untilShown(node, amphoraId, world.certified.get(amphoraId) ?? '');
  });

  test('waits for a push to its load balancer to end', async () => {
    const world = new FakeWorld();
    const node = await start(world);
    const { id, amphoraId } = await served(node);
    let open = () => undefined as void;
    world.gates.set('amphora.serve', new Promise((resolve) => (open = resolve)));
    await send(node, id, { type: 'updateLoadBalancer', patch: { adminStateUp: false } });
    await waitFor(async () => (await stateOf(node, id))?.push, { describe: 'the push to begin' });
    const asked = world.calls.length;
    await rotate(node, amphoraId);
    await waitFor(() => world.calls.slice(asked).includes(`amphora.info ${amphoraId}`), { describe: 'the rotation' });
    expect(certifications(world)).toEqual([]);
    world.gates.clear();
    open();
    await untilStatus(node, id, 'ACTIVE');
    await untilShown(node, amphoraId, await waitFor(() => world.certified.get(amphoraId), { describe: 'it' }));
  });

  test('is replaced though pushes to its load balancer go on failing', async () => {
    const world = new FakeWorld();
    const node = await start(world);
    const { id, amphoraId } = await served(node);
    world.misbehave.set(
      'amphora.serve',
      Array.from({ length: 1_000 }, () => 'fail' as const),
    );
    await send(node, id, { type: 'updateLoadBalancer', patch: { adminStateUp: false } });
    await untilStatus(node, id, 'ERROR');
    await rotate(node, amphoraId);
    await untilShown(node, amphoraId, await waitFor(() => world.certified.get(amphoraId), { describe: 'it' }));
    expect((await stateOf(node, id))?.push).not.toBeNull();
  });

  test('whose replacement was under way when its node ended is replaced by the next one', async () => {
    const world = new FakeWorld();
    const first = await start(world);
    const { amphoraId } = await served(first);
    world.misbehave.set('amphora.certify', ['hang']);
    await rotate(first, amphoraId);
    await waitFor(() => certifications(world).length === 1, { describe: 'the first try' });
    await first.close();
    const second = await start(world);
    await untilShown(second, amphoraId, await waitFor(() => world.certified.get(amphoraId), { describe: 'it' }));
  });
});

describe('the chore', () => {
  test('replaces those that end soon, a few at a time, the first to end first, and leaves alone what is held', async () => {
    const world = new FakeWorld();
    const node = await start(world, { spares: 5 });
    const ready = await waitFor(
      async () => {
        const { rows } = await node.pool.query<{ id: AmphoraId }>(`select id from amphorae where status = 'READY'`);
        return rows.length === 5 ? rows.map(({ id }) => id) : undefined;
      },
      { describe: 'five amphorae', timeoutMs: 20_000 },
    );
    const [soon, sooner, held, soonest, later] = ready as [AmphoraId, AmphoraId, AmphoraId, AmphoraId, AmphoraId];
    const ends = async (id: AmphoraId, days: number) =>
      node.pool.query(
        `update amphorae set certificate_expires_at = now() + $2 * interval '1 day', cached_zone = $3 where id = $1`,
        [id, days, id === held ? 'held' : 'open'],
      );
    await Promise.all([ends(soon, 9), ends(sooner, 8), ends(held, 1), ends(soonest, 7), ends(later, 11)]);
    const asked: AmphoraId[] = [];
    const { chore, earliestEnd } = certificateRotation({
      atOnce: 2,
      state: () => certificateState(node.pool),
      due: () => dueCertificates(node.pool, 10, 100),
      rotate: (id) => asked.push(id),
      isHeld: (zone) => zone === 'held',
      log: pino({ level: 'silent' }),
    });
    expect(earliestEnd()).toBeUndefined();
    expect(await chore.run(AbortSignal.timeout(20_000))).toEqual({ done: 2, isMore: false });
    expect(asked.splice(0)).toEqual([soonest, sooner]);
    expect(Math.round(((earliestEnd() ?? 0) - Date.now()) / 86_400_000)).toBe(1);
    await node.pool.query('update amphorae set certificate_busy = true where id = any($1)', [[soonest, sooner]]);
    expect(await chore.run(AbortSignal.timeout(20_000))).toEqual({ done: 0, isMore: false });
    // One that keeps failing makes room for another one.
    await node.pool.query(`update amphorae set error_reason = 'no' where id = $1`, [sooner]);
    await chore.run(AbortSignal.timeout(20_000));
    expect(asked).toEqual([soon]);
  });
});
