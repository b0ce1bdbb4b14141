// The composition root: makes a node out of a configuration. With `composition/`, its parts, the only place that knows
// every layer.
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { apiMetrics } from './channels/api-metrics.ts';
import { ClusterActors } from './actors/cluster/actors.ts';
import { alertFeed } from './actors/channels/alert-feed.ts';
import { StatusFeed } from './actors/channels/status-feed.ts';
import { Sweep } from './actors/housekeeping/sweep.ts';
import { StatisticsWriter } from './actors/statistics/writer.ts';
import { Ownership } from './actors/runtime/ownership.ts';
import { Tree } from './actors/tree.ts';
import { kernelDrops } from './channels/heartbeat/kernel-drops.ts';
import type { HeartbeatReceiver } from './channels/heartbeat/receiver.ts';
import { PeerLinks } from './channels/peer/links.ts';
import { Activity } from './composition/activity.ts';
import { serveApi } from './composition/api.ts';
import { tlsPortOf } from './composition/certificates.ts';
import { controlTls, serveControl } from './composition/control.ts';
import { driftRepairOf } from './composition/drift.ts';
import { openDatabase, readDeploymentId, refuseOtherDriver } from './composition/database.ts';
import { offersOf, openDrivers } from './composition/drivers.ts';
import { fingerprints } from './composition/alike.ts';
import { outcomesOf, startHeartbeats } from './composition/heartbeats.ts';
import { meteringOf } from './composition/metering.ts';
import { returnUnusedMemory } from './composition/memory.ts';
import { certificatesFolder, peerCredentials, peerHandlers, readSharedSecrets } from './composition/peers.ts';
import { restoreCheck } from './composition/restore.ts';
import { clearingOfAlerts } from './composition/alerts.ts';
import { purgeChore, startSnapshots } from './composition/retention.ts';
import { rotationOf } from './composition/rotation.ts';
import { Started } from './composition/started.ts';
import {
  DataFolderError,
  isRunning,
  openDataFolder,
  openSecretsFolder,
  readRunFile,
  removeRunFile,
  secretIn,
  writeRunFile,
} from './config/data-folder.ts';
import type { Config } from './config/schema.ts';
import { Journal } from './db/journal.ts';
import { DatabaseMark } from './db/mark.ts';
import { openPool } from './db/pool.ts';
import { OwnershipSession } from './db/ownership.ts';
import { writeStatistics } from './db/repositories/statistics.ts';
import { knownAmphorae } from './db/repositories/fleet.ts';
import { readHeld, writeHeld } from './db/repositories/held-failovers.ts';
import { heardBefore, writeOperatingStatuses } from './db/repositories/operating-statuses.ts';
import { plainKind } from './domain/amphora/kind.ts';
import { anyMaintenance } from './domain/cluster/orders.ts';
import type { Listening } from './domain/health/reporting.ts';
import { HeartbeatTable } from './domain/health/table.ts';
import { sweepShares } from './domain/housekeeping/sweep.ts';
import type { AmphoraId, DeploymentId } from './domain/ids.ts';
import { type ClusterView, familiesOf } from './domain/ownership.ts';
import { dataVersion } from './domain/upcast.ts';

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

