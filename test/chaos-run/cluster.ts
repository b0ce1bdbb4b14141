// The cluster under test: one PostgreSQL, one noop world with latency, and nodes on both; and what is done to them.
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '../../src/db/embedded-postgres.ts';
import { WorldClient } from '../../src/drivers/noop-world/client.ts';
import type { CallRecord, WorldState } from '../../src/drivers/noop-world/protocol.ts';
import { type StartedWorld, startNoopWorld } from '../../src/drivers/noop-world/start.ts';
import { ChaosNode } from './node.ts';
import type { Disturbance } from './schedule.ts';

export interface ClusterOptions {
  /** An empty one of its own. */
  readonly folder: string;
  /** What each node runs: folders with `bin/amphi` and `dist/`. */
  readonly installations: readonly string[];
  readonly leaseMs: number;
  readonly seed: number;
  readonly log: (line: string) => void;
}

/** An entity that had work left when its owner was disturbed. */
export interface Work {
  readonly kind: string;
  readonly id: string;
  readonly epoch: number;
}

/** What was found in the database just after a disturbance. */
export interface Sample {
  readonly disturbance: Disturbance;
  /** When it struck, or the database came back; milliseconds since the epoch. */
  readonly at: number;
  readonly work: readonly Work[];
}

/** Latency of every call of the world: long enough for a kill to find calls under way. */
export const latency = { from: 20, to: 400 };
const bootMs = 700;

export class Cluster {
  readonly nodes: readonly ChaosNode[];
  readonly samples: Sample[] = [];
  /** When PostgreSQL took connections again, in order. */
  readonly databaseReturns: number[] = [];
  readonly #options: ClusterOptions;
  readonly #databaseUrl: string;
  readonly #world: StartedWorld;
  readonly #worldClient: WorldClient;
  #postmaster: number;
  #restart: Promise<void> = Promise.resolve();

  private constructor(
    options: ClusterOptions,
    parts: { databaseUrl: string; postmaster: number; world: StartedWorld; nodes: readonly ChaosNode[] },
  ) {
    this.#options = options;
    this.#databaseUrl = parts.databaseUrl;
    this.#postmaster = parts.postmaster;
    this.#world = parts.world;
    this.#worldClient = new WorldClient({ address: parts.world.address, node: 'judge' });
    this.nodes = parts.nodes;
  }

  /** Resolves when all nodes serve. @throws when one does not */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const { folder, installations } = options;
    const database = await startEmbeddedPostgres({ dataDir: join(folder, 'database'), log: options.log });
    const main = join(installations[0] ?? '', 'dist/drivers/noop-world/main.js');
    const world = await startNoopWorld({ main, logFile: worldLog(folder) });
    const nodes = await Promise.all(
      installations.map((installation, number) =>
        ChaosNode.prepare({
          number,
          installation,
          folder: join(folder, `node-${number}`),
          databaseUrl: database.url,
          settings: settingsOf(options, installation, world),
        }),
      ),
    );
    const cluster = new Cluster(options, { databaseUrl: database.url, postmaster: database.pid, world, nodes });
    try {
      await cluster.#worldClient.control('seed', { seed: options.seed });
      await cluster.#worldClient.control('bootTime', { ms: bootMs });
      await cluster.#worldClient.control('behave', { call: '*', latency });
      await cluster.#startNodes();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** The first makes the secrets that all have. */
  async #startNodes(): Promise<void> {
    const [first, ...others] = this.nodes;
    await first?.start();
    for (const [index] of others.entries()) this.#shareSecrets(index + 1);
    await Promise.all(others.map((node) => node.start()));
  }

