// The database of a node: one that others run, or the embedded one.
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { startEmbeddedPostgres } from '../db/embedded-postgres.ts';
import { migrate } from '../db/migrate.ts';
import { refuseTransactionPooler } from '../db/pooler.ts';
import type { DeploymentId } from '../domain/ids.ts';
import type { Started } from './started.ts';

export interface Database {
  readonly url: string;
  /** Starts the embedded server again when it has died; nothing to do for a server that others run. */
  readonly revive: () => Promise<void>;
}

export async function openDatabase(config: Config, log: Logger, started: Started): Promise<Database> {
  const given = config.database.url;
  const database = given === undefined ? await openEmbedded(config.dataDir, log, started) : { url: given, revive };
  const prepare = () => refuseTransactionPooler(database.url).then(() => migrate(database.url));
  await prepare().catch((error: unknown) => {
    const { host, pathname } = new URL(database.url);
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`database.url: database ${pathname.slice(1)} on ${host} cannot be used: ${reason}`, {
      cause: error,
    });
  });
  return database;

  async function revive(): Promise<void> {}
}

async function openEmbedded(dataDir: string, log: Logger, started: Started): Promise<Database> {
  const start = (port: number) => startEmbeddedPostgres({ dataDir, port, log: (line) => log.debug(line) });
  let server = await start(0);
  started.add(() => server.stop('fast'));
  const { url } = server;
  let lastFailure = '';
  const revive = async () => {
    if (isAlive(server.pid)) return;
    if (lastFailure === '')
      log.warn({ postgresPid: server.pid }, 'the embedded PostgreSQL has died: it is started again');
    try {
      server = await start(Number(new URL(url).port));
      lastFailure = '';
    } catch (error) {
      // It is tried again and again: what is said once is enough.
      const { message } = error as Error;
      if (message !== lastFailure) log.error({ err: error }, 'the embedded PostgreSQL does not start');
      lastFailure = message;
      throw error;
    }
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

/**
 * Amphorae of one driver mean nothing to another one: it would take all of them for lost, and replace them.
 *
 * @throws Error when the node before had another driver and there are amphorae
 */
export async function refuseOtherDriver(pool: pg.Pool, driver: string, fingerprint: string | undefined): Promise<void> {
  const { rows } = await pool.query<{ before: string | null }>(
    `select (select settings -> 'alike' ->> 'driver' from nodes order by started_at desc limit 1) as before
     where exists (select 1 from amphorae)`,
  );
  const before = rows[0]?.before ?? null;
  if (before === null || before === fingerprint) return;
  throw new Error(
    `driver is ${driver}, and the amphorae of this database were made with another one: start it with that driver, or delete its load balancers first`,
  );
}

export async function readDeploymentId(pool: pg.Pool): Promise<DeploymentId> {
  const { rows } = await pool.query<{ id: DeploymentId }>('select id from deployment');
  const id = rows[0]?.id;
  if (id === undefined) throw new Error('the database has no deployment id: run `amphi db migrate`');
  return id;
}
