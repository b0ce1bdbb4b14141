// A REST API on a test node, and requests to it.
import { pino } from 'pino';
import { StatusFeed } from '../../src/actors/channels/status-feed.ts';
import { serveApi } from '../../src/composition/api.ts';
import { tlsPortOf } from '../../src/composition/certificates.ts';
import { offersOf } from '../../src/composition/drivers.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { noPeers } from '../../src/domain/cluster/peers.ts';
import type { FakeWorld } from './fake-drivers.ts';
import { present } from './present.ts';
import { type TestNode, type TestNodeOptions, useTestNode } from './tree.ts';
import { waitFor } from './wait-for.ts';

export interface ApiAnswer {
  readonly status: number;
  /** Parsed; undefined for an empty one. */
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of any shape, looked at by tests
  readonly body: any;
  readonly headers: Headers;
}

export interface TestApi {
  readonly port: number;
  /** `path` as a whole, such as `/v2/lbaas/pools`. A body that is a string is sent as it is. */
  request(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<ApiAnswer>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<ApiAnswer>;
  /** Waits until the load balancer has that status; `undefined` until it is gone. */
  untilStatus(id: string, status: string | undefined): Promise<void>;
  close(): Promise<void>;
}

export interface UsedApi {
  readonly api: TestApi;
  readonly node: TestNode;
}

/** A node with a REST API for all tests of a file. Call it at the top level; both are there in tests and hooks. */
export function useTestApi(
  world: FakeWorld,
  {
    settings,
    ...options
  }: Omit<TestNodeOptions, 'url' | 'world'> & { readonly settings?: Partial<Config['api']> } = {},
): UsedApi {
  let api: TestApi | undefined;
  const node = useTestNode(
    { world, ...options },
    async (started) => (api = await startTestApi(started, world, settings)),
  );
  const there = present(() => {
    if (api === undefined) throw new Error('the API exists in tests and hooks only');
    return api;
  });
  return { api: there, node };
}

const defaultSettings = loadConfig({ env: {} }).config;
const { api: defaults, quota: defaultQuotas } = defaultSettings;

export async function startTestApi(
  node: TestNode,
  world: Pick<FakeWorld, 'network' | 'certificateManager'>,
  settings: Partial<Config['api']> = {},
): Promise<TestApi> {
  const server = await serveApi({
    settings: { ...defaults, port: 0, ...settings },
    quotas: defaultQuotas,
    tree: node.tree,
    pool: node.pool,
    network: world.network,
    placement: { topology: 'SINGLE', offers: offersOf({ compute: { offers: [] }, network: world.network }) },
    tls: tlsPortOf(defaultSettings, world.certificateManager),
    feed: new StatusFeed(node.tree, { nodeId: 'node', ids: () => [], peers: noPeers }),
    alerts: node.alerts,
    info: { name: 'amphitheatre', version: 'test', nodeId: 'node', driver: 'fake' },
    log: pino({ level: process.env['AMPHI_TEST_LOG'] ?? 'silent' }),
  });
  const request: TestApi['request'] = async (method, path, body, headers = {}) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text), headers: response.headers };
  };
  const get: TestApi['get'] = (path, headers) => request('GET', path, undefined, headers);
  return {
    port: server.port,
    request,
    get,
    async untilStatus(id, status) {
      await waitFor(
        async () => {
          const { body } = await get(`/v2/lbaas/loadbalancers/${id}`);
          return body.loadbalancer?.provisioning_status === status;
        },
        { timeoutMs: 20_000, describe: `load balancer ${id} to be ${status ?? 'gone'}` },
      );
    },
    close: () => server.close(),
  };
}
