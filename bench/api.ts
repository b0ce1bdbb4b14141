// What requests to the REST API cost: with many load balancers in the database, noop drivers, embedded PostgreSQL with
// default durability. Requests go over real sockets, one after the other unless said otherwise.
import { Command } from 'commander';
import pg from 'pg';
import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { type BenchController, startController } from './controller.ts';
import { postmaster } from './create.ts';
import { cpuMsOf, quantile } from './processes.ts';

interface Options {
  readonly loadBalancers: number;
  readonly members: number;
  readonly rounds: number;
  readonly clients: number;
  readonly seconds: number;
}

export function apiCommand(): Command {
  return new Command('api')
    .description('time and CPU of requests to the REST API')
    .option('--load-balancers <n>', 'how many are in the database', Number, 1_000)
    .option('--members <n>', 'members that each of them has', Number, 10)
    .option('--rounds <n>', 'how often each request is made', Number, 100)
    .option('--clients <n>', 'clients at the same time, for requests per second', Number, 50)
    .option('--seconds <n>', 'how long requests per second are counted', Number, 10)
    .action(async (options: Options) => {
      process.stdout.write(`${JSON.stringify(await measure(options))}\n`);
    });
}

async function measure(options: Options): Promise<Record<string, unknown>> {
  const controller = await startController({
    AMPHI_DRIVER: 'noop',
    AMPHI_SPARES_SIZE: '50',
    AMPHI_SPARES_MAX_BOOTING: '50',
    AMPHI_API_REQUESTS_PER_SECOND: '0',
  });
  const database = new pg.Client({ connectionString: controller.run.databaseUrl });
  const api = new Api(controller.run.apiPort ?? 0);
  try {
    await database.connect();
    return await measureOn(controller, api, database, options);
  } finally {
    api.close();
    await database.end();
    await controller.stop();
  }
}

async function measureOn(
  controller: BenchController,
  api: Api,
  database: pg.Client,
  options: Options,
): Promise<Record<string, unknown>> {
  const { rounds } = options;
  const roots = [controller.run.pid, await postmaster(database)];
  const { subnets } = await api.send<{ subnets: { id: string }[] }>('GET', '/v2.0/subnets');
  const subnet = subnets[0]?.id;
  if (subnet === undefined) throw new Error('the network driver has no subnet');
  const create = async (members: number) => {
    const body = { loadbalancer: tree(subnet, members) };
    const { loadbalancer } = await api.send<{ loadbalancer: Created }>('POST', loadBalancers, body);
    return loadbalancer;
  };
  const made = await many(() => create(options.members), options.loadBalancers, 20);
  await quiet(database);
  const some = made[0] as Created;
  const big = await create(200);
  await quiet(database);
  const pool = `/v2/lbaas/pools/${big.pools[0]?.id}/members`;
  let weight = 0;
  const batch = () => {
    weight = (weight % 200) + 1;
    return api.send('PUT', pool, { members: members(200).map((member) => ({ ...member, weight })) });
  };
  const timed = async (action: () => Promise<unknown>, times = rounds) => {
    for (let round = 0; round < 5; round++) await action();
    const before = cpuMsOf(roots);
    const values: number[] = [];
    for (let round = 0; round < times; round++) {
      const startedAt = performance.now();
      await action();
      values.push(performance.now() - startedAt);
    }
    const cpu = (cpuMsOf(roots) - before) / times;
    return { p50_ms: round2(quantile(values, 0.5)), p99_ms: round2(quantile(values, 0.99)), cpu_ms: round2(cpu) };
  };
  const get = (path: string) => () => api.send('GET', path);
  return {
    load_balancers: options.loadBalancers,
    members_each: options.members,
    rounds,
    show: await timed(get(`${loadBalancers}/${some.id}`)),
    list_100: await timed(get(`${loadBalancers}?limit=100`)),
    list_1000: await timed(get(`${loadBalancers}?limit=1000`), Math.ceil(rounds / 5)),
    list_by_name: await timed(get(`${loadBalancers}?name=none`)),
    show_pool_200_members: await timed(get(`/v2/lbaas/pools/${big.pools[0]?.id}`)),
    list_200_members: await timed(get(pool)),
    status_tree_200_members: await timed(get(`${loadBalancers}/${big.id}/status`)),
    create: await timed(() => create(0)),
    batch_200_members: await timed(batch, Math.ceil(rounds / 5)),
    create_tree_200_members: await timed(() => create(200), Math.ceil(rounds / 5)),
    shows_per_s: await perSecond(get(`${loadBalancers}/${some.id}`), options, roots),
  };
}

const loadBalancers = '/v2/lbaas/loadbalancers';

interface Created {
  readonly id: string;
  readonly pools: readonly { readonly id: string }[];
}

function members(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    address: `10.1.${index >> 8}.${index & 255}`,
    protocol_port: 8080,
  }));
}

function tree(subnet: string, count: number) {
  const own = { name: 'bench', vip_subnet_id: subnet };
  if (count === 0) return own;
  const pool = { name: 'web', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members: members(count) };
  const listener = { name: 'web', protocol: 'HTTP', protocol_port: 80, default_pool: { name: 'web' } };
  return { ...own, listeners: [listener], pools: [pool] };
}

async function perSecond(action: () => Promise<unknown>, { clients, seconds }: Options, roots: readonly number[]) {
  const before = cpuMsOf(roots);
  const startedAt = performance.now();
  const until = startedAt + seconds * 1000;
  let count = 0;
  const client = async () => {
    for (; performance.now() < until; count++) await action();
  };
  await Promise.all(Array.from({ length: clients }, client));
  const tookMs = performance.now() - startedAt;
  const cpu = cpuMsOf(roots) - before;
  return { clients, per_s: Math.round((count * 1000) / tookMs), cpu_ms: round2(cpu / count) };
}

async function many<T>(action: () => Promise<T>, count: number, concurrency: number): Promise<readonly T[]> {
  const results: T[] = [];
  let begun = 0;
  const worker = async () => {
    while (begun++ < count) results.push(await action());
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return results;
}

/** No work is left. */
async function quiet(database: pg.Client): Promise<void> {
  for (;;) {
    const { rowCount } = await database.query('select 1 from entities where has_work limit 1');
    if (rowCount === 0) return;
    await wait(200);
  }
}

/** One connection per request under way, kept between requests. */
class Api {
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 100 });

  constructor(port: number) {
    this.#port = port;
  }

  /** @throws Error for any answer that is not a success */
  send<T>(method: string, path: string, body?: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const options = { host: '127.0.0.1', port: this.#port, method, path, headers, agent: this.#agent };
      const request = httpRequest(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => {
          const { statusCode = 0 } = response;
          if (statusCode >= 300) reject(new Error(`${method} ${path}: ${statusCode} ${text}`));
          else resolve((text === '' ? undefined : JSON.parse(text)) as T);
        });
      });
      request.on('error', reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
