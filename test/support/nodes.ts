// Nodes of a cluster as real processes: one database, one noop world, a data folder each. All ended with the test file.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import pg from 'pg';
import { type CommandClient, connectCommandChannel } from '../../src/channels/command/client.ts';
import type { InspectMethods } from '../../src/channels/inspect/methods.ts';
import { RpcClient } from '../../src/channels/rpc/client.ts';
import { readRunFile } from '../../src/config/data-folder.ts';
import { WorldClient } from '../../src/drivers/noop-world/client.ts';
import { startNoopWorld } from '../../src/drivers/noop-world/start.ts';
import { built, packageRoot } from './built.ts';
import { type DatabaseProxy, startDatabaseProxy } from './database-proxy.ts';
import { useTestDatabase } from './postgres.ts';
import { processes, type StartedProcess } from './processes.ts';
import { tempFolder } from './temp-folder.ts';
import { waitFor } from './wait-for.ts';

export interface TestClusterNode {
  readonly process: StartedProcess;
  readonly client: CommandClient;
  readonly inspect: RpcClient<InspectMethods>;
  readonly controlPort: number;
  /** Its data folder. */
  readonly folder: string;
}

export interface TestCluster {
  /** Starts the node of that number, with these settings besides, and waits until it serves. */
  start(number: number, roles?: string, more?: Readonly<Record<string, string>>): Promise<TestClusterNode>;
  /** Of the noop world that all nodes share. */
  world(): Promise<WorldClient>;
  /** The wire between all nodes and the database. */
  databaseProxy(): Promise<DatabaseProxy>;
  /** A connection of its own, not over that wire; it ends with the test file. */
  query<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
}

/** Call it at the top level of a test file. */
export function useCluster(nodes: number, settings: Readonly<Record<string, string>> = {}): TestCluster {
  const clean: (() => Promise<unknown> | void)[] = [];
  afterAll(async () => {
    for (const action of clean.toReversed()) await action();
  });
  const start = processes();
  const database = useTestDatabase();
  const folders = Array.from({ length: nodes }, (_, number) => tempFolder(`node-${number}`));
  const secretsDir = tempFolder('secrets');
  let world: Promise<string> | undefined;
  const startWorld = async () => {
    const started = await startNoopWorld({ main: built('drivers/noop-world/main.js') });
    clean.push(() => started.stop());
    return started.address;
  };
  let proxy: Promise<DatabaseProxy> | undefined;
  const startProxy = async () => {
    const started = await startDatabaseProxy(database.url);
    clean.push(() => started.close());
    return started;
  };
  let connection: Promise<pg.Client> | undefined;
  const openConnection = async () => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    clean.push(() => client.end());
    return client;
  };
  const databaseProxy = () => (proxy ??= startProxy());
  return {
    databaseProxy,
    async query<Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []) {
      connection ??= openConnection();
      return (await (await connection).query<Row>(sql, [...values])).rows;
    },
    async world() {
      world ??= startWorld();
      const client = new WorldClient({ address: await world, node: 'test' });
      clean.push(() => client.close());
      return client;
    },
    async start(number, roles = 'worker,health,housekeeping', more = {}) {
      const folder = folders[number] ?? '';
      world ??= startWorld();
      const env = {
        AMPHI_DATA_DIR: folder,
        AMPHI_SECRETS_DIR: secretsDir,
        AMPHI_DATABASE_URL: (await databaseProxy()).url,
        AMPHI_DRIVER: 'noop',
        AMPHI_NOOP_WORLD: await world,
        AMPHI_CONTROL_PORT: '0',
        AMPHI_HEARTBEAT_PORT: '0',
        AMPHI_API_PORT: '0',
        ...settings,
        ...more,
      };
      const process = start(join(packageRoot, 'bin/amphi'), ['run', '--roles', roles], { env });
      clean.push(async () => {
        process.kill('SIGKILL');
        await process.ended;
      });
      const run = await waitFor(() => readRunFile(folder), { timeoutMs: 30_000, describe: 'the node to serve' });
      const token = readFileSync(join(folder, 'control.token'), 'utf8').trim();
      const url = `ws://127.0.0.1:${run.controlPort}`;
      const client = await connectCommandChannel({ url: `${url}/command`, token });
      clean.push(() => client.close());
      const inspect = await RpcClient.connect<InspectMethods>({ url: `${url}/inspect`, token });
      clean.push(() => inspect.close());
      return { process, client, inspect, controlPort: run.controlPort, folder };
    },
  };
}

/** Waits until both of two nodes have half of everything. Gives their ids. */
export function untilShared({ inspect }: TestClusterNode): Promise<readonly string[]> {
  return waitFor(
    async () => {
      const { nodes } = await inspect.call('nodes.list');
      const running = nodes.filter(({ stoppedAt }) => stoppedAt === null);
      const isShared = running.length === 2 && running.every(({ shards }) => shards === 128);
      return isShared ? running.map(({ id }) => id) : undefined;
    },
    { timeoutMs: 20_000, describe: 'the shards to be shared' },
  );
}
