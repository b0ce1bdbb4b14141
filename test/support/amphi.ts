// `amphi up` as a real process on a data folder of its own, with everything it starts: PostgreSQL, amphorae, haproxy.
// Ended, whatever a test did to it, when the test file is done.
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import pg from 'pg';
import { type CommandClient, connectCommandChannel } from '../../src/channels/command/client.ts';
import { readRunFile } from '../../src/config/data-folder.ts';
import { removeEmbeddedPostgres } from '../../src/db/embedded-postgres.ts';
import { packageRoot } from './built.ts';
import { isRunning, processes, type StartedProcess } from './processes.ts';
import { tempFolder } from './temp-folder.ts';
import { waitFor } from './wait-for.ts';

export interface Amphi {
  readonly dataDir: string;
  /** Starts the controller and waits until it serves. */
  up(settings?: Readonly<Record<string, string>>): Promise<RunningAmphi>;
}

export interface RunningAmphi {
  readonly process: StartedProcess;
  readonly controlPort: number;
  readonly apiPort: number | null;
  readonly databaseUrl: string;
  /** Connects to the command channel; the connection ends with the test file. */
  connect(): Promise<CommandClient>;
  query<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** Ends the controller as Ctrl-C does. */
  stop(): Promise<void>;
  kill(): Promise<void>;
}

export const quick = { timeoutMs: 30_000 };

/** Call it at the top level of a test file. */
export function useAmphi(name: string): Amphi {
  const clean: (() => Promise<unknown> | void)[] = [];
  // Hooks run in the order they are written: what a test left running ends first, its folder goes last.
  afterAll(async () => {
    for (const action of clean.toReversed()) await action();
    for (const { pid } of amphoraProcesses(dataDir)) killQuietly(pid);
    await waitFor(() => amphoraProcesses(dataDir).length === 0, { describe: 'amphorae to end' });
    await removeEmbeddedPostgres(dataDir);
  });
  const start = processes();
  const dataDir = tempFolder(name);
  return {
    dataDir,
    async up(settings = {}) {
      const env = {
        AMPHI_DATA_DIR: dataDir,
        AMPHI_API_PORT: '0',
        AMPHI_CONTROL_PORT: '0',
        AMPHI_HEARTBEAT_PORT: '0',
        AMPHI_LOG_LEVEL: 'info',
        DATABASE_URL: '',
        ...settings,
      };
      const process = start(join(packageRoot, 'bin/amphi'), ['up'], { env });
      clean.push(() => {
        process.kill('SIGCONT');
        process.kill('SIGKILL');
        return process.ended;
      });
      const run = await waitFor(
        () => {
          if (!isRunning(process.pid)) throw new Error(`it ended: ${process.output()}`);
          const found = readRunFile(dataDir);
          return found?.pid === process.pid ? found : undefined;
        },
        { timeoutMs: 60_000, describe: 'amphi up to serve' },
      );
      const token = readFileSync(join(dataDir, 'control.token'), 'utf8').trim();
      return {
        process,
        controlPort: run.controlPort,
        apiPort: run.apiPort,
        databaseUrl: run.databaseUrl,
        async connect() {
          const client = await connectCommandChannel({ url: `ws://127.0.0.1:${run.controlPort}/command`, token });
          clean.push(() => client.close());
          return client;
        },
        async query<Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []) {
          const client = new pg.Client({ connectionString: run.databaseUrl });
          await client.connect();
          try {
            return (await client.query<Row>(sql, [...values])).rows;
          } finally {
            await client.end();
          }
        },
        async stop() {
          process.kill('SIGINT');
          await process.ended;
        },
        async kill() {
          process.kill('SIGKILL');
          await process.ended;
        },
      };
    },
  };
}

export interface AmphoraProcess {
  readonly pid: number;
  readonly group: number;
  readonly amphoraId: string;
  readonly isAgent: boolean;
}

/** Every process of an amphora of that data folder: agents and their haproxy. */
export function amphoraProcesses(dataDir: string): readonly AmphoraProcess[] {
  const marker = new RegExp(`AMPHI_AMPHORA_FOLDER=${dataDir}/amphorae/([0-9a-f-]{36})`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isRunning(Number(name)))
    .flatMap((name) => {
      try {
        const amphoraId = marker.exec(readFileSync(`/proc/${name}/environ`, 'utf8'))?.[1];
        if (amphoraId === undefined) return [];
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const group = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
        const isAgent = readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('agent/main.js');
        return [{ pid: Number(name), group, amphoraId, isAgent }];
      } catch {
        return [];
      }
    });
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** Backends on free ports that answer with their name; closed when the test file is done. */
export function useBackends(names: readonly string[]): { readonly ports: () => Promise<readonly number[]> } {
  let servers: Promise<readonly Server[]> | undefined;
  const listen = (name: string) =>
    new Promise<Server>((resolve) => {
      const server = createServer((_request, response) => response.end(name));
      server.listen(0, '127.0.0.1', () => resolve(server));
    });
  afterAll(async () => {
    for (const server of (await servers) ?? []) {
      server.closeAllConnections();
      server.close();
    }
  });
  return {
    async ports() {
      servers ??= Promise.all(names.map(listen));
      return (await servers).map((server) => (server.address() as AddressInfo).port);
    },
  };
}

/** The body of an answer to GET /, on a connection of its own; undefined when there is none within a second. */
export function fetchFrom(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get({ host, port, agent: false, timeout: 1_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve(response.statusCode === 200 ? body : undefined));
    });
    request.on('error', () => resolve(undefined));
    request.on('timeout', () => request.destroy());
  });
}

/** A web load balancer over the backends: an HTTP listener, a pool, members and a monitor. */
export async function createWeb(
  client: CommandClient,
  backendPorts: readonly number[],
  listenerPort: number,
  commandId?: string,
): Promise<{ readonly id: string }> {
  const vipSubnetId = (await client.call('subnet.list', {})).items[0]?.id ?? '';
  const { loadBalancer } = await client.call('loadBalancer.create', {
    projectId: 'test',
    name: 'web',
    vipSubnetId,
    ...(commandId === undefined ? {} : { commandId }),
    listeners: [
      { name: 'web', protocol: 'HTTP', protocolPort: listenerPort, connectionLimit: 500, defaultPool: { name: 'web' } },
    ],
    pools: [
      {
        name: 'web',
        protocol: 'HTTP',
        lbAlgorithm: 'ROUND_ROBIN',
        members: backendPorts.map((protocolPort) => ({ address: '127.0.0.1', protocolPort })),
        healthMonitor: { type: 'HTTP', delay: 1, timeout: 1, maxRetries: 1, maxRetriesDown: 2 },
      },
    ],
  });
  if (loadBalancer === null) throw new Error('the load balancer has vanished');
  return { id: loadBalancer.id };
}

/** Waits until it is ACTIVE, and with `isOnline` until its members answer too. Gives its VIP. */
export async function untilActive(client: CommandClient, id: string, isOnline = true): Promise<string> {
  const shown = await waitFor(
    async () => {
      const now = await client.call('loadBalancer.show', { id });
      const isDone = now.provisioningStatus === 'ACTIVE' && (!isOnline || now.operatingStatus === 'ONLINE');
      if (!isDone) throw new Error(`${now.provisioningStatus}/${now.operatingStatus} ${now.errorReason ?? ''}`);
      return now;
    },
    { timeoutMs: 40_000, describe: `load balancer ${id} to be ACTIVE` },
  );
  return shown.vipAddress ?? '';
}
