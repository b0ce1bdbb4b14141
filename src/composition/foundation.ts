// What a node stands on before it has actors: its folder, its database, its secrets and its drivers.
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { PeerCredentials } from '../channels/peer/links.ts';
import {
  DataFolderError,
  isRunning,
  openDataFolder,
  openSecretsFolder,
  readRunFile,
  secretIn,
} from '../config/data-folder.ts';
import type { Config } from '../config/schema.ts';
import { Journal } from '../db/journal.ts';
import { DatabaseMark } from '../db/mark.ts';
import { openPool } from '../db/pool.ts';
import type { Offers } from '../domain/catalogue.ts';
import type { DeploymentId } from '../domain/ids.ts';
import type { Topology } from '../domain/statuses.ts';
import { fingerprints } from './alike.ts';
import { type Database, openDatabase, readDeploymentId, refuseOtherDriver } from './database.ts';
import { type Drivers, offersOf, openDrivers } from './drivers.ts';
import { certificatesFolder, peerCredentials, readSharedSecrets } from './peers.ts';
import type { Started } from './started.ts';

export interface Foundation {
  /** Of this process; another start is another node. */
  readonly nodeId: string;
  readonly deploymentId: DeploymentId;
  readonly database: Database;
  readonly pool: pg.Pool;
  readonly journal: Journal;
  readonly drivers: Drivers;
  readonly placement: { readonly topology: Topology; readonly offers: Offers };
  readonly heartbeatKey: string;
  /** The same for all nodes of a cluster, and known to no amphora. */
  readonly clusterSecret: string;
  /** By which the nodes of a cluster know each other. */
  readonly credentials: PeerCredentials;
  /** Of the settings that all nodes must have alike. */
  readonly fingerprints: Readonly<Record<string, string>>;
}

/** @throws DataFolderError, EmbeddedPostgresError, or an Error with a sentence, when something stands in the way */
export async function layFoundation(config: Config, log: Logger, started: Started): Promise<Foundation> {
  const { dataDir } = config;
  takeDataFolder(dataDir);
  const database = await openDatabase(config, log, started);
  const pool = openPool({
    url: database.url,
    size: config.database.poolSize,
    onIdleError: (error) => log.warn({ err: error }, 'an idle database connection broke'),
  });
  started.add(() => pool.end());
  const deploymentId = await readDeploymentId(pool);
  const mark = new DatabaseMark({ pool, dataDir, onWentBack: (reason) => log.error(reason) });
  await mark.refresh();
  mark.start();
  started.add(() => mark.stop());
  const nodeId = randomUUID();
  const secretsDir = config.secretsDir ?? dataDir;
  openSecretsFolder(secretsDir);
  const heartbeatKey = config.heartbeat.key ?? secretIn(secretsDir, 'heartbeat.key');
  const drivers = await openDrivers(config, deploymentId, nodeId, started);
  const credentials = await peerCredentials(certificatesFolder(secretsDir));
  const shared = readSharedSecrets(certificatesFolder(secretsDir), heartbeatKey);
  const alike = fingerprints(config, shared);
  await refuseOtherDriver(pool, config.driver, alike['driver']);
  return {
    nodeId,
    deploymentId,
    database,
    pool,
    journal: openJournal(config, pool, log),
    drivers,
    placement: placementOf(config, drivers),
    heartbeatKey,
    clusterSecret: shared.clusterKey,
    credentials,
    fingerprints: alike,
  };
}

/** @throws DataFolderError when another process has it */
function takeDataFolder(dataDir: string): void {
  openDataFolder(dataDir);
  const other = readRunFile(dataDir);
  if (other === undefined || other.pid === process.pid || !isRunning(other)) return;
  throw new DataFolderError(
    `another amphi (pid ${other.pid}) runs with dataDir ${dataDir}: stop it with \`amphi down\``,
  );
}

function openJournal({ quota }: Config, pool: pg.Pool, log: Logger): Journal {
  return new Journal(
    pool,
    (trouble) => {
      if (trouble === undefined) log.info('the database takes writes again');
      else log.error({ trouble }, 'the database takes no writes: commands wait, nothing is lost');
    },
    quota,
  );
}

function placementOf({ loadBalancers, driver }: Config, drivers: Drivers): Foundation['placement'] {
  const { topology, antiAffinity } = loadBalancers;
  if (antiAffinity !== 'off' && !drivers.compute.offers.includes('antiAffinity')) {
    throw new Error(
      `loadBalancers.antiAffinity: expected off, given ${antiAffinity}: the driver ${driver} knows no hosts`,
    );
  }
  return { topology, offers: offersOf(drivers) };
}
