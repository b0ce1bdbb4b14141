import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { type CommandClient, connectCommandChannel } from '../../src/channels/command/client.ts';
import { readRunFile } from '../../src/config/data-folder.ts';
import { startNoopWorld } from '../../src/drivers/noop-world/start.ts';
import { packageRoot, built } from '../support/built.ts';
import { useTestDatabase } from '../support/postgres.ts';
import { processes, type StartedProcess } from '../support/processes.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const clean: (() => Promise<unknown> | void)[] = [];
afterAll(async () => {
  for (const action of clean.toReversed()) await action();
});
const start = processes();
const database = useTestDatabase();
const folders = [tempFolder('active'), tempFolder('standby')] as const;

interface Node {
  readonly process: StartedProcess;
  readonly client: CommandClient;
}

async function startNode(folder: string, world: string, heartbeatPort: number): Promise<Node> {
  const process = start(join(packageRoot, 'bin/amphi'), ['run', '--roles', 'worker,health,housekeeping'], {
    env: {
      AMPHI_DATA_DIR: folder,
      AMPHI_DATABASE_URL: database.url,
      AMPHI_DRIVER: 'noop',
      AMPHI_NOOP_WORLD: world,
      AMPHI_CONTROL_PORT: '0',
      AMPHI_HEARTBEAT_PORT: String(heartbeatPort),
      AMPHI_HEARTBEAT_KEY: 'a-key-that-both-nodes-have',
    },
  });
  clean.push(async () => {
    process.kill('SIGKILL');
    await process.ended;
  });
  const run = await waitFor(() => readRunFile(folder), { timeoutMs: 30_000, describe: 'the node to serve' });
  const token = readFileSync(join(folder, 'control.token'), 'utf8').trim();
  const client = await connectCommandChannel({ url: `ws://127.0.0.1:${run.controlPort}/command`, token });
  clean.push(() => client.close());
  return { process, client };
}

function freeUdpPort(): Promise<number> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

test('a node that stands by takes over when the active one is killed, and finishes everything it had accepted', async () => {
  const world = await startNoopWorld({ main: built('drivers/noop-world/main.js') });
  clean.push(() => world.stop());
  const heartbeatPort = await freeUdpPort();
  const active = await startNode(folders[0], world.address, heartbeatPort);
  const standby = await startNode(folders[1], world.address, heartbeatPort);
  const vipSubnetId = (await active.client.call('subnet.list', {})).items[0]?.id ?? '';
  const create = (client: CommandClient, commandId: string) =>
    client.call('loadBalancer.create', { projectId: 'p', name: commandId, vipSubnetId, commandId });
  const commandIds = Array.from({ length: 20 }, (_, index) => `create-${index}`);
  const accepted = await Promise.all(commandIds.map((commandId) => create(active.client, commandId)));
  active.process.kill('SIGKILL');
  await active.process.ended;
  await waitFor(
    async () => {
      const { items } = await standby.client.call('loadBalancer.list', {});
      return items.length === 20 && items.every((item) => item.provisioningStatus === 'ACTIVE');
    },
    { timeoutMs: 30_000, describe: 'all load balancers to be ACTIVE' },
  );
  // The same commands again, to the successor: the same answers, nothing made twice.
  const again = await Promise.all(commandIds.map((commandId) => create(standby.client, commandId)));
  expect(again.map(({ loadBalancer }) => loadBalancer?.id)).toEqual(
    accepted.map(({ loadBalancer }) => loadBalancer?.id),
  );
  expect((await standby.client.call('loadBalancer.list', {})).items).toHaveLength(20);
});
