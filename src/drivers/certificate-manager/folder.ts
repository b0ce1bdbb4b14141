// The folder behind `file:` references as operators handle it: what is in it, and how something is put there whole.
import { X509Certificate } from 'node:crypto';
import { chmod, chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SecretKind } from '../../domain/load-balancer/tls.ts';
import { projectFolder, secretName } from './file.ts';
import { kindOf, servable, UnfitSecretError } from './pem.ts';

/** A name that cannot be one of a file here; the message is a sentence. */
export class SecretNameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SecretNameError';
  }
}

export interface SecretPlace {
  readonly folder: string;
  readonly projectId: string;
  readonly name: string;
}

export interface StoredSecret {
  readonly ref: string;
  readonly projectId: string;
  readonly kind: SecretKind;
  /** Subject of the first certificate; null of a list of revoked ones. */
  readonly subject: string | null;
  readonly expiresAt: string | null;
}

/**
 * Puts content where `file:<name>` finds it, at once and as a whole, or replaces what is there. What cannot be served is refused.
 *
 * @throws UnfitSecretError, SecretNameError
 */
export async function putSecret(place: SecretPlace, pem: string): Promise<StoredSecret> {
  const path = pathOf(place);
  const content = servable(kindOf(pem), pem);
  const before = tryDescribe(place, await readFile(path, 'utf8').catch(() => ''));
  if (before !== undefined && before.kind !== kindOf(pem)) {
    const [given, there] = [kindWords[kindOf(pem)], kindWords[before.kind]];
    throw new UnfitSecretError(`holds ${given}, and ${before.ref} is ${there}: remove that first`);
  }
  const project = dirname(path);
  await mkdir(project, { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.new`;
  await writeFile(draft, content, { mode: 0o600 });
  await chmod(draft, 0o600);
  await giveToOwner([place.folder, project, draft]);
  await rename(draft, path);
  return described(place, content);
}

const kindWords: Readonly<Record<SecretKind, string>> = {
  certificate: 'a certificate with its key',
  authority: 'an authority, without a key',
  revocations: 'a list of revocations',
};

/** Whether there is a file of that name, whatever it holds. @throws SecretNameError */
export async function hasSecret(place: SecretPlace): Promise<boolean> {
  return stat(pathOf(place)).then(
    () => true,
    () => false,
  );
}

/** No error when it is not there. @throws SecretNameError */
export async function removeSecret(place: SecretPlace): Promise<void> {
  await rm(pathOf(place), { force: true });
}

/** In order of project and name. What cannot be served is left out. */
export async function listSecrets(folder: string): Promise<readonly StoredSecret[]> {
  const found: StoredSecret[] = [];
  for (const projectId of (await entriesOf(folder)).filter((name) => projectFolder.test(name))) {
    for (const entry of await entriesOf(join(folder, projectId))) {
      const name = entry.replace(/\.pem$/, '');
      if (name === entry || !secretName.test(name)) continue;
      const place = { folder, projectId, name };
      const secret = tryDescribe(place, await readFile(pathOf(place), 'utf8').catch(() => ''));
      if (secret !== undefined) found.push(secret);
    }
  }
  return found;
}

async function entriesOf(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch((): string[] => [])).toSorted();
}

function tryDescribe(place: SecretPlace, pem: string): StoredSecret | undefined {
  try {
    return described(place, servable(kindOf(pem), pem));
  } catch {
    return undefined;
  }
}

function described({ projectId, name }: SecretPlace, pem: string): StoredSecret {
  const kind = kindOf(pem);
  const first = kind === 'revocations' ? undefined : new X509Certificate(pem);
  return {
    ref: `file:${name}`,
    projectId,
    kind,
    subject: first === undefined ? null : first.subject.replaceAll('\n', ', '),
    expiresAt: first === undefined ? null : new Date(first.validTo).toISOString(),
  };
}

/** @throws SecretNameError */
function pathOf({ folder, projectId, name }: SecretPlace): string {
  const letters = 'letters, digits, dashes and underscores';
  if (!secretName.test(name)) throw new SecretNameError(`expected a name of dots, ${letters}, given ${name}`);
  if (!projectFolder.test(projectId)) {
    throw new SecretNameError(`expected a project of at most 36 ${letters}, given ${projectId}`);
  }
  return join(folder, projectId, `${name}.pem`);
}

/** The controller may run as another user than root, who puts certificates there. */
async function giveToOwner(paths: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(dirname(paths[0] ?? ''));
  for (const path of paths) await chown(path, uid, gid);
}
