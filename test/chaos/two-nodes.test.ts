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
const folders = [tempFolder('one'), tempFolder('other')] as const;
const secretsDir = tempFolder('secrets');

interface Node {
  readonly process: StartedProcess;
  readonly client: CommandClient;
}

async function startNode(folder: string, world: string): Promise<Node> {
  const process = start(join(packageRoot, 'bin/amphi'), ['run', '--roles', 'worker,health,housekeeping'], {
    env: {
      AMPHI_DATA_DIR: folder,
      AMPHI_DATABASE_URL: database.url,
      AMPHI_DRIVER: 'noop',
      AMPHI_NOOP_WORLD: world,
      AMPHI_CONTROL_PORT: '0',
      AMPHI_HEARTBEAT_PORT: '0',
      AMPHI_SECRETS_DIR: secretsDir,
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

test('of two nodes either takes every command, and when one is killed the other finishes everything that was accepted', async () => {
  const world = await startNoopWorld({ main: built('drivers/noop-world/main.js') });
  clean.push(() => world.stop());
  const one = await startNode(folders[0], world.address);
  const other = await startNode(folders[1], world.address);
  const vipSubnetId = (await one.client.call('subnet.list', {})).items[0]?.id ?? '';
  const create = (client: CommandClient, commandId: string) =>
    client.call('loadBalancer.create', { projectId: 'p', name: commandId, vipSubnetId, commandId });
  const commandIds = Array.from({ length: 20 }, (_, index) => `create-${index}`);
  const nodes = [one, other];
  const accepted = await Promise.all(
    commandIds.map((commandId, index) => create((nodes[index % 2] ?? one).client, commandId)),
  );
  one.process.kill('SIGKILL');
  await one.process.ended;
  await waitFor(
    async () => {
      const { items } = await other.client.call('loadBalancer.list', {});
      return items.length === 20 && items.every((item) => item.provisioningStatus === 'ACTIVE');
    },
    { timeoutMs: 30_000, describe: 'all load balancers to be ACTIVE' },
  );
  // The same commands again, to the successor: the same answers, nothing made twice.
  const again = await Promise.all(commandIds.map((commandId) => create(other.client, commandId)));
  expect(again.map(({ loadBalancer }) => loadBalancer?.id)).toEqual(
    accepted.map(({ loadBalancer }) => loadBalancer?.id),
  );
  expect((await other.client.call('loadBalancer.list', {})).items).toHaveLength(20);
});
