// What it takes to take a fleet over: time until a second node owns and serves all load balancers after the first is
// killed, and its resident memory with all of them awake and idle again. noop drivers, embedded PostgreSQL, both nodes on
// this machine. The fleet is made by commands, so rows, journal and world are what they are in service.
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type pg from 'pg';
import { type CommandClient, connectCommandChannel } from '../src/channels/command/client.ts';
import { RpcError } from '../src/channels/rpc/errors.ts';
import { startNoopWorld } from '../src/drivers/noop-world/start.ts';
import { type BenchNode, metricsText, startNode } from './node.ts';
import { tree } from './tree.ts';
import { atWorkbench, say } from './workbench.ts';

interface Options {
  readonly loadBalancers: number;
  readonly concurrency: number;
  readonly idle: number;
}

export function takeoverCommand(): Command {
  return new Command('takeover')
    .description('time and memory of a second node that takes over when the first is killed')
    .option('--load-balancers <n>', 'each with a listener, a pool, 3 members and a monitor', Number, 10_000)
    .option('--concurrency <n>', 'commands under way at the same time', Number, 50)
    .option('--idle <seconds>', 'actors.idleSeconds; waking all must take less', Number, 90)
    .action(async (options: Options) => {
      process.stdout.write(`${JSON.stringify(await measure(options))}\n`);
    });
}

const worldMain = fileURLToPath(new URL('../../drivers/noop-world/main.js', import.meta.url));

function measure(options: Options): Promise<Record<string, unknown>> {
  return atWorkbench(async ({ url, database, folder, onEnd }) => {
    const world = await startNoopWorld({ main: worldMain });
    onEnd(() => world.stop());
    const settings = { ...settingsOf(options, url, world.address), AMPHI_SECRETS_DIR: folder('secrets') };
    const start = async (name: string): Promise<BenchNode> => {
      const node = await startNode(['run', '--roles', 'worker,health,housekeeping'], folder(name), settings);
      onEnd(() => node.end('SIGTERM'));
      return node;
    };
    const first = await start('first');
    const ids = await createAll(first, database, options);
    const second = await start('second');
    say(`${ids.length} load balancers are ACTIVE`);
    return takeOver(first, second, database, ids, options);
  });
}

function settingsOf({ concurrency, idle }: Options, database: string, world: string) {
  return {
    AMPHI_DATABASE_URL: database,
    AMPHI_DRIVER: 'noop',
    AMPHI_NOOP_WORLD: world,
    AMPHI_HEARTBEAT_KEY: 'a-key-that-both-nodes-have',
    AMPHI_SPARES_SIZE: String(concurrency),
    AMPHI_SPARES_MAX_BOOTING: String(concurrency),
    AMPHI_ACTORS_IDLE_SECONDS: String(idle),
  };
}

async function createAll(node: BenchNode, database: pg.Client, options: Options): Promise<readonly string[]> {
  const client = await connect(node);
  const vipSubnetId = (await client.call('subnet.list', {})).items[0]?.id ?? '';
  const ids: string[] = [];
  await eachOf(options.loadBalancers, options.concurrency, async () => {
    const { loadBalancer } = await client.call('loadBalancer.create', { projectId: 'bench', vipSubnetId, ...tree });
    if (loadBalancer === null) throw new Error('a load balancer has vanished');
    if (ids.push(loadBalancer.id) % 1_000 === 0) say(`${ids.length} load balancers created`);
  });
  // Timers too: amphorae ask whether they were claimed.
  await until(database, 'not exists (select 1 from entities where has_work or wake_at is not null)');
  await client.close();
  return ids;
}

