// A control server on a test node, with a client on it: the command channel as programs see it.
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { channelPorts } from '../../src/actors/channels/ports.ts';
import { ClusterActors } from '../../src/actors/cluster/actors.ts';
import { StatusFeed } from '../../src/actors/channels/status-feed.ts';
import { type CommandClient, connectCommandChannel } from '../../src/channels/command/client.ts';
import { commandHandlers } from '../../src/channels/command/handlers.ts';
import type { CommandHandlers } from '../../src/channels/command/methods.ts';
import { startControlServer } from '../../src/channels/control-server.ts';
import { inspectHandlers } from '../../src/channels/inspect/methods.ts';
import type { EndpointLimits } from '../../src/channels/rpc/endpoint.ts';
import { noPeers } from '../../src/domain/cluster/peers.ts';
import { tlsPortOf } from '../../src/composition/certificates.ts';
import { offersOf } from '../../src/composition/drivers.ts';
import { loadConfig } from '../../src/config/load.ts';
import { restoreCheck } from '../../src/composition/restore.ts';
import { catalogueOf } from '../../src/db/repositories/catalogue.ts';
import { QuotaRepository } from '../../src/db/repositories/quotas.ts';
import { unlimited } from '../../src/domain/quota.ts';
import { readsOf } from '../../src/db/repositories/reads.ts';
import { present } from './present.ts';
import { type TestNode, type TestNodeOptions, useTestNode } from './tree.ts';
import type { FakeWorld } from './fake-drivers.ts';

export interface TestControl {
  readonly port: number;
  readonly url: string;
  readonly inspectUrl: string;
  readonly token: string;
  readonly feed: StatusFeed;
  connect(): Promise<CommandClient>;
  close(): Promise<void>;
}

export interface TestControlOptions {
  readonly limits?: Partial<EndpointLimits>;
  /** Instead of the real ones. */
  readonly handlers?: Partial<CommandHandlers>;
  readonly token?: string | null;
}

export interface UsedControl {
  readonly control: TestControl;
  readonly client: CommandClient;
  readonly node: TestNode;
}

/** A node with a control server and a client on it, for all tests of a file. Call it at the top level; all are there in tests and hooks. */
export function useTestControl(world: FakeWorld, options: Omit<TestNodeOptions, 'url' | 'world'> = {}): UsedControl {
  let started: { readonly control: TestControl; readonly client: CommandClient } | undefined;
  const node = useTestNode({ world, ...options }, async (on) => {
    const control = await startTestControl(on, world);
    started = { control, client: await control.connect() };
    return control;
  });
  const there = () => {
    if (started === undefined) throw new Error('the control server exists in tests and hooks only');
    return started;
  };
  return { control: present(() => there().control), client: present(() => there().client), node };
}

export async function startTestControl(
  node: TestNode,
  world: FakeWorld,
  { limits, handlers, token = 'secret-of-the-test' }: TestControlOptions = {},
): Promise<TestControl> {
  const { actors, ...ports } = channelPorts(node.tree);
  const { registry } = node.tree;
  const live = new ClusterActors({ registry, ownership: node.ownership, peers: noPeers, durable: node.tree });
  const reads = readsOf(node.pool);
  const quotas = new QuotaRepository(node.pool, unlimited);
  const feed = new StatusFeed(node.tree, { nodeId: 'node', ids: () => [], peers: noPeers });
  const info = { name: 'amphitheatre', version: 'test', nodeId: 'node', driver: 'fake' } as const;
  const server = await startControlServer({
    host: '127.0.0.1',
    port: 0,
    token: token ?? undefined,
    command: {
      ...commandHandlers({
        ...ports,
        network: world.network,
        tls: tlsPortOf(loadConfig({ env: {} }).config, world.certificateManager),
        reads,
        quotas,
        catalogue: catalogueOf(node.pool),
        placement: { topology: 'SINGLE', offers: offersOf(world) },
        feed,
        alerts: node.alerts,
        info,
      }),
      ...handlers,
    },
    inspect: inspectHandlers({
      actors: {
        tree: (id, signal) => live.tree(id, signal),
        all: (signal) => live.all(signal),
        show: (path, id, signal) => live.show(path, id, signal),
        restart: (path, signal) => live.restart(path, signal),
        deadLetters: actors.deadLetters,
      },
      reads,
      sweep: async () => ({ instances: 0, removed: [], due: [], waiting: [], stopped: null }),
      orders: { give: async () => undefined, end: async () => false, list: async () => [] },
      amphoraeIn: () => 0,
      budget: () => ({ perMinute: 60, left: 60 }),
      drain: async () => false,
      restoreCheck: restoreCheck(node.pool, world.compute),
    }),
    limits,
    metrics: new Registry(),
    unready: async () => [],
    log: pino({ level: process.env['AMPHI_TEST_LOG'] ?? 'silent' }),
  });
  const clients: CommandClient[] = [];
  const url = `ws://127.0.0.1:${server.port}/command`;
  return {
    port: server.port,
    url,
    inspectUrl: `ws://127.0.0.1:${server.port}/inspect`,
    token: token ?? '',
    feed,
    connect: async () => {
      const client = await connectCommandChannel({ url, token: token ?? undefined });
      clients.push(client);
      return client;
    },
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await server.close();
    },
  };
}
