// The composition root: makes a node out of a configuration. The only file that knows every layer.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Logger } from 'pino';
import { Ownership } from './actors/runtime/ownership.ts';
import { Tree } from './actors/tree.ts';
import { type HeartbeatReceiver, startHeartbeatReceiver } from './channels/heartbeat/receiver.ts';
import {
  DataFolderError,
  isRunning,
  openDataFolder,
  readRunFile,
  rememberedPort,
  rememberPort,
  removeRunFile,
  secretIn,
  writeRunFile,
} from './config/data-folder.ts';
import type { Config } from './config/schema.ts';
import { startEmbeddedPostgres } from './db/embedded-postgres.ts';
import { Journal } from './db/journal.ts';
import { migrate } from './db/migrate.ts';
import { OwnershipSession } from './db/ownership.ts';
import { dueEntities } from './db/repositories/due.ts';
import { allAmphorae } from './db/repositories/fleet.ts';
import { writeOperatingStatuses } from './db/repositories/operating-statuses.ts';
import { purge } from './db/repositories/retention.ts';
import { HeartbeatTable } from './domain/health/table.ts';
import type { AmphoraId, DeploymentId } from './domain/ids.ts';
import type { AmphoraDriver } from './drivers/amphora/driver.ts';
import { noopAmphora } from './drivers/amphora/noop/driver.ts';
import { createRestAmphoraDriver } from './drivers/amphora/rest/rest.ts';
import type { CertificateDriver } from './drivers/certificate/driver.ts';
import { createLocalCertificateDriver } from './drivers/certificate/local/local.ts';
import type { ComputeDriver } from './drivers/compute/driver.ts';
import { localCompute } from './drivers/compute/local/driver.ts';
import { noopCompute } from './drivers/compute/noop/driver.ts';
import type { NetworkDriver } from './drivers/network/driver.ts';
import { localNetwork } from './drivers/network/local/driver.ts';
import { noopNetwork } from './drivers/network/noop/driver.ts';
import { WorldClient } from './drivers/noop-world/client.ts';
import { startNoopWorld } from './drivers/noop-world/start.ts';
import { serveControl } from './serve-control.ts';

export const version = '0.1.0';

export interface RunningNode {
  readonly id: string;
  readonly deploymentId: DeploymentId;
  readonly ports: { readonly api: number | null; readonly control: number; readonly heartbeat: number | null };
  readonly databaseUrl: string;
  readonly tree: Tree;
  readonly stop: () => Promise<void>;
}

export interface StartNode {
  readonly config: Config;
  readonly log: Logger;
}

/** Undoes what was started, last first; a start that fails half-way leaves nothing behind. */
class Started {
  readonly #undo: (() => Promise<unknown> | void)[] = [];

  add(undo: () => Promise<unknown> | void): void {
    this.#undo.push(undo);
  }

  async stop(log: Logger): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) {
      try {
        await undo();
      } catch (error) {
        log.warn({ err: error }, 'something did not stop cleanly');
      }
    }
  }
}

const purgeIntervalMs = 600_000;
const connectTimeoutMs = 2_000;

/**
 * Starts a node and resolves once everything serves. Stopping it leaves amphorae serving.
 *
 * @throws DataFolderError, EmbeddedPostgresError, or an Error with a sentence, when something stands in the way
 */
export async function startNode({ config, log }: StartNode): Promise<RunningNode> {
  const started = new Started();
  try {
    return await startParts(config, log, started);
  } catch (error) {
    await started.stop(log);
    throw error;
  }
}

