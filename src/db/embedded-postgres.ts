// A real PostgreSQL without an installation: the default database of `amphi up` and of the tests. The server runs in a
// session of its own, so it outlives the process that started it; the next one adopts it.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { EmbeddedPostgresError, refusal } from './embedded-postgres/failure.ts';
import { initialise, madeMark, owner } from './embedded-postgres/initialise.ts';
import {
  asAccount,
  existingFolder,
  layoutOf,
  type Place,
  passwordIn,
  preparePlace,
} from './embedded-postgres/place.ts';
import {
  findPostmaster,
  type Postmaster,
  removeStalePidFile,
  stopPostmaster,
  untilReady,
} from './embedded-postgres/postmaster.ts';

export { EmbeddedPostgresError } from './embedded-postgres/failure.ts';

const database = 'amphitheatre';
/** Crash recovery after a power cut may take a while. */
const readyTimeoutMs = 120_000;
const maxLogBytes = 10 * 1024 * 1024;
/** A unix socket's path may have 107 bytes; PostgreSQL appends `/.s.PGSQL.65535`. */
const maxSocketFolderBytes = 107 - '/.s.PGSQL.65535.lock'.length;

/** For a small machine; durability as PostgreSQL ships it. */
const serverSettings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  shared_buffers: '64MB',
  max_connections: '60',
  // Refused claims are part of normal work: clients hear of them, the log need not grow with them.
  log_min_messages: 'log',
  log_checkpoints: 'off',
};

export interface StartEmbeddedPostgres {
  /** Made when missing. */
  readonly dataDir: string;
  /** 0, the default, takes a free port. Passed over when the server already runs. */
  readonly port?: number;
  readonly log: (message: string) => void;
  /** PostgreSQL's own settings, over the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  /** Holds the password. */
  readonly url: string;
  readonly pid: number;
  /** Whether the server was already running. */
  readonly adopted: boolean;
  /** Ends the server: sessions are closed, everything is written. */
  stop(mode: 'fast'): Promise<void>;
}

/**
 * Starts the PostgreSQL of this `dataDir`, or adopts it when it runs; makes the database at the first start. The server
 * does not end with this process.
 * @throws EmbeddedPostgresError, with a sentence that says what to do, when it cannot run here.
 */
export async function startEmbeddedPostgres(options: StartEmbeddedPostgres): Promise<EmbeddedPostgres> {
  const place = await preparePlace(options.dataDir);
  const password = passwordIn(options.dataDir);
  const running = await adopt(place);
  if (running === undefined) await initialise(place, options.dataDir, password, options.log);
  const postmaster = running ?? (await start(place, options));
  const url = urlOf(postmaster.port, password);
  await createDatabase(url, options.dataDir);
  options.log(
    `PostgreSQL ${running === undefined ? 'started' : 'adopted'}: process ${postmaster.pid}, port ${postmaster.port}`,
  );
  return { url, pid: postmaster.pid, adopted: running !== undefined, stop: () => stopPostmaster(place.data) };
}

/** Whether the PostgreSQL of this `dataDir` runs. */
export function isEmbeddedPostgresRunning(dataDir: string): boolean {
  const folder = existingFolder(dataDir);
  return folder !== undefined && findPostmaster(layoutOf(folder).data) !== undefined;
}

/** Stops the PostgreSQL of this `dataDir`. Says whether one was running. */
export async function stopEmbeddedPostgres(dataDir: string): Promise<boolean> {
  const wasRunning = isEmbeddedPostgresRunning(dataDir);
  const folder = existingFolder(dataDir);
  if (folder !== undefined) await stopPostmaster(layoutOf(folder).data);
  return wasRunning;
}

/** Stops it and deletes its data for good. */
export async function removeEmbeddedPostgres(dataDir: string): Promise<void> {
  await stopEmbeddedPostgres(dataDir);
  const folder = existingFolder(dataDir);
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  rmSync(madeMark(dataDir), { force: true });
}

/** The running server, once it takes connections. One that is stopping is waited out. */
async function adopt(place: Place): Promise<Postmaster | undefined> {
  if (findPostmaster(place.data) === undefined) return undefined;
  return untilReady(place.data, () => findPostmaster(place.data) === undefined, readyTimeoutMs);
}

async function start(place: Place, { port = 0, settings = {} }: StartEmbeddedPostgres): Promise<Postmaster> {
  removeStalePidFile(place.data);
  // A free port may be taken by somebody else before PostgreSQL binds it: then another is tried.
  for (let attempt = 1; ; attempt++) {
    const chosen = await reservePort(port);
    const output = logOffset(place);
    const child = launch(place, { ...serverSettings, ...settings, port: String(chosen) });
    const postmaster = await untilReady(
      place.data,
      () => child.exitCode !== null || child.signalCode !== null,
      readyTimeoutMs,
    );
    if (postmaster !== undefined) return postmaster;
    const said = readFileSync(place.logFile, 'utf8').slice(output);
    // Another process may have started the server between our look and our start.
    const other = await adopt(place);
    if (other !== undefined) return other;
    if (port !== 0 || attempt === 3 || !said.includes('Address already in use')) throw refusal(place, 'postgres', said);
  }
}

function launch(place: Place, settings: Readonly<Record<string, string>>): ChildProcess {
  const sockets = Buffer.byteLength(place.sockets) <= maxSocketFolderBytes ? place.sockets : '';
  const all = { ...settings, unix_socket_directories: sockets, unix_socket_permissions: '0700' };
  const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const output = openSync(place.logFile, 'a', 0o600);
  try {
    const child = spawn(join(place.binaries, 'bin', 'postgres'), ['-D', place.data, ...flags], {
      ...asAccount(place),
      detached: true,
      stdio: ['ignore', output, output],
    });
    child.on('error', () => undefined);
    child.unref();
    return child;
  } finally {
    closeSync(output);
  }
}

/** Starts the log anew when it has grown large; gives the length from which new lines count. */
function logOffset({ logFile }: Place): number {
  if (!existsSync(logFile)) return 0;
  if (statSync(logFile).size < maxLogBytes) return readFileSync(logFile, 'utf8').length;
  renameSync(logFile, `${logFile}.1`);
  return 0;
}

/** The port asked for if it is free, any free one for 0. */
async function reservePort(port: number): Promise<number> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(port, '127.0.0.1', resolve));
    const address = probe.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  } catch (error) {
    throw new EmbeddedPostgresError(
      `port ${port} of 127.0.0.1, which PostgreSQL shall listen on, cannot be used: ${(error as NodeJS.ErrnoException).code}`,
      error,
    );
  } finally {
    await new Promise((resolve) => probe.close(resolve));
  }
}

function urlOf(port: number, password: string): string {
  return `postgresql://${owner}:${password}@127.0.0.1:${port}/${database}`;
}

async function createDatabase(url: string, dataDir: string): Promise<void> {
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  const client = new pg.Client({ connectionString: maintenance.href });
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [database]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${database}`);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === duplicateDatabase || code === uniqueViolation) return;
    if (code === invalidPassword) {
      throw new EmbeddedPostgresError(
        `the password in ${join(dataDir, 'postgresql.password')} is not that of its database`,
        error,
      );
    }
    throw new EmbeddedPostgresError(`the embedded PostgreSQL does not answer: ${message}`, error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const duplicateDatabase = '42P04';
/** Two starters make it at the same time: one sees this instead of the code above. */
const uniqueViolation = '23505';
const invalidPassword = '28P01';
