// The cluster under test: one PostgreSQL, one world, and nodes on both; and what is done to them.
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '../../src/db/embedded-postgres.ts';
import { ChaosNode } from './node.ts';
import type { Disturbance } from './schedule.ts';
import { type ChaosWorld, localWorld, noopWorld } from './world.ts';

export interface ClusterOptions {
  /** An empty one of its own. */
  readonly folder: string;
  /** What each node runs, start by start: folders with `bin/amphi` and `dist/`. */
  readonly installations: readonly (readonly string[])[];
  /** What makes the database before any of them starts; without it, the first node does. */
  readonly madeBy?: string | undefined;
  readonly driver: 'noop' | 'local';
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

export class Cluster {
  readonly nodes: readonly ChaosNode[];
  readonly samples: Sample[] = [];
  /** When PostgreSQL took connections again, in order. */
  readonly databaseReturns: number[] = [];
  readonly #options: ClusterOptions;
  readonly #databaseUrl: string;
  readonly world: ChaosWorld;
  #postmaster: number;
  #restart: Promise<void> = Promise.resolve();

  private constructor(
    options: ClusterOptions,
    parts: { databaseUrl: string; postmaster: number; world: ChaosWorld; nodes: readonly ChaosNode[] },
  ) {
    this.#options = options;
    this.#databaseUrl = parts.databaseUrl;
    this.#postmaster = parts.postmaster;
    this.world = parts.world;
    this.nodes = parts.nodes;
  }

  /** Resolves when all nodes serve. @throws when one does not */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const { folder, installations } = options;
    const database = await startEmbeddedPostgres({ dataDir: join(folder, 'database'), log: options.log });
    const world = options.driver === 'noop' ? await noopWorld(folder, options.seed) : localWorld(folder);
    const settings = (installation: string) => settingsOf(options, installation, world);
    const prepare = (number: number, turns: readonly string[]) => {
      const own = { folder: join(folder, `node-${number}`), databaseUrl: database.url, settings };
      return ChaosNode.prepare({ ...own, number, installations: turns });
    };
    const nodes = await Promise.all(installations.map((turns, number) => prepare(number, turns)));
    const cluster = new Cluster(options, { databaseUrl: database.url, postmaster: database.pid, world, nodes });
    try {
      if (options.madeBy !== undefined) await cluster.#make(await prepare(0, [options.madeBy]));
      await cluster.#startNodes();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async #make(maker: ChaosNode): Promise<void> {
    await maker.start();
    await maker.stop();
    this.#shareSecrets();
  }

  /** The first makes the secrets that all have. */
  async #startNodes(): Promise<void> {
    const [first, ...others] = this.nodes;
    await first?.start();
    this.#shareSecrets();
    await Promise.all(others.map((node) => node.start()));
  }

  /** Older versions keep them in each node's data folder, where nothing of the kind must be found that differs. */
  #shareSecrets(): void {
    const { folder } = this.#options;
    const places = [secretsFolder(folder), ...this.nodes.map((_, number) => join(folder, `node-${number}`))];
    for (const name of ['heartbeat.key', 'certificates']) {
      const source = places.map((place) => join(place, name)).find((path) => existsSync(path));
      for (const place of source === undefined ? [] : places) {
        mkdirSync(place, { recursive: true, mode: 0o700 });
        if (!existsSync(join(place, name))) cpSync(source ?? '', join(place, name), { recursive: true });
      }
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

  async stop(): Promise<void> {
    await this.#restart.catch(() => undefined);
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.world.stop();
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

function settingsOf({ folder, leaseMs }: ClusterOptions, installation: string, world: ChaosWorld) {
  const schema = readFileSync(join(installation, 'dist/config/schema.js'), 'utf8');
  return {
    ...world.settings,
    AMPHI_API_PORT: '0',
    AMPHI_CONTROL_PORT: '0',
    AMPHI_HEARTBEAT_PORT: '0',
    AMPHI_HEARTBEAT_KEY: 'a-key-that-all-nodes-have',
    AMPHI_LEASE_DURATION: String(leaseMs / 1_000),
    AMPHI_STEPS_TIMEOUT: String(Math.min(6, (leaseMs / 1_000) * 0.6)),
    AMPHI_SPARES_SIZE: '2',
    AMPHI_SWEEP_GRACE: '5',
    AMPHI_SWEEP_INTERVAL: '3',
    AMPHI_LOG_LEVEL: 'debug',
    ...(schema.includes('secretsDir') ? { AMPHI_SECRETS_DIR: secretsFolder(folder) } : {}),
  };
}

function secretsFolder(folder: string): string {
  return join(folder, 'secrets');
}
