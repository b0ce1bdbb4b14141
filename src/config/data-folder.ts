// The data folder of a node: whose it is, which format it has, and the secrets that are made in it once.
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A data folder that cannot be used; the message is a sentence for whoever started the program. */
export class DataFolderError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'DataFolderError';
  }
}

/** Of the folder's layout. A folder of a later format is refused. */
const format = 1;

/** What scripts read to find a running node; there while it serves. */
export interface RunFile {
  readonly pid: number;
  readonly apiPort: number | null;
  /** Where the control port listens, as its settings say; an older node wrote none. */
  readonly controlHost?: string;
  readonly controlPort: number;
  /** The certificate that the control port shows, PEM; null when it speaks clear text. */
  readonly controlCertificate: string | null;
  readonly heartbeatPort: number | null;
  readonly databaseUrl: string;
}

/**
 * Makes the folder with mode 0700, or checks the one that is there.
 *
 * @throws DataFolderError when it belongs to another user or a later version, or can't be written
 */
export function openDataFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid } = statSync(folder);
    const own = process.getuid?.();
    if (own !== undefined && uid !== own) {
      throw new DataFolderError(
        `dataDir ${folder} belongs to user ${uid}, this program runs as user ${own}: run it as that user, or choose another dataDir`,
      );
    }
    const path = join(folder, 'format');
    const found = readIfThere(path);
    if (found === undefined) writeSecret(path, `${format}\n`);
    else if (Number(found) !== format) {
      throw new DataFolderError(
        `dataDir ${folder} has format ${found.trim()}, this version of amphi knows format ${format}: use the version that made it, or choose another dataDir`,
      );
    }
  } catch (error) {
    if (error instanceof DataFolderError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'EEXIST' || code === 'ENOTDIR' ? 'there is a file where the folder should be' : message;
    throw new DataFolderError(`dataDir ${folder} can't be used: ${reason}`, error);
  }
}

/** Makes the folder that nodes share with mode 0700, where it is not there. @throws DataFolderError */
export function openSecretsFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new DataFolderError(`secretsDir ${folder} can't be used: ${(error as Error).message}`, error);
  }
}

/** The secret in a file of the folder, made with mode 0600 when it is not there. Safe when two processes do it at once. */
export function secretIn(folder: string, name: string): string {
  const path = join(folder, name);
  const found = readIfThere(path)?.trim();
  if (found !== undefined && found !== '') return found;
  const draft = `${path}.${process.pid}`;
  writeSecret(draft, `${randomBytes(32).toString('base64url')}\n`);
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(path, 'utf8').trim();
}

const runFileName = 'run.json';

export function writeRunFile(folder: string, run: RunFile): void {
  const path = join(folder, runFileName);
  writeSecret(`${path}.new`, `${JSON.stringify(run)}\n`);
  renameSync(`${path}.new`, path);
}

/** Undefined when no node wrote one, or it was removed at its end. */
export function readRunFile(folder: string): RunFile | undefined {
  const text = readIfThere(join(folder, runFileName));
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as RunFile;
  } catch {
    return undefined;
  }
}

/** Removes the run file, unless another process has written it since. */
export function removeRunFile(folder: string, pid: number): void {
  if (readRunFile(folder)?.pid === pid) rmSync(join(folder, runFileName), { force: true });
}

/** Whether the node that wrote the run file still lives: its pid is a node process that was given to this program. */
export function isRunning(run: RunFile): boolean {
  try {
    return /amphi|cli\/main\.js|main\.js/.test(readFileSync(`/proc/${run.pid}/cmdline`, 'utf8'));
  } catch {
    return false;
  }
}

/** A number kept from one run to the next; undefined at the first. */
export function rememberedPort(folder: string, name: string): number | undefined {
  const port = Number(readIfThere(join(folder, name)));
  return Number.isInteger(port) && port > 0 ? port : undefined;
}

export function rememberPort(folder: string, name: string, port: number): void {
  writeSecret(join(folder, name), `${port}\n`);
}

function writeSecret(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
