// The owner of a shard is frozen in the middle of something, declared dead, and goes on as if nothing had happened.
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { type CommandClient, connectCommandChannel } from '../../src/channels/command/client.ts';
import { readRunFile } from '../../src/config/data-folder.ts';
import { startNoopWorld } from '../../src/drivers/noop-world/start.ts';
import { WorldClient } from '../../src/drivers/noop-world/client.ts';
import { readDatabase } from '../chaos-run/evidence.ts';
import { orphans } from '../chaos-run/judge/orphans.ts';
import { sightOf } from '../chaos-run/world.ts';
import { built, packageRoot } from '../support/built.ts';
import { type DatabaseProxy, startDatabaseProxy } from '../support/database-proxy.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { processes, type StartedProcess } from '../support/processes.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const quick = { timeoutMs: 30_000 };
const start = processes();
let clean: (() => Promise<unknown> | void)[] = [];

interface Node {
  readonly process: StartedProcess;
  readonly client: CommandClient;
  readonly id: string;
}

let database: TestDatabase;
let world: WorldClient;
let toDatabase: DatabaseProxy;
let toWorld: DatabaseProxy;
let owner: Node;
let successor: Node;
const root = tempFolder('fence');
/** Of the test that runs: a data folder remembers its database. */
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(root, 'test-'));
  database = await createTestDatabase();
  clean.push(() => database.drop());
  const started = await startNoopWorld({ main: built('drivers/noop-world/main.js') });
  world = new WorldClient({ address: started.address, node: 'test' });
  toDatabase = await startDatabaseProxy(database.url);
  toWorld = await startDatabaseProxy(`tcp://${started.address}`);
  clean.push(
    () => started.stop(),
    () => world.close(),
    () => toDatabase.close(),
    () => toWorld.close(),
  );
  owner = await startNode('owner', toDatabase.url, new URL(toWorld.url).host);
  successor = await startNode('successor', database.url, new URL(toWorld.url).host);
}, 60_000);

afterEach(async () => {
  for (const action of clean.toReversed()) await action();
  clean = [];
});

async function startNode(name: string, databaseUrl: string, worldAddress: string): Promise<Node> {
  const dataDir = join(folder, name);
  const process = start(join(packageRoot, 'bin/amphi'), ['run', '--roles', 'worker,health,housekeeping'], {
    env: {
      AMPHI_DATA_DIR: dataDir,
      AMPHI_SECRETS_DIR: join(folder, 'secrets'),
      AMPHI_DATABASE_URL: databaseUrl,
      AMPHI_DRIVER: 'noop',
      AMPHI_NOOP_WORLD: worldAddress,
      AMPHI_CONTROL_PORT: '0',
      AMPHI_HEARTBEAT_PORT: '0',
      AMPHI_HEARTBEAT_KEY: 'a-key-that-both-nodes-have',
      AMPHI_LEASE_DURATION: '3',
      AMPHI_STEPS_TIMEOUT: '2',
    },
  });
  clean.push(async () => {
    process.kill('SIGCONT');
    process.kill('SIGKILL');
    await process.ended;
  });
  const run = await waitFor(
    () => {
      const found = readRunFile(dataDir);
      return found?.pid === process.pid ? found : undefined;
    },
    { ...quick, describe: 'the node to serve' },
  );
  const token = readFileSync(join(dataDir, 'control.token'), 'utf8').trim();
  const client = await connectCommandChannel({ url: `ws://127.0.0.1:${run.controlPort}/command`, token });
  clean.push(() => client.close());
  return { process, client, id: (await client.call('server.info', {})).nodeId };
}

async function query<Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, [...values])).rows;
  } finally {
    await client.end();
  }
}

async function ownerOf(loadBalancerId: string) {
  const rows = await query<{ owner: string; epoch: number }>(
    `select s.owner, s.epoch::int from entities e join shards s on s.family = 'entities' and s.shard = e.shard
     where e.kind = 'loadBalancer' and e.id = $1`,
    [loadBalancerId],
  );
  return rows[0];
}

interface Journalled {
  readonly epoch: number;
  readonly node: string;
  readonly commandId: string | null;
}

function journalOf(loadBalancerId: string): Promise<Journalled[]> {
  return query<Journalled & pg.QueryResultRow>(
    `select epoch::int, node, command_id as "commandId" from journal
     where kind = 'loadBalancer' and entity_id = $1 order by seq`,
    [loadBalancerId],
  );
}

