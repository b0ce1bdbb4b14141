// What failovers cost in time, and whether their pace is kept: two nodes, a noop world, a fleet of load balancers with one amphora
// each; of it 1, then 50, then 500 are killed at once. When a breaker opens, the step is counted from its release.
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type pg from 'pg';
import { connectCommandChannel } from '../src/channels/command/client.ts';
import type { InspectMethods } from '../src/channels/inspect/methods.ts';
import { RpcClient } from '../src/channels/rpc/client.ts';
import { WorldClient } from '../src/drivers/noop-world/client.ts';
import { startNoopWorld } from '../src/drivers/noop-world/start.ts';
import { type BenchNode, startNode } from './node.ts';
import { quantile } from './processes.ts';
import { atWorkbench, say } from './workbench.ts';

interface Options {
  readonly amphorae: number;
  readonly lost: string;
  readonly perMinute: number;
  readonly share: number;
}

const intervalMs = 1_000;
const timeoutMs = 5_000;
const concurrency = 20;

export function failoverCommand(): Command {
  return new Command('failover')
    .description('time from the time-out of lost amphorae to their replacement, and the pace of failovers')
    .option('--amphorae <n>', 'a load balancer each', Number, 1_000)
    .option('--lost <list>', 'how many are killed at once, step by step', '1,50,500')
    .option('--per-minute <n>', 'failover.perMinute', Number, 300)
    .option('--share <n>', 'failover.fleetShare', Number, 0.4)
    .action(async (options: Options) => {
      process.stdout.write(`${JSON.stringify(await measure(options))}\n`);
    });
}

const worldMain = fileURLToPath(new URL('../../drivers/noop-world/main.js', import.meta.url));

interface Bench {
  readonly options: Options;
  readonly node: BenchNode;
  readonly inspect: RpcClient<InspectMethods>;
  readonly world: WorldClient;
  readonly database: pg.Client;
}

function measure(options: Options): Promise<Record<string, unknown>> {
  return atWorkbench(async ({ url, database, folder, onEnd }) => {
    const started = await startNoopWorld({ main: worldMain });
    onEnd(() => started.stop());
    const world = new WorldClient({ address: started.address, node: 'bench' });
    onEnd(() => world.close());
    const settings = settingsOf(options, url, started.address, folder('secrets'));
    const start = async (name: string): Promise<BenchNode> => {
      const node = await startNode(['run', '--roles', 'worker,health,housekeeping'], folder(name), settings);
      onEnd(() => node.end('SIGTERM'));
      return node;
    };
    const node = await start('first');
    await start('second');
    const channel = `ws://127.0.0.1:${node.run.controlPort}/inspect`;
    const inspect = await RpcClient.connect<InspectMethods>({ url: channel, token: node.token });
    onEnd(() => inspect.close());
    return run({ options, node, inspect, world, database });
  });
}

function settingsOf({ perMinute, share }: Options, database: string, world: string, secretsDir: string) {
  return {
    AMPHI_DATABASE_URL: database,
    AMPHI_DRIVER: 'noop',
    AMPHI_NOOP_WORLD: world,
    AMPHI_SECRETS_DIR: secretsDir,
    AMPHI_HEARTBEAT_INTERVAL: String(intervalMs / 1_000),
    AMPHI_HEARTBEAT_TIMEOUT: String(timeoutMs / 1_000),
    AMPHI_SPARES_SIZE: String(concurrency),
    AMPHI_SPARES_MAX_BOOTING: String(concurrency),
    AMPHI_FAILOVER_PER_MINUTE: String(perMinute),
    AMPHI_FAILOVER_FLEET_SHARE: String(share),
  };
}

async function run(bench: Bench): Promise<Record<string, unknown>> {
  await createAll(bench);
  say(`${bench.options.amphorae} load balancers are ACTIVE, and report to both nodes`);
  const steps: Record<string, unknown>[] = [];
  for (const lost of bench.options.lost.split(',').map(Number)) steps.push(await lose(bench, lost));
  const begun = await failoversOf(bench.database, new Date(0));
  const { rows } = await bench.database.query<{ count: number }>(`select count(*)::int as count from amphorae
     where status = 'ALLOCATED' and load_balancer_id is not null`);
  return {
    amphorae: bench.options.amphorae,
    per_minute: bench.options.perMinute,
    most_in_any_minute: mostInAnyMinute(begun.map(({ leftAt }) => leftAt)),
    serving_at_the_end: rows[0]?.count,
    steps,
  };
}

async function createAll({ options, node, database }: Bench): Promise<void> {
  const url = `ws://127.0.0.1:${node.run.controlPort}/command`;
  const client = await connectCommandChannel({ url, token: node.token });
  const vipSubnetId = (await client.call('subnet.list', {})).items[0]?.id ?? '';
  let begun = 0;
  const create = async () => {
    while (begun++ < options.amphorae) await client.call('loadBalancer.create', { projectId: 'bench', vipSubnetId });
  };
  await Promise.all(Array.from({ length: concurrency }, create));
  await until(database, options.amphorae, `status = 'ALLOCATED' and jsonb_array_length(controllers) = 2`);
  await client.close();
}