/** How long the sessions of other nodes are waited for after all were lost: they come back within half a second. */
const sessionGraceMs = 1_000;
/** How long a node that is stopped tries to write its last statistics. */
const lastStatisticsMs = 5_000;

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
  const tls = controlTls(config.control.tls);
  openDataFolder(dataDir);
  const other = readRunFile(dataDir);
  if (other !== undefined && other.pid !== process.pid && isRunning(other)) {
    throw new DataFolderError(
      `another amphi (pid ${other.pid}) runs with dataDir ${dataDir}: stop it with \`amphi down\``,
    );
  }
  const { url: databaseUrl, revive } = await openDatabase(config, log, started);
  const pool = openPool({
    url: databaseUrl,
    size: config.database.poolSize,
    onIdleError: (error) => log.warn({ err: error }, 'an idle database connection broke'),
  });
  started.add(() => pool.end());
  const deploymentId = await readDeploymentId(pool);
  const mark = new DatabaseMark({ pool, dataDir, onWentBack: (reason) => log.error(reason) });
  await mark.refresh();
  mark.start();
  started.add(() => mark.stop());
  const id = randomUUID();
  const leaseMs = config.lease.duration * 1000;
  const secretsDir = config.secretsDir ?? dataDir;
  openSecretsFolder(secretsDir);
  const heartbeatKey = config.heartbeat.key ?? secretIn(secretsDir, 'heartbeat.key');
  const drivers = await openDrivers(config, deploymentId, id, started);
  const credentials = await peerCredentials(certificatesFolder(secretsDir));
  const shared = readSharedSecrets(certificatesFolder(secretsDir), heartbeatKey);
  const settings = fingerprints(config, shared);
  await refuseOtherDriver(pool, config.driver, settings['driver']);
  const registration = {
    id,
    roles: config.roles,
    families: familiesOf(config.roles),
    version,
    dataVersion,
    leaseMs,
    settings,
  };
  // Whoever has an embedded database is alone: nobody's session is waited for.
  const graceMs = config.database.url === undefined ? 0 : sessionGraceMs;
  const addresses: { peer: string | null; heartbeat: string | null } = { peer: null, heartbeat: null };
  const ownership: Ownership = new Ownership({
    nodeId: id,
    leaseMs,
    log,
    openSession: async () => {
      await revive();
      const { peer: address, heartbeat: heartbeatAddress } = addresses;
      return OwnershipSession.open(databaseUrl, { ...registration, address, heartbeatAddress, graceMs });
    },
    onGained: (shards) => activity.gained(shards),
    onLost: () => activity.lost(),
    handOver: (shards) => tree.handOver(shards),
    onView: (view) => {
      peers.update(view.nodes);
      tree.onView(view);
    },
  });
  const peers = new PeerLinks({ nodeId: id, credentials, onLost: () => ownership.lookSoon(), log });
  const table = new HeartbeatTable();
  const apiRegistry = new Registry();
  const usage = meteringOf(config.statistics.metering, pool, log);
  const statistics = new StatisticsWriter({
    intervalMs: config.statistics.interval * 1000,
    write: (batch, rows) => writeStatistics(pool, id, batch, rows),
    meter: (usages) => usage.driver.record(usages, Date.now()),
    log,
  });
  started.add(() => statistics.stop(lastStatisticsMs));
  const journal = new Journal(
    pool,
    (trouble) => {
      if (trouble === undefined) log.info('the database takes writes again');
      else log.error({ trouble }, 'the database takes no writes: commands wait, nothing is lost');
    },
    config.quota,
  );
  const { topology, antiAffinity } = config.loadBalancers;
  if (antiAffinity !== 'off' && !drivers.compute.offers.includes('antiAffinity')) {
    throw new Error(
      `loadBalancers.antiAffinity: expected off, given ${antiAffinity}: the driver ${config.driver} knows no hosts`,
    );
  }
  const placement = { topology, offers: offersOf(drivers) };
  const controllers = () => config.heartbeat.controllers ?? ownership.view.heartbeatAddresses;
  const sweep = new Sweep({
    compute: drivers.compute,
    known: (ids) => knownAmphorae(pool, ids),
    limits: { ...sweepShares, graceMs: config.sweep.grace * 1000 },
    everyMs: config.sweep.interval * 1000,
    // An instance that nobody knows is of no zone that we know.
    isHeld: () => anyMaintenance(ownership.view.orders) !== undefined,
    now: Date.now,
    log,
  });
  const others = {
    nodeId: id,
    peers,
    ids: () => ownership.view.nodes.map((node) => node.id).filter((node) => node !== id),
  };
  const alerts = alertFeed(others);
  const clearing = clearingOfAlerts(pool, config.alerts.settle, (change) => alerts.tell(change));
  const rotation = rotationOf(config.certificate, { pool, ownership: () => ownership, tree: () => tree, log });
  let receiver: HeartbeatReceiver | undefined;
  const tickMs = Math.max(50, Math.min(1_000, (config.heartbeat.timeout * 1000) / 12));
  const tree: Tree = new Tree({
    log,
    journal,
    ownership,
    peers,
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
      // Not the heartbeat key, which may be replaced while pairs serve.
      clusterSecret: shared.clusterKey,
      heartbeats: () => ({ controllers: controllers(), key: heartbeatKey, interval: config.heartbeat.interval }),
    },
    health: {
      limits: {
        timeoutMs: config.heartbeat.timeout * 1000,
        tickMs,
        intervalMs: config.heartbeat.interval * 1000,
        failoversPerMinute: config.failover.perMinute,
        breakers: {
          fleet: { share: config.failover.fleetShare, minimum: config.failover.fleetMinimum },
          zone: { share: config.failover.zoneShare, minimum: config.failover.zoneMinimum },
          host: { share: config.failover.hostShare, minimum: config.failover.hostMinimum },
        },
      },
      held: {
        read: () => readHeld(pool),
        write: (put, drop) => writeHeld(pool, put, drop),
      },
      table,
      controllers,
      listening: () => listeningAddresses(config, ownership.view, (node) => tree.failovers.heardSince(node)),
      writeStatuses: async (changes, heard) => {
        for (const change of await writeOperatingStatuses(pool, changes, heard)) alerts.tell(change);
      },
      heardBefore: (ids) => heardBefore(pool, ids),
      statistics,
      lagMs: () => receiver?.lagMs() ?? 0,
    },
    spares: {
      limits: {
        size: config.spares.size,
        maxBooting: config.spares.maxBooting,
        kind: { ...plainKind, topology: config.loadBalancers.topology },
        antiAffinity: config.loadBalancers.antiAffinity,
      },
      newId: () => randomUUID() as AmphoraId,
    },
    housekeeping: {
      chores: [purgeChore(pool, config, log), sweep.chore(), clearing.chore, rotation.chore],
      sweep: (isDryRun) => sweep.run(isDryRun),
    },
  });
  started.add(() => tree.stop());
  started.add(returnUnusedMemory(log));
  started.add(startSnapshots(pool, config, tree, id, log));
  const drift = driftRepairOf(config.drift, { nodeId: id, pool, ownership, tree, amphora: drivers.amphora, log });
  started.add(() => drift.stop());
  started.add(() => peers.close());
  const activity: Activity = new Activity({ tree, pool, ownership: () => ownership, log });
  if (config.roles.includes('health')) {
    const listening = await startHeartbeats(config, heartbeatKey, tree.heartbeats, tickMs, log);
    started.add(() => listening.close());
    addresses.heartbeat = `${config.heartbeat.host}:${listening.port}`;
    receiver = listening;
  }
  const feed = new StatusFeed(tree, others);
  const info = { name: 'amphitheatre', version, nodeId: id, driver: config.driver } as const;
  const actors = new ClusterActors({ registry: tree.registry, ownership, peers, durable: tree });
  const tlsPort = tlsPortOf(config, drivers.certificateManager);
  const control = await serveControl({
    quotas: config.quota,
    host: config.control.host,
    port: config.control.port,
    token: secretIn(dataDir, 'control.token'),
    tls,
    limits: config.command,
    tree,
    pool,
    journal,
    ownership,
    network: drivers.network,
    placement,
    tlsPort,
    info,
    actors,
    feed,
    alerts,
    peer: { credentials, handlers: peerHandlers(tree, actors, { feed, alerts }, log) },
    heartbeats: () => ({
      outcomes: outcomesOf(receiver?.counters),
      lagMs: receiver?.lagMs() ?? 0,
      bufferBytes: receiver?.bufferBytes ?? 0,
      kernelDrops: receiver && kernelDrops(receiver.port),
    }),
    statistics,
    openAlerts: clearing.open,
    certificatesEnd: rotation.earliestEnd,
    drift: drift.counts,
    table,
    moreMetrics: [usage.registry, apiRegistry],
    restoreCheck: restoreCheck(pool, drivers.compute),
    log,
  });
  addresses.peer = `${config.cluster.host ?? config.control.host}:${control.port}`;
  started.add(() => control.close());
  started.add(() => feed.stop());
  started.add(() => alerts.stop());
  started.add(() => activity.stop());
  started.add(() => ownership.stop());
  started.add(() => ownership.drain(config.cluster.drainTimeout * 1000));
  await activity.learnFleet();
  await ownership.start();
  await activity.started();
  if (config.drift.interval > 0) drift.start();
  const api = config.roles.includes('api')
    ? await serveApi({
        settings: config.api,
        quotas: config.quota,
        tree,
        pool,
        network: drivers.network,
        placement,
        tls: tlsPort,
        feed,
        alerts,
        info,
        onAnswered: apiMetrics(apiRegistry),
        log,
      })
    : undefined;
  if (api !== undefined) started.add(() => api.close());
  const ports = { api: api?.port ?? null, control: control.port, heartbeat: receiver?.port ?? null };
  writeRunFile(dataDir, {
    pid: process.pid,
    apiPort: ports.api,
    controlHost: config.control.host,
    controlPort: ports.control,
    controlCertificate: tls?.certificate ?? null,
    heartbeatPort: ports.heartbeat,
    databaseUrl,
  });
  started.add(() => removeRunFile(dataDir, process.pid));
  return { id, deploymentId, ports, databaseUrl, tree, stop: () => started.stop(log) };
}

/** A node that hangs, or is cut off from this one, keeps what it hears to itself. Behind fixed addresses somebody always listens. */
function listeningAddresses(
  { heartbeat }: Config,
  { nodes }: ClusterView,
  heardSince: (node: string) => number | undefined,
): Listening {
  if (heartbeat.controllers !== undefined) return new Map(heartbeat.controllers.map((address) => [address, -Infinity]));
  const listening = new Map<string, number>();
  for (const { id, heartbeatAddress } of nodes) {
    const since = heardSince(id);
    if (heartbeatAddress !== null && since !== undefined) listening.set(heartbeatAddress, since);
  }
  return listening;
}
