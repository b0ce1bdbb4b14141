// One run from its start to its verdict: schedule, cluster, clients and disturbances, rest, judgement.
import { setTimeout as wait } from 'node:timers/promises';
import { type CommandClient, connectCommandChannel } from '../../src/channels/command/client.ts';
import { RpcError } from '../../src/channels/rpc/errors.ts';
import { Client, type CommandLog } from './client.ts';
import { Cluster } from './cluster.ts';
import { type Evidence, readDatabase } from './evidence.ts';
import { grouped } from './grouped.ts';
import { judge, type Verdict } from './judge/judge.ts';
import { orphans } from './judge/orphans.ts';
import { type FlavorName, flavors, type Offers } from './model.ts';
import { unfinished } from './judge/stuck.ts';
import { type Disturbance, type Schedule, scheduleOf } from './schedule.ts';

export interface RunOptions {
  readonly seed: number;
  readonly loadBalancers: number;
  readonly kills: number;
  readonly clients: number;
  readonly driver: 'noop' | 'local';
  readonly leaseMs: number;
  /** What each node runs, start by start; as many nodes as there are entries. */
  readonly installations: readonly (readonly string[])[];
  /** What makes the database; without it, the first node does. */
  readonly madeBy?: string;
  /** An empty one of its own, for data, logs and evidence; the caller removes it. */
  readonly folder: string;
  readonly log: (line: string) => void;
  /** Ends the run early: everything is stopped, and there is no result. */
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly verdict: Verdict;
  readonly evidence: Evidence;
}

/** After the schedule: time for answers, for work that is left, and for two looks of the sweep. */
const restTimeoutMs = 120_000;

/** @throws when the cluster does not come up, the database does not come back, or the run is ended early */
export async function runChaos(options: RunOptions): Promise<RunResult> {
  const schedule = scheduleOf({ ...options, nodes: options.installations.length });
  const { log } = options;
  log(`${schedule.scripts.reduce((sum, { operations }) => sum + operations.length, 0)} commands, ${shown(schedule)}`);
  const cluster = await Cluster.start(options);
  try {
    const logs = await Promise.race([play(schedule, cluster, options), aborted(options.signal)]);
    const evidence = await gather(schedule, cluster, logs);
    return { verdict: judge(evidence), evidence };
  } finally {
    await cluster.stop();
  }
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) =>
    signal?.addEventListener('abort', () => reject(new Error('the run was ended early'))),
  );
}

async function play(schedule: Schedule, cluster: Cluster, options: RunOptions): Promise<readonly CommandLog[]> {
  const offers = await offersOf(cluster);
  const giveUp = new AbortController();
  const nodes = cluster.nodes.map((node) => () => node.address());
  const clients = Array.from(
    { length: options.clients },
    (_, index) =>
      new Client({ nodes, firstNode: index % nodes.length, offers, giveUp: giveUp.signal, log: options.log }),
  );
  const startedAt = Date.now();
  const scripts = schedule.scripts.map(async (script) => clients[script.client]?.play(script, startedAt));
  const disturbances = schedule.disturbances.map((disturbance) => strike(disturbance, cluster, startedAt, options.log));
  const patience = setTimeout(() => giveUp.abort(), schedule.endsAtMs + restTimeoutMs);
  try {
    await Promise.all(disturbances);
    options.log('everything runs again');
    await Promise.all(scripts);
    options.log('everything is answered');
    await rest(cluster, options.log);
  } finally {
    giveUp.abort();
    clearTimeout(patience);
    await Promise.all(clients.map((client) => client.close()));
  }
  return clients.flatMap((client) => client.logs);
}

async function strike(
  disturbance: Disturbance,
  cluster: Cluster,
  startedAt: number,
  log: (line: string) => void,
): Promise<void> {
  await wait(startedAt + disturbance.atMs - Date.now());
  log(JSON.stringify(disturbance));
  await cluster.disturb(disturbance);
}

/** Waits until nothing is left to do; not for longer than its time, for then something is stuck. */
async function rest(cluster: Cluster, log: (line: string) => void): Promise<void> {
  const deadline = Date.now() + restTimeoutMs;
  let quietSince: number | undefined;
  while (Date.now() < deadline) {
    const database = await readDatabase((sql, values) => cluster.query(sql, values));
    const left = [
      ...unfinished(database, Date.now()),
      ...database.entities.filter(({ wakeAt }) => wakeAt !== null).map(({ kind, id }) => `${kind} ${id} will wake`),
      ...orphans({ ...database, world: await cluster.world.sight() }),
    ];
    if (left.length > 0) quietSince = undefined;
    else if (Date.now() - (quietSince ??= Date.now()) > quietMs) return;
    log(`${left.length} unsettled${left.length === 0 ? '' : `, such as: ${left[0]}`}`);
    await wait(1_000);
  }
}

/** A zombie's last act may come as late. */
const quietMs = 2_000;

async function gather(schedule: Schedule, cluster: Cluster, logs: readonly CommandLog[]): Promise<Evidence> {
  const database = await readDatabase((sql, values) => cluster.query(sql, values));
  return {
    ...database,
    scripts: schedule.scripts,
    logs,
    samples: cluster.samples,
    databaseReturns: cluster.databaseReturns,
    world: await cluster.world.sight(),
    calls: cluster.world.calls(),
    at: Date.now(),
  };
}

async function offersOf(cluster: Cluster): Promise<Offers> {
  const address = cluster.nodes[0]?.address();
  if (address === undefined) throw new Error('the first node does not run');
  const connection = await connectCommandChannel(address);
  const { items } = await connection.call('subnet.list', {});
  const flavorIds = { pair: await makeFlavor(connection, 'pair'), shared: await makeFlavor(connection, 'shared') };
  await connection.close();
  if (items[0] === undefined) throw new Error('the network driver has no subnet');
  return { vipSubnetId: items[0].id, flavorIds };
}

/** Of the same id in every round; null where the nodes are of a version that does not know what it says. */
async function makeFlavor(connection: CommandClient, name: FlavorName): Promise<string | null> {
  try {
    const flavorData = JSON.stringify(flavors[name]);
    const profile = { name, providerName: 'amphora', flavorData, commandId: `chaos-profile-${name}` } as const;
    const { flavorProfile } = await connection.call('flavorProfile.create', profile);
    const flavor = { name, flavorProfileId: flavorProfile?.id ?? '', commandId: `chaos-flavor-${name}` };
    return (await connection.call('flavor.create', flavor)).flavor?.id ?? null;
  } catch (error) {
    if (error instanceof RpcError && error.code === 'invalid') return null;
    throw error;
  }
}

function shown({ disturbances, endsAtMs }: Schedule): string {
  const kinds = [...grouped(disturbances, ({ kind }) => kind)].map(([kind, all]) => `${all.length} ${kind}`);
  return `${endsAtMs / 1_000} s: ${kinds.join(', ')}`;
}