async function until(database: pg.Client, count: number, condition: string): Promise<void> {
  for (;;) {
    const { rows } = await database.query<{ count: number }>(
      `select count(*)::int as count from amphorae where load_balancer_id is not null and ${condition}`,
    );
    if (rows[0]?.count === count) return;
    await wait(250);
  }
}

async function lose({ options, inspect, world, database }: Bench, lost: number): Promise<Record<string, unknown>> {
  const { rows } = await database.query<{ id: string }>(
    `select id from amphorae where status = 'ALLOCATED' and load_balancer_id is not null order by md5(id::text) limit $1`,
    [lost],
  );
  const ids = rows.map(({ id }) => id);
  say(`${lost} are killed`);
  const killedAt = new Date();
  await Promise.all(ids.map((amphoraId) => world.control('kill', { amphoraId })));
  let heldS: number | undefined;
  // A breaker that is to open has opened when the first time-out is over.
  for (;;) {
    const { counts } = await inspect.call('failovers.list', {});
    if (counts['breaker'] === lost) break;
    if (Date.now() - killedAt.getTime() > timeoutMs + 3 * intervalMs) break;
    await wait(100);
  }
  const isOpen = ((await inspect.call('failovers.list', {})).counts['breaker'] ?? 0) > 0;
  const begunBefore = (await failoversOf(database, killedAt)).length;
  if (isOpen) {
    await wait(timeoutMs);
    const { counts } = await inspect.call('failovers.list', {});
    say(`a breaker holds ${counts['breaker']} of them; they are released`);
    heldS = (Date.now() - killedAt.getTime()) / 1_000;
    await inspect.call('failovers.release', { scope: 'fleet', reason: 'bench', by: 'bench' });
  }
  const releasedAt = isOpen ? Date.now() : 0;
  const failovers = await untilReplaced(database, ids, killedAt, options.amphorae);
  const delays = failovers.map(({ timedOutAt, replacedAt }) => replacedAt - Math.max(timedOutAt, releasedAt));
  const round = (value: number) => Math.round(value);
  return {
    lost,
    breaker_opened: isOpen,
    begun_while_open: isOpen ? begunBefore : undefined,
    held_s: heldS === undefined ? undefined : round(heldS),
    replaced_ms_p50: round(quantile(delays, 0.5)),
    replaced_ms_p99: round(quantile(delays, 0.99)),
    replaced_ms_max: round(Math.max(...delays)),
  };
}

interface Failover {
  readonly amphoraId: string;
  readonly timedOutAt: number;
  readonly leftAt: number;
  /** Infinite until then. */
  readonly replacedAt: number;
}

async function untilReplaced(
  database: pg.Client,
  ids: readonly string[],
  since: Date,
  fleet: number,
): Promise<readonly Failover[]> {
  for (;;) {
    const found = await failoversOf(database, since);
    const known = new Set(found.filter(({ replacedAt }) => Number.isFinite(replacedAt)).map((one) => one.amphoraId));
    if (ids.every((id) => known.has(id))) {
      await until(database, fleet, `status = 'ALLOCATED'`);
      if (found.length !== ids.length) throw new Error(`${found.length} were failed over, ${ids.length} were killed`);
      return found;
    }
    await wait(500);
  }
}

/** As the journal has them: lost when its load balancer says so, replaced when that one's next push was accepted. */
async function failoversOf(database: pg.Client, since: Date): Promise<readonly Failover[]> {
  const { rows } = await database.query<{
    amphora_id: string;
    reason: string;
    left_at: Date;
    replaced_at: Date | null;
  }>(
    `select e ->> 'amphoraId' as amphora_id, e ->> 'reason' as reason, j.at as left_at,
       (select min(p.at) from journal p, jsonb_array_elements(p.events) pe
        where p.kind = 'loadBalancer' and p.entity_id = j.entity_id and p.seq > j.seq
          and pe ->> 'type' = 'pushAccepted') as replaced_at
     from journal j, jsonb_array_elements(j.events) e
     where j.kind = 'loadBalancer' and j.at >= $1 and e ->> 'type' = 'amphoraLeaving' and e ->> 'why' = 'lost'`,
    [since],
  );
  return rows.map((row) => {
    const silentMs = Number(/(\d+\.\d+) s$/.exec(row.reason)?.[1]) * 1_000;
    return {
      amphoraId: row.amphora_id,
      timedOutAt: row.left_at.getTime() - silentMs + timeoutMs,
      leftAt: row.left_at.getTime(),
      replacedAt: row.replaced_at?.getTime() ?? Number.POSITIVE_INFINITY,
    };
  });
}

function mostInAnyMinute(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  let most = 0;
  for (let first = 0, last = 0; last < sorted.length; last++) {
    while ((sorted[last] ?? 0) - (sorted[first] ?? 0) >= 60_000) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
