// A supervisor tree on a real database and fake drivers.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import pg from 'pg';
import { pino } from 'pino';
import { alertFeed } from '../../src/actors/channels/alert-feed.ts';
import type { Relay } from '../../src/actors/channels/relay.ts';
import { Ownership } from '../../src/actors/runtime/ownership.ts';
import { Tree } from '../../src/actors/tree.ts';
import { Journal } from '../../src/db/journal.ts';
import { Activity } from '../../src/composition/activity.ts';
import { noPeers } from '../../src/domain/cluster/peers.ts';
import { readHeld, writeHeld } from '../../src/db/repositories/held-failovers.ts';
import { heardBefore, writeOperatingStatuses } from '../../src/db/repositories/operating-statuses.ts';
import { HeartbeatTable } from '../../src/domain/health/table.ts';
import { openTestSession } from './registration.ts';
import type { AmphoraId, DeploymentId, LoadBalancerId } from '../../src/domain/ids.ts';
import type { LoadBalancerCommand } from '../../src/domain/load-balancer/commands.ts';
import type { LoadBalancerState } from '../../src/domain/load-balancer/state.ts';
import type { WatchdogLimits } from '../../src/domain/health/watchdog.ts';
import type { StatisticsWriter } from '../../src/actors/statistics/writer.ts';
import type { AlertChange } from '../../src/domain/alert-views.ts';
import type { FakeWorld } from './fake-drivers.ts';
import { useTestDatabase } from './postgres.ts';
import { present } from './present.ts';
import { waitFor } from './wait-for.ts';

export interface TestNode {
  readonly tree: Tree;
  readonly pool: pg.Pool;
  readonly journal: Journal;
  readonly ownership: Ownership;
  readonly alerts: Relay<AlertChange>;
  /** Once is enough; again does nothing. */
  close(): Promise<void>;
}

export interface TestNodeOptions {
  readonly url: string;
  readonly world: FakeWorld;
  readonly spares?: number;
  readonly leaseMs?: number;
  readonly stepMs?: number;
  readonly retryBudget?: number;
  readonly maxBooting?: number;
  readonly health?: Partial<WatchdogLimits>;
  readonly statistics?: Pick<StatisticsWriter, 'count' | 'forget'>;
  readonly lagMs?: () => number;
}