async function startParts(config: Config, log: Logger, started: Started): Promise<RunningNode> {
  const { dataDir } = config;
  openDataFolder(dataDir);
  const other = readRunFile(dataDir);
  if (other !== undefined && other.pid !== process.pid && isRunning(other)) {
    throw new DataFolderError(
      `another amphi (pid ${other.pid}) runs with dataDir ${dataDir}: stop it with \`amphi down\``,
    );
  }
  const { url: databaseUrl, revive } = await openDatabase(config, log, started);
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: config.database.poolSize,
    application_name: 'amphitheatre',
  });
  // A connection that breaks while idle is replaced by the pool.
  pool.on('error', (error) => log.warn({ err: error }, 'an idle database connection broke'));
  started.add(() => pool.end());
  const deploymentId = await readDeploymentId(pool);
  const id = randomUUID();
  const leaseMs = config.lease.duration * 1000;
  const ownership: Ownership = new Ownership({
    nodeId: id,
    leaseMs,
    log,
    openSession: async () => {
      await revive();
      return OwnershipSession.open(databaseUrl, { id, roles: config.roles, version, address: null, leaseMs });
    },
    onGained: (shards) => void resumeDue(shards),
    onLost: () => tree.dropForeign(),
  });
  const table = new HeartbeatTable();
  const heartbeatKey = config.heartbeat.key ?? secretIn(dataDir, 'heartbeat.key');
  let receiver: HeartbeatReceiver | undefined;
  const drivers = await openDrivers(config, deploymentId, id, started);
  const journal = new Journal(pool);
  const tree: Tree = new Tree({
    log,
    journal,
    ownership,
    policy: {
      firstDelayMs: config.retry.firstDelay * 1000,
      longestDelayMs: config.retry.cap * 1000,
      budget: config.retry.attempts,
      errorDelayMs: config.retry.errorInterval * 1000,
    },
    timeouts: { callMs: config.steps.timeout * 1000, bootMs: config.steps.bootTimeout * 1000 },
    snapshotEvery: config.snapshots.every,
    mailboxLimit: config.actors.mailboxLimit,
    idleMs: config.actors.idleSeconds * 1000,
    drivers: {
      ...drivers,
      deploymentId,
      heartbeats: () => ({
        controllers: [`${config.heartbeat.host}:${receiver?.port ?? config.heartbeat.port}`],
        key: heartbeatKey,
        interval: config.heartbeat.interval,
      }),
    },
    health: {
      limits: {
        timeoutMs: config.heartbeat.timeout * 1000,
        tickMs: Math.max(50, Math.min(1_000, (config.heartbeat.timeout * 1000) / 12)),
        failoversPerMinute: 60,
        breakerShare: 0.5,
        breakerMinimum: 8,
      },
      table,
      writeStatuses: (changes) => writeOperatingStatuses(pool, changes),
    },
    fleet: new Map((await allAmphorae(pool)).map((row) => [row.id, { ...row, bootFailure: null }])),
    spares: {
      limits: { size: config.spares.size, maxBooting: config.spares.maxBooting },
      newId: () => randomUUID() as AmphoraId,
    },
  });
  started.add(() => tree.stop());
  receiver = await startHeartbeats(config, heartbeatKey, tree, log);
  const heartbeatPort = receiver.port;
  const closeReceiver = receiver;
  started.add(() => closeReceiver.close());
  started.add(() => ownership.stop());
  await ownership.start();
  tree.startSparesPool();
  tree.startWatchdog();
  tree.startHousekeeping(async () => {
    const purged = await purge(pool, {
      journalDays: config.journal.retentionDays,
      commandHours: config.commands.retentionHours,
    });
    return purged.entries + purged.commands + purged.entities;
  }, purgeIntervalMs);
  const control = await serveControl({
    host: config.control.host,
    port: config.control.port,
    token: secretIn(dataDir, 'control.token'),
    limits: config.command,
    tree,
    pool,
    journal,
    ownership,
    network: drivers.network,
    info: { name: 'amphitheatre', version, nodeId: id, driver: config.driver },
    heartbeats: () => outcomesOf(closeReceiver.counters),
    log,
  });
  started.add(() => control.close());
  const ports = { api: null, control: control.port, heartbeat: heartbeatPort };
  writeRunFile(dataDir, { pid: process.pid, apiPort: null, controlPort: ports.control, heartbeatPort, databaseUrl });
  started.add(() => removeRunFile(dataDir, process.pid));
  return { id, deploymentId, ports, databaseUrl, tree, stop: () => started.stop(log) };

  async function resumeDue(shards: readonly number[]): Promise<void> {
    try {
      for (const due of await dueEntities(pool, shards)) tree.resume(due);
    } catch (error) {
      log.error({ err: error }, 'entities with work left could not be listed');
    }
  }
}