async function takeOver(
  first: BenchNode,
  second: BenchNode,
  database: pg.Client,
  ids: readonly string[],
  options: Options,
): Promise<Record<string, unknown>> {
  const client = await connect(second);
  const { nodeId } = await client.call('server.info', {});
  // One of each shard that the second node does not own yet.
  const { rows } = await database.query<{ id: string }>(
    `select distinct on (shard) id from entities join shards using (shard)
     where kind = 'loadBalancer' and family = 'entities' and owner <> $1 order by shard`,
    [nodeId],
  );
  say(`the second node is up; the first, with ${rows.length} shards, is killed`);
  say(`before: ${JSON.stringify({ ...residentMib(second), ...(await heapMib(second)) })}`);
  const wake = (id: string) => untilAnswered(client, id);
  const startedAt = performance.now();
  await first.end('SIGKILL');
  const answered = rows.map(({ id }) => wake(id).then(() => performance.now() - startedAt));
  const firstCommandMs = await Promise.race(answered);
  await Promise.all(answered);
  await until(database, 'not exists (select 1 from shards where owner is distinct from $1::uuid)', [nodeId], 20);
  const takeoverMs = performance.now() - startedAt;
  say('the second node owns and serves all; every load balancer is woken once');
  await eachOf(ids.length, options.concurrency, (index) => wake(ids[index] ?? ''));
  const awake = { ...residentMib(second), actors: await liveActors(second) };
  say(`awake: ${JSON.stringify({ ...awake, ...(await heapMib(second)) })}`);
  await wait(options.idle * 1_000);
  while ((await liveEntities(second)) > 0) await wait(1_000);
  const idle = residentMib(second);
  say(`idle: ${JSON.stringify({ ...idle, ...(await heapMib(second)) })}`);
  const amphorae = await database.query(`select 1 from entities where kind = 'amphora' and not is_over`);
  await client.close();
  return {
    load_balancers: ids.length,
    amphorae: amphorae.rowCount,
    takeover_ms: Math.round(takeoverMs),
    first_command_ms: Math.round(firstCommandMs),
    rss_idle_mib: idle.rss,
    rss_awake_mib: awake.rss,
    live_actors: awake.actors,
  };
}

function connect({ run, token }: BenchNode): Promise<CommandClient> {
  return connectCommandChannel({ url: `ws://127.0.0.1:${run.controlPort}/command`, token });
}

/** A change that changes nothing: the actor is loaded and answers, and its amphorae hear nothing of it. */
async function untilAnswered(client: CommandClient, id: string): Promise<void> {
  for (;;) {
    try {
      return void (await client.call('loadBalancer.update', { id, description: '' }));
    } catch (error) {
      if (!(error instanceof RpcError && (error.code === 'busy' || error.code === 'unavailable'))) throw error;
      await wait(20);
    }
  }
}

async function eachOf(count: number, concurrency: number, act: (index: number) => Promise<void>): Promise<void> {
  let begun = 0;
  const worker = async () => {
    while (begun < count) await act(begun++);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

async function until(database: pg.Client, condition: string, values: unknown[] = [], pollMs = 500): Promise<void> {
  for (;;) {
    const { rows } = await database.query<{ is: boolean }>(`select ${condition} as is`, values);
    if (rows[0]?.is === true) return;
    await wait(pollMs);
  }
}

/** Of the process as it is, without a garbage collection before; and the part that is not shared with a file. */
function residentMib({ run }: BenchNode): { readonly rss: number; readonly anonymous: number } {
  const status = readFileSync(`/proc/${run.pid}/status`, 'utf8');
  const mib = (field: string) =>
    Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024);
  return { rss: mib('VmRSS'), anonymous: mib('RssAnon') };
}

async function actorsByKind(node: BenchNode): Promise<ReadonlyMap<string, number>> {
  const lines = (await metricsText(node)).matchAll(/^amphi_live_actors\{kind="(\w+)"\} (\d+)$/gm);
  return new Map([...lines].map(([, kind = '', count]) => [kind, Number(count)]));
}

async function liveActors(node: BenchNode): Promise<number> {
  return [...(await actorsByKind(node)).values()].reduce((sum, count) => sum + count, 0);
}

/** Where the memory is, in MiB: objects that live or wait for the collector, pages V8 holds for them, and buffers. */
async function heapMib(node: BenchNode): Promise<Readonly<Record<string, number>>> {
  const text = await metricsText(node);
  const names = ['heap_size_used', 'heap_size_total', 'external_memory'];
  const mib = (name: string) =>
    Math.round(Number(new RegExp(`^amphi_process_nodejs_${name}_bytes (\\S+)`, 'm').exec(text)?.[1]) / 2 ** 20);
  return Object.fromEntries(names.map((name) => [name, mib(name)]));
}

async function liveEntities(node: BenchNode): Promise<number> {
  const counts = await actorsByKind(node);
  return (counts.get('loadBalancer') ?? 0) + (counts.get('amphora') ?? 0);
}