export async function startTestNode(options: TestNodeOptions): Promise<TestNode> {
  const { url, world } = options;
  const log = pino({ level: process.env['AMPHI_TEST_LOG'] ?? 'silent' });
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  pool.on('error', () => undefined);
  const journal = new Journal(pool);
  const id = randomUUID();
  const leaseMs = options.leaseMs ?? 10_000;
  const ownership: Ownership = new Ownership({
    nodeId: id,
    leaseMs,
    log,
    openSession: () => openTestSession(url, { id, leaseMs, roles: ['worker', 'health', 'housekeeping'] }),
    onGained: (shards) => activity.gained(shards),
    onLost: () => activity.lost(),
    handOver: (shards) => tree.handOver(shards),
    onView: (view) => tree.onView(view),
  });
  const alerts = alertFeed({ nodeId: 'node', ids: () => [], peers: noPeers });
  const tree: Tree = new Tree({
    log,
    journal,
    ownership,
    peers: noPeers,
    policy: { firstDelayMs: 20, longestDelayMs: 200, budget: options.retryBudget ?? 4, errorDelayMs: 60_000 },
    timeouts: { callMs: options.stepMs ?? 5_000, bootMs: 20_000 },
    snapshotEvery: 10,
    mailboxLimit: 100,
    idleMs: 60_000,
    health: {
      limits: {
        timeoutMs: 60_000,
        tickMs: 50,
        failoversPerMinute: 60,
        intervalMs: 1_000,
        breakers: {
          fleet: { share: 0.5, minimum: 8 },
          zone: { share: 0.5, minimum: 8 },
          host: { share: 1, minimum: 8 },
        },
        ...options.health,
      },
      held: { read: () => readHeld(pool), write: (put, drop) => writeHeld(pool, put, drop) },
      table: new HeartbeatTable(),
      controllers: () => ['127.0.0.1:5555'],
      listening: () => new Map([['127.0.0.1:5555', Number.NEGATIVE_INFINITY]]),
      writeStatuses: async (changes, heard) => {
        for (const change of await writeOperatingStatuses(pool, changes, heard)) alerts.tell(change);
      },
      heardBefore: (ids) => heardBefore(pool, ids),
      statistics: options.statistics ?? { count: () => undefined, forget: () => undefined },
      lagMs: options.lagMs ?? (() => 0),
    },
    drivers: {
      deploymentId: randomUUID() as DeploymentId,
      compute: world.compute,
      network: world.network,
      amphora: world.amphora,
      certificate: world.certificate,
      clusterSecret: 'secret',
      certificateManager: world.certificateManager,
      heartbeats: () => ({ controllers: ['127.0.0.1:5555'], key: 'secret', interval: 1 }),
    },
    spares: {
      limits: { size: options.spares ?? 1, maxBooting: options.maxBooting ?? 4 },
      newId: () => randomUUID() as AmphoraId,
    },
    housekeeping: {
      chores: [],
      sweep: async () => ({ instances: 0, removed: [], due: [], waiting: [], stopped: null }),
    },
  });
  const activity = new Activity({ tree, pool, ownership: () => ownership, log });
  await activity.learnFleet();
  await ownership.start();
  await activity.started();
  let closing: Promise<void> | undefined;
  const close = async () => {
    alerts.stop();
    await activity.stop();
    tree.stop();
    await ownership.stop();
    await pool.end();
  };
  return {
    tree,
    pool,
    journal,
    ownership,
    alerts,
    close: () => (closing ??= close()),
  };
}

/**
 * A node on a database of its own, for all tests of a file. What `also` starts on it is closed before it, and both before
 * the database goes, which wants no connection left. Call it at the top level; the node is there in tests and hooks.
 */
export function useTestNode(
  options: Omit<TestNodeOptions, 'url'>,
  also: (node: TestNode) => Promise<{ close(): Promise<void> }>,
): TestNode {
  let node: TestNode | undefined;
  let more: { close(): Promise<void> } | undefined;
  afterAll(async () => {
    await more?.close();
    await node?.close();
  });
  const database = useTestDatabase();
  beforeAll(async () => {
    node = await startTestNode({ url: database.url, ...options });
    more = await also(node);
  });
  return present(() => {
    if (node === undefined) throw new Error('the test node exists in tests and hooks only');
    return node;
  });
}

export function newLoadBalancerId(): LoadBalancerId {
  return randomUUID() as LoadBalancerId;
}

export function send(
  node: TestNode,
  id: LoadBalancerId,
  command: LoadBalancerCommand,
  commandId: string = randomUUID(),
) {
  return node.tree.loadBalancers.ask(id, command, AbortSignal.timeout(20_000), {
    id: commandId,
    digest: JSON.stringify(command),
  });
}

export async function statusOf(node: TestNode, id: LoadBalancerId): Promise<string | undefined> {
  const text = 'select provisioning_status from load_balancers where id = $1';
  const { rows } = await node.pool.query<{ provisioning_status: string }>(text, [id]);
  return rows[0]?.provisioning_status;
}

export async function untilStatus(node: TestNode, id: LoadBalancerId, status: string | undefined): Promise<void> {
  await waitFor(async () => (await statusOf(node, id)) === status, {
    timeoutMs: 20_000,
    describe: `${id} to be ${status}`,
  });
}

export function stateOf(node: TestNode, id: LoadBalancerId): Promise<LoadBalancerState | undefined> {
  return node.tree.loadBalancers.read(id, (state) => state);
}