/** A load balancer that is ACTIVE and in a shard of the owner, with its listener. */
async function createOwned(): Promise<{ readonly id: string; readonly listenerId: string; readonly epoch: number }> {
  const vipSubnetId = (await owner.client.call('subnet.list', {})).items[0]?.id ?? '';
  for (;;) {
    const { loadBalancer } = await owner.client.call('loadBalancer.create', {
      projectId: 'p',
      vipSubnetId,
      listeners: [{ protocol: 'HTTP', protocolPort: 80 }],
    });
    if (loadBalancer === null) throw new Error('the load balancer has vanished');
    const { id, listeners } = loadBalancer;
    await untilActive(owner.client, id);
    const found = await ownerOf(id);
    if (found?.owner === owner.id) return { id, listenerId: listeners[0]?.id ?? '', epoch: found.epoch };
  }
}

async function untilActive(client: CommandClient, id: string): Promise<void> {
  const isActive = async () => (await client.call('loadBalancer.show', { id })).provisioningStatus === 'ACTIVE';
  await waitFor(isActive, { ...quick, describe: `load balancer ${id} to be ACTIVE` });
}

async function untilTakenOver(id: string): Promise<void> {
  const isTaken = async () => (await ownerOf(id))?.owner === successor.id;
  await waitFor(isTaken, { ...quick, describe: 'the successor to own the shard' });
}

/** It has noticed that it is out: it holds a session again, so it has come to terms with what happened meanwhile. */
async function untilBack(frozenAt: Date): Promise<void> {
  const isBack = async () => {
    const rows = await query(`select 1 from nodes where id = $1 and stopped_at is null and lease_until > $2`, [
      owner.id,
      new Date(frozenAt.getTime() + 3_000),
    ]);
    return rows.length === 1;
  };
  await waitFor(isBack, { ...quick, describe: 'the former owner to be back' });
}

async function served(loadBalancerId: string): Promise<string | undefined> {
  const { instances } = await world.control('state', {});
  return instances.map(({ configurations }) => configurations[loadBalancerId]).find((one) => one !== undefined);
}

test('an append that a frozen owner had on its way is not written once another node owns the shard', async () => {
  const { id, epoch } = await createOwned();
  const params = { id, description: 'held back', commandId: 'held-back' };
  const append = toDatabase.hold('toServer', 'held back');
  const answer = owner.client.call('loadBalancer.update', params).then(
    () => 'accepted',
    () => 'failed',
  );
  await append.caught;
  owner.process.kill('SIGSTOP');
  const frozenAt = new Date();
  await untilTakenOver(id);
  append.release();
  owner.process.kill('SIGCONT');
  const told = await answer;
  await untilBack(frozenAt);
  const late = (await journalOf(id)).find(({ commandId }) => commandId === 'held-back');
  // Forwarded, it may have been accepted by the successor after all: then that is whose effect it is.
  expect(told === 'accepted' ? late?.epoch : epoch + 1).toBeGreaterThan(epoch);
  expect(late?.epoch).not.toBe(epoch);
  const repeated = await successor.client.call('loadBalancer.update', params);
  expect(repeated.loadBalancer?.description).toBe('held back');
  const effects = (await journalOf(id)).filter(({ commandId }) => commandId === 'held-back');
  expect(effects.map((effect) => effect.epoch > epoch)).toEqual([true]);
}, 120_000);

test("what a frozen owner's driver call brings is not written once another node owns the shard, and the world is as the journal says", async () => {
  const { id, listenerId, epoch } = await createOwned();
  const reply = toWorld.hold('toClient', '"accepted":true');
  await owner.client.call('listener.update', { id: listenerId, connectionLimit: 1111 });
  await reply.caught;
  owner.process.kill('SIGSTOP');
  const frozenAt = new Date();
  await untilTakenOver(id);
  await untilActive(successor.client, id);
  await successor.client.call('listener.update', { id: listenerId, connectionLimit: 2222 });
  reply.release();
  owner.process.kill('SIGCONT');
  await untilBack(frozenAt);
  await untilActive(successor.client, id);
  const history = await journalOf(id);
  const firstOfSuccessor = history.findIndex(({ node }) => node === successor.id);
  expect(history.slice(0, firstOfSuccessor).every((entry) => entry.epoch === epoch)).toBe(true);
  expect(history.slice(firstOfSuccessor).every((entry) => entry.epoch > epoch)).toBe(true);
  expect(await served(id)).toContain('maxconn 2222');
  const situation = { ...(await readDatabase(query)), world: sightOf(await world.control('state', {})) };
  expect(orphans(situation)).toEqual([]);
}, 120_000);