  #shareSecrets(node: number): void {
    for (const name of ['heartbeat.key', 'certificates']) {
      const source = join(this.#options.folder, 'node-0', name);
      const target = join(this.#options.folder, `node-${node}`);
      mkdirSync(target, { recursive: true, mode: 0o700 });
      if (existsSync(source)) cpSync(source, join(target, name), { recursive: true });
    }
  }

  /** Does it, and undoes it when its time has passed. Resolves when everything runs again. */
  async disturb(disturbance: Disturbance): Promise<void> {
    if (disturbance.kind === 'restartDatabase') {
      this.#restart = this.#restart.then(() => this.#restartDatabase(disturbance));
      return this.#restart;
    }
    const node = this.nodes[disturbance.node];
    if (node === undefined) throw new Error(`there is no node ${disturbance.node}`);
    const owner = await node.up();
    const at = Date.now();
    switch (disturbance.kind) {
      case 'kill':
        await node.kill();
        await this.#sample(disturbance, at, owner);
        await wait(disturbance.lastsMs);
        return node.start();
      case 'freeze':
        node.freeze();
        await this.#sample(disturbance, at, owner);
        await wait(disturbance.lastsMs);
        return node.goOn();
      case 'cut':
        node.cut();
        return this.#sample(disturbance, at, owner);
      case 'partition':
        node.partition();
        await this.#sample(disturbance, at, owner);
        await wait(disturbance.lastsMs);
        return node.heal();
    }
  }

  /** On a connection of its own, round the nodes' wires. */
  async query<Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const client = new pg.Client({ connectionString: this.#databaseUrl });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(sql, [...values])).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  worldState(): Promise<WorldState> {
    return this.#worldClient.control('state', {});
  }

  /** Every call that took effect or failed in the world so far. */
  worldCalls(): readonly CallRecord[] {
    const lines = readFileSync(worldLog(this.#options.folder), 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as CallRecord);
  }

  async stop(): Promise<void> {
    await this.#restart.catch(() => undefined);
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.#worldClient.close();
    await this.#world.stop();
    await removeEmbeddedPostgres(join(this.#options.folder, 'database'));
  }

  async #restartDatabase(disturbance: Extract<Disturbance, { kind: 'restartDatabase' }>): Promise<void> {
    const ended = () => !existsSync(`/proc/${this.#postmaster}`);
    process.kill(this.#postmaster, disturbance.crash ? 'SIGQUIT' : 'SIGINT');
    while (!ended()) await wait(20);
    await wait(disturbance.lastsMs);
    const dataDir = join(this.#options.folder, 'database');
    const port = Number(new URL(this.#databaseUrl).port);
    const { pid } = await startEmbeddedPostgres({ dataDir, port, log: this.#options.log });
    this.#postmaster = pid;
    const at = Date.now();
    this.databaseReturns.push(at);
    this.samples.push({ disturbance, at, work: [] });
  }

  /** What the victim left unfinished. While the database is away, as soon as it is back. */
  async #sample(disturbance: Disturbance, at: number, owner: string): Promise<void> {
    for (;;) {
      try {
        const rows = await this.query<{ kind: string; id: string; epoch: string }>(
          `select e.kind, e.id, s.epoch from entities e
           join shards s on s.family = 'entities' and s.shard = e.shard
           where e.has_work and s.owner = $1`,
          [owner],
        );
        this.samples.push({ disturbance, at, work: rows.map((row) => ({ ...row, epoch: Number(row.epoch) })) });
        return this.#options.log(`… left ${rows.length} entities with work`);
      } catch {
        await wait(50);
      }
    }
  }
}

function settingsOf({ folder, leaseMs }: ClusterOptions, installation: string, world: StartedWorld) {
  const schema = readFileSync(join(installation, 'dist/config/schema.js'), 'utf8');
  return {
    AMPHI_DRIVER: 'noop',
    AMPHI_NOOP_WORLD: world.address,
    AMPHI_API_PORT: '0',
    AMPHI_CONTROL_PORT: '0',
    AMPHI_HEARTBEAT_PORT: '0',
    // Amphorae know one node's port only: nobody's silence shall mean anything.
    AMPHI_HEARTBEAT_TIMEOUT: '3600',
    AMPHI_HEARTBEAT_KEY: 'a-key-that-all-nodes-have',
    AMPHI_LEASE_DURATION: String(leaseMs / 1_000),
    AMPHI_STEPS_TIMEOUT: String(Math.min(6, (leaseMs / 1_000) * 0.6)),
    AMPHI_SPARES_SIZE: '2',
    AMPHI_SWEEP_GRACE: '5',
    AMPHI_SWEEP_INTERVAL: '3',
    AMPHI_LOG_LEVEL: 'debug',
    ...(schema.includes('secretsDir') ? { AMPHI_SECRETS_DIR: join(folder, 'secrets') } : {}),
  };
}

function worldLog(folder: string): string {
  return join(folder, 'world.log');
}
