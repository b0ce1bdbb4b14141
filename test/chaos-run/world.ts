// The outside world of a run, as the judge sees it: the noop world with its log of calls, or the processes and files of
// real amphorae on this machine.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { amphoraProcesses, killGroups } from '../../src/drivers/compute/local/processes.ts';
import { WorldClient } from '../../src/drivers/noop-world/client.ts';
import type { CallRecord, WorldState } from '../../src/drivers/noop-world/protocol.ts';
import { startNoopWorld } from '../../src/drivers/noop-world/start.ts';
import { built } from '../support/built.ts';
import { grouped } from './grouped.ts';

export interface WorldSight {
  readonly instances: readonly {
    readonly amphoraId: string;
    readonly isUp: boolean;
    /** VIP addresses it serves. */
    readonly vips: readonly string[];
    /** Load balancer → haproxy configuration. */
    readonly configurations: Readonly<Record<string, string>>;
  }[];
  /** Load balancer → VIP address; null where the network driver keeps no ports. */
  readonly ports: Readonly<Record<string, string>> | null;
}

export interface ChaosWorld {
  /** Environment variables that put a node into it. */
  readonly settings: Readonly<Record<string, string>>;
  sight(): Promise<WorldSight>;
  /** Every call that took effect or failed so far, in order; none where nobody writes them down. */
  calls(): readonly CallRecord[];
  stop(): Promise<void>;
}

/** Latency of every call: long enough for a kill to find calls under way. */
const latency = { from: 20, to: 400 };
const bootMs = 700;

export async function noopWorld(folder: string, seed: number): Promise<ChaosWorld> {
  const logFile = join(folder, 'world.log');
  const { address, stop } = await startNoopWorld({ main: built('drivers/noop-world/main.js'), logFile });
  const client = new WorldClient({ address, node: 'judge' });
  await client.control('seed', { seed });
  await client.control('bootTime', { ms: bootMs });
  await client.control('behave', { call: '*', latency });
  return {
    settings: {
      AMPHI_DRIVER: 'noop',
      AMPHI_NOOP_WORLD: address,
      AMPHI_HEARTBEAT_INTERVAL: '2',
      AMPHI_HEARTBEAT_TIMEOUT: '12',
    },
    sight: async () => sightOf(await client.control('state', {})),
    calls: () => {
      const lines = readFileSync(logFile, 'utf8').split('\n');
      return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as CallRecord);
    },
    stop: async () => {
      await client.close();
      await stop();
    },
  };
}

export function sightOf({ instances, ports }: WorldState): WorldSight {
  return { instances: instances.map(({ status, ...one }) => ({ ...one, isUp: status !== 'STOPPED' })), ports };
}

/** Amphorae in the data folders below `folder`, on loopback addresses that other runs at the same time do not use. */
export function localWorld(folder: string): ChaosWorld {
  const net = 100 + 2 * (process.pid % 70);
  const own = () => amphoraProcesses().filter((one) => one.folder.startsWith(`${folder}/`));
  return {
    settings: {
      AMPHI_DRIVER: 'local',
      AMPHI_LOCAL_SUBNET: `127.${net}.0.0/16`,
      AMPHI_LOCAL_MANAGEMENT_SUBNET: `127.${net + 1}.0.0/16`,
    },
    sight: async () => ({
      instances: [...grouped(own(), (one) => one.folder)].map(([home, processes]) => {
        const configurations = configurationsIn(home);
        const isUp = processes.some(({ isAgent }) => isAgent);
        const serves = processes.some(({ isAgent }) => !isAgent);
        const vips = serves ? Object.values(configurations).flatMap(addressesIn) : [];
        return { amphoraId: basename(home), isUp, vips: [...new Set(vips)], configurations };
      }),
      ports: null,
    }),
    calls: () => [],
    stop: async () => killGroups(own()),
  };
}

function configurationsIn(home: string): Readonly<Record<string, string>> {
  const folder = join(home, 'lib', 'octavia');
  if (!existsSync(folder)) return {};
  const found = readdirSync(folder)
    .map((id) => [id, join(folder, id, 'haproxy.cfg')] as const)
    .filter(([, file]) => existsSync(file));
  return Object.fromEntries(found.map(([id, file]) => [id, readFileSync(file, 'utf8')]));
}

function addressesIn(configuration: string): readonly string[] {
  return [...configuration.matchAll(/^ +bind ([\d.]+):\d+/gm)].map(([, address = '']) => address);
}
