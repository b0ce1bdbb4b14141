// The data directory of the embedded PostgreSQL: made whole or not at all, and never made anew where one is known to have been.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedPostgresError, refusal } from './failure.ts';
import { asAccount, explained, type Place, runByRoot } from './place.ts';

const run = promisify(execFile);

/** Of the database and everything in it. */
export const owner = 'amphitheatre';

/** Makes the data directory, or checks the one that is there. */
export async function initialise(
  place: Place,
  dataDir: string,
  password: string,
  log: (message: string) => void,
): Promise<void> {
  if (existsSync(place.data)) {
    checkData(place);
    return;
  }
  refuseToForget(place, dataDir);
  log(`making a PostgreSQL ${place.majorVersion} database in ${place.folder}`);
  // Under another name until it is whole: an initdb that was cut off must not pass for a database.
  removeUnfinished(place);
  const mark = `${process.pid}.${randomBytes(4).toString('hex')}.unfinished`;
  const unfinished = `${place.data}.${mark}`;
  const passwordFile = join(place.folder, `password.${mark}`);
  try {
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (runByRoot()) chownSync(passwordFile, place.account.uid, place.account.gid);
    await runInitdb(place, unfinished, passwordFile);
    renameSync(unfinished, place.data);
    writeFileSync(madeMark(dataDir), `${place.data}\n`, { mode: 0o600 });
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(place.data)) throw error instanceof EmbeddedPostgresError ? error : explained(place.folder, error);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** In the dataDir: says that its database has been made, and where. */
export function madeMark(dataDir: string): string {
  return join(dataDir, 'postgresql.made');
}

/** A database that is gone must not be replaced by an empty one: everything would be taken for deleted. */
function refuseToForget(place: Place, dataDir: string): void {
  if (!existsSync(madeMark(dataDir))) return;
  throw new EmbeddedPostgresError(
    `the database of ${dataDir} was in ${place.data} and is gone: restore it, or start afresh with another dataDir`,
  );
}

/** What was left by starters that were killed. */
function removeUnfinished({ folder }: Place): void {
  for (const name of readdirSync(folder)) {
    const pid = /\.(\d+)\.[0-9a-f]+\.unfinished$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

async function runInitdb(place: Place, target: string, passwordFile: string): Promise<void> {
  const flags = [
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    `--username=${owner}`,
    `--pwfile=${passwordFile}`,
  ];
  try {
    await run(join(place.binaries, 'bin', 'initdb'), [...flags, `--pgdata=${target}`], {
      ...asAccount(place),
      encoding: 'utf8',
    });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw refusal(place, 'initdb', stderr || stdout || (error as Error).message);
  }
}

function checkData(place: Place): void {
  try {
    const version = readFileSync(join(place.data, 'PG_VERSION'), 'utf8').trim();
    if (version !== place.majorVersion) {
      throw new EmbeddedPostgresError(
        `${place.data} was made by PostgreSQL ${version}, this is ${place.majorVersion}: ` +
          'choose another dataDir, or move the data with pg_dump of the old version',
      );
    }
    const { uid } = statSync(place.data);
    if (uid !== place.account.uid) {
      throw new EmbeddedPostgresError(
        `${place.data} belongs to user ${uid}, PostgreSQL would run as user ${place.account.uid}: ` +
          'run as the user who made it or choose another dataDir',
      );
    }
  } catch (error) {
    throw error instanceof EmbeddedPostgresError ? error : explained(place.data, error);
  }
}
