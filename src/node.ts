// The composition root: makes a node out of a configuration. With `composition/`, its parts, the only place that knows
// every layer.
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { alertFeed } from './actors/channels/alert-feed.ts';
import { StatusFeed } from './actors/channels/status-feed.ts';
import { ClusterActors } from './actors/cluster/actors.ts';
import { Ownership } from './actors/runtime/ownership.ts';
import { StatisticsWriter } from './actors/statistics/writer.ts';
import { Tree } from './actors/tree.ts';
import { apiMetrics } from './channels/api-metrics.ts';
import type { HeartbeatReceiver } from './channels/heartbeat/receiver.ts';
import { PeerLinks } from './channels/peer/links.ts';
import { Activity } from './composition/activity.ts';
import { clearingOfAlerts } from './composition/alerts.ts';
import { serveApi } from './composition/api.ts';
import { tlsPortOf } from './composition/certificates.ts';
import { controlTls, serveControl } from './composition/control.ts';
import { driftRepairOf } from './composition/drift.ts';
import { layFoundation } from './composition/foundation.ts';
import { heartbeatFigures, listeningAddresses, startHeartbeats } from './composition/heartbeats.ts';
import { returnUnusedMemory } from './composition/memory.ts';
import { meteringOf } from './composition/metering.ts';
import { peerHandlers } from './composition/peers.ts';
import { restoreCheck } from './composition/restore.ts';
import { purgeChore, startSnapshots } from './composition/retention.ts';
import { rotationOf } from './composition/rotation.ts';
import { Started } from './composition/started.ts';
import { sweepOf } from './composition/sweep.ts';
import { poolLimits, treeSettings, watchdogLimits } from './composition/tree-settings.ts';
import { removeRunFile, secretIn, writeRunFile } from './config/data-folder.ts';
import type { Config } from './config/schema.ts';
import { OwnershipSession } from './db/ownership.ts';
import { readHeld, writeHeld } from './db/repositories/held-failovers.ts';
import { heardBefore, writeOperatingStatuses } from './db/repositories/operating-statuses.ts';
import { writeStatistics } from './db/repositories/statistics.ts';
import { HeartbeatTable } from './domain/health/table.ts';
import type { AmphoraId, DeploymentId } from './domain/ids.ts';
import { familiesOf } from './domain/ownership.ts';
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
  const tls = controlTls(config.control.tls);
  const {
    nodeId: id,
    database,
    pool,
    journal,
    drivers,
    placement,
    credentials,
    ...base
  } = await layFoundation(config, log, started);
  const leaseMs = config.lease.duration * 1000;
  const registration = {
    id,
    roles: config.roles,
    families: familiesOf(config.roles),
    version,
    dataVersion,
    leaseMs,
    settings: base.fingerprints,
  };
  // Whoever has an embedded database is alone: nobody's session is waited for.
  const graceMs = config.database.url === undefined ? 0 : sessionGraceMs;
  const addresses: { peer: string | null; heartbeat: string | null } = { peer: null, heartbeat: null };
  const ownership: Ownership = new Ownership({
    nodeId: id,
    leaseMs,
    log,
    openSession: async () => {
      await database.revive();
      const { peer: address, heartbeat: heartbeatAddress } = addresses;
      return OwnershipSession.open(database.url, { ...registration, address, heartbeatAddress, graceMs });
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
  const controllers = () => config.heartbeat.controllers ?? ownership.view.heartbeatAddresses;
  const sweep = sweepOf(config.sweep, { compute: drivers.compute, pool, ownership, log });
  const others = {
    nodeId: id,
    peers,
    ids: () => ownership.view.nodes.map((node) => node.id).filter((node) => node !== id),
  };
  const alerts = alertFeed(others);
  const clearing = clearingOfAlerts(pool, config.alerts.settle, (change) => alerts.tell(change));
  const rotation = rotationOf(config.certificate, { pool, ownership: () => ownership, tree: () => tree, log });
  let receiver: HeartbeatReceiver | undefined;
  const watchdog = watchdogLimits(config);
  const tree: Tree = new Tree({
    log,
    journal,
    ownership,
    peers,
    ...treeSettings(config),
    drivers: {
      ...drivers,
      deploymentId: base.deploymentId,
      // Not the heartbeat key, which may be replaced while pairs serve.
      clusterSecret: base.clusterSecret,
      heartbeats: () => ({ controllers: controllers(), key: base.heartbeatKey, interval: config.heartbeat.interval }),
    },
    health: {
      limits: watchdog,
      held: { read: () => readHeld(pool), write: (put, drop) => writeHeld(pool, put, drop) },
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
      limits: poolLimits(config),
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
    const listening = await startHeartbeats(config, base.heartbeatKey, tree.heartbeats, watchdog.tickMs, log);
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
    token: secretIn(config.dataDir, 'control.token'),
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
    heartbeats: () => heartbeatFigures(receiver),
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
  writeRunFile(config.dataDir, {
    pid: process.pid,
    apiPort: ports.api,
    controlHost: config.control.host,
    controlPort: ports.control,
    controlCertificate: tls?.certificate ?? null,
    heartbeatPort: ports.heartbeat,
    databaseUrl: database.url,
  });
  started.add(() => removeRunFile(config.dataDir, process.pid));
  return { id, deploymentId: base.deploymentId, ports, databaseUrl: database.url, tree, stop: () => started.stop(log) };
}