interface Database {
  readonly url: string;
  /** Starts the embedded server again when it has died; nothing to do for a server that others run. */
  readonly revive: () => Promise<void>;
}

async function openDatabase(config: Config, log: Logger, started: Started): Promise<Database> {
  const given = config.database.url;
  const database = given === undefined ? await openEmbedded(config.dataDir, log, started) : { url: given, revive };
  await migrate(database.url);
  return database;

  async function revive(): Promise<void> {}
}

async function openEmbedded(dataDir: string, log: Logger, started: Started): Promise<Database> {
  const start = (port: number) => startEmbeddedPostgres({ dataDir, port, log: (line) => log.debug(line) });
  let server = await start(0);
  started.add(() => server.stop('fast'));
  const { url } = server;
  const revive = async () => {
    if (isAlive(server.pid)) return;
    log.warn({ pid: server.pid }, 'the embedded PostgreSQL has died: it is started again');
    server = await start(Number(new URL(url).port));
  };
  return { url, revive };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function readDeploymentId(pool: pg.Pool): Promise<DeploymentId> {
  const { rows } = await pool.query<{ id: DeploymentId }>('select id from deployment');
  const id = rows[0]?.id;
  if (id === undefined) throw new Error('the database has no deployment id: run `amphi db migrate`');
  return id;
}

interface Drivers {
  readonly compute: ComputeDriver;
  readonly network: NetworkDriver;
  readonly amphora: AmphoraDriver;
  readonly certificate: CertificateDriver;
}

async function openDrivers(
  config: Config,
  deploymentId: DeploymentId,
  node: string,
  started: Started,
): Promise<Drivers> {
  const certificate = await createLocalCertificateDriver({
    folder: join(config.dataDir, 'certificates'),
    keyType: config.certificate.keyType,
    serverCertificateDays: config.certificate.serverDays,
  });
  const drivers = config.driver === 'noop' ? await openNoop() : openLocal();
  started.add(() => Promise.all([drivers.compute.close(), drivers.network.close(), drivers.amphora.close()]));
  return { ...drivers, certificate };

  async function openNoop() {
    let address = config.noop.world;
    if (address === undefined) {
      const world = await startNoopWorld({ logFile: join(config.dataDir, 'noop-world.log') });
      started.add(() => world.stop());
      address = world.address;
    }
    const world = new WorldClient({ address, node });
    return { compute: noopCompute(world, deploymentId), network: noopNetwork(world), amphora: noopAmphora(world) };
  }

  function openLocal() {
    return {
      compute: localCompute({
        folder: join(config.dataDir, 'amphorae'),
        managementSubnet: config.local.managementSubnet,
        deploymentId,
        agentMain: fileURLToPath(new URL('./agent/main.js', import.meta.url)),
        haproxy: config.local.haproxy,
      }),
      network: localNetwork(config.local.subnet),
      amphora: createRestAmphoraDriver({
        credentials: certificate.controllerCredentials(),
        connectTimeoutMs,
        readTimeoutMs: config.steps.timeout * 1000,
      }),
    };
  }
}

function outcomesOf({ received: _, ...outcomes }: HeartbeatReceiver['counters']): Readonly<Record<string, number>> {
  return outcomes;
}

const heartbeatPortFile = 'heartbeat.port';

/** Amphorae know the port by their files: one that was free last time is taken again. */
async function startHeartbeats(config: Config, key: string, tree: Tree, log: Logger): Promise<HeartbeatReceiver> {
  const { host, port } = config.heartbeat;
  const remembered = port === 0 ? rememberedPort(config.dataDir, heartbeatPortFile) : undefined;
  const listen = (chosen: number) =>
    startHeartbeatReceiver({
      host,
      port: chosen,
      keys: [key],
      onMessage: (message) => tree.onHeartbeat(message),
      onSmallBuffer: (got, asked) =>
        log.warn(
          `heartbeats: the kernel gives ${got} bytes of receive buffer, not ${asked}: sysctl -w net.core.rmem_max=${asked}`,
        ),
    });
  const receiver = remembered === undefined ? await listen(port) : await listen(remembered).catch(() => listen(port));
  rememberPort(config.dataDir, heartbeatPortFile, receiver.port);
  return receiver;
}
