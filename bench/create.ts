// What a load balancer costs: creates them over the command channel, noop drivers, embedded PostgreSQL with default
// durability, and counts the CPU of every process of the controller until all is quiet and the spares are topped up.
import { setTimeout as wait } from 'node:timers/promises';
import { Command } from 'commander';
import pg from 'pg';
import { type CommandClient, connectCommandChannel, subscribeStatus } from '../src/channels/command/client.ts';
import { type BenchController, startController } from './controller.ts';
import { cpuMsOf, quantile } from './processes.ts';
import { tree } from './tree.ts';

interface Options {
  readonly loadBalancers: number;
  readonly concurrency: number;
  readonly tree: boolean;
  readonly key: string;
}

const warmUp = 50;
/** PostgreSQL publishes its counters once a second. */
const statisticsDelayMs = 1_500;

interface Timing {
  readonly acceptedMs: number;
  readonly activeMs: number;
}

export function createCommand(): Command {
  return new Command('create')
    .description('CPU, appends and time of a create, noop drivers')
    .option('--load-balancers <n>', 'how many are counted', Number, 200)
    .option('--concurrency <n>', 'how many are created at the same time', Number, 50)
    .option('--tree', 'each with a listener, a pool, 3 members and a monitor', false)
    .option('--key <type>', 'keys of amphorae: p256 or rsa', 'p256')
    .action(async (options: Options) => {
      process.stdout.write(`${JSON.stringify(await measure(options))}\n`);
    });
}

async function measure(options: Options): Promise<Record<string, unknown>> {
  const spares = options.concurrency;
  const controller = await startController({
    AMPHI_DRIVER: 'noop',
    AMPHI_SPARES_SIZE: String(spares),
    AMPHI_SPARES_MAX_BOOTING: String(spares),
    AMPHI_CERTIFICATE_KEY_TYPE: options.key,
  });
  const database = new pg.Client({ connectionString: controller.run.databaseUrl });
  try {
    await database.connect();
    const url = `ws://127.0.0.1:${controller.run.controlPort}/command`;
    const client = await connectCommandChannel({ url, token: controller.token });
    try {
      return await measureOn(controller, client, database, options, spares);
    } finally {
      await client.close();
    }
  } finally {
    await database.end();
    await controller.stop();
  }
}

async function measureOn(
  controller: BenchController,
  client: CommandClient,
  database: pg.Client,
  options: Options,
  spares: number,
): Promise<Record<string, unknown>> {
  const active = new Set<string>();
  const waiting = new Map<string, () => void>();
  await subscribeStatus(client, ({ objectId, provisioningStatus }) => {
    if (provisioningStatus !== 'ACTIVE') return;
    active.add(objectId);
    waiting.get(objectId)?.();
  });
  const subnet = (await client.call('subnet.list', {})).items[0]?.id;
  if (subnet === undefined) throw new Error('the network driver has no subnet');
  const createOne = async (): Promise<Timing> => {
    const startedAt = performance.now();
    const params = { projectId: 'bench', vipSubnetId: subnet, name: 'bench', ...(options.tree ? tree : {}) };
    const { loadBalancer } = await client.call('loadBalancer.create', params);
    const acceptedMs = performance.now() - startedAt;
    if (loadBalancer === null) throw new Error('a load balancer has vanished');
    const { id } = loadBalancer;
    if (!active.has(id)) await new Promise<void>((resolve) => waiting.set(id, resolve));
    waiting.delete(id);
    return { acceptedMs, activeMs: performance.now() - startedAt };
  };
  await quiet(client, database, spares);
  await many(createOne, warmUp, options.concurrency);
  await quiet(client, database, spares);
  const roots = [controller.run.pid, await postmaster(database)];
  const before = await counters(database);
  const cpuBefore = cpuMsOf(roots);
  const startedAt = performance.now();
  const timings = await many(createOne, options.loadBalancers, options.concurrency);
  const seconds = (performance.now() - startedAt) / 1000;
  await quiet(client, database, spares);
  const cpu = cpuMsOf(roots) - cpuBefore;
  const after = await counters(database);
  const each = (value: number) => round(value / options.loadBalancers);
  const spread = (values: readonly number[]) => ({
    p50: round(quantile(values, 0.5)),
    p99: round(quantile(values, 0.99)),
  });
  return {
    load_balancers: options.loadBalancers,
    concurrency: options.concurrency,
    tree: options.tree,
    key: options.key,
    cpu_ms_per_lb: each(cpu),
    appends_per_lb: each(after.appends - before.appends),
    transactions_per_lb: each(after.transactions - before.transactions),
    accepted_ms: spread(timings.map((timing) => timing.acceptedMs)),
    active_ms: spread(timings.map((timing) => timing.activeMs)),
    lb_per_s: round(options.loadBalancers / seconds),
  };
}

async function many(createOne: () => Promise<Timing>, count: number, concurrency: number): Promise<Timing[]> {
  const timings: Timing[] = [];
  let begun = 0;
  const worker = async () => {
    while (begun++ < count) timings.push(await createOne());
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return timings;
}

/** No work, no timer, and as many spares as there shall be. */
async function quiet(client: CommandClient, database: pg.Client, spares: number): Promise<void> {
  for (;;) {
    const { ready, booting } = await client.call('spares.show', {});
    const { rowCount } = await database.query('select 1 from entities where has_work or wake_at is not null limit 1');
    if (ready === spares && booting === 0 && rowCount === 0) return;
    await wait(200);
  }
}

async function counters(database: pg.Client): Promise<{ readonly appends: number; readonly transactions: number }> {
  await wait(statisticsDelayMs);
  const { rows } = await database.query<{ appends: string; transactions: string }>(
    `select (select count(*) from journal) as appends, xact_commit as transactions
     from pg_stat_database where datname = current_database()`,
  );
  return { appends: Number(rows[0]?.appends), transactions: Number(rows[0]?.transactions) };
}

/** Process id of the server that the client is connected to. */
export async function postmaster(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ pid: string }>(
    `select (string_to_array(pg_read_file('postmaster.pid'), E'\\n'))[1] as pid`,
  );
  return Number(rows[0]?.pid);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
