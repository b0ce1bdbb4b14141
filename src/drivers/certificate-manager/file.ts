// Certificates in a folder, for use without OpenStack: `file:<name>` is `<folder>/<project>/<name>.pem`, so nobody refers to
// what is another project's. A file that holds a key is for its owner alone. Replacing a file renews what stands behind it.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { PermanentFailure, TransientFailure } from '../failure.ts';
import type { CertificateManager, SecretRequest } from './driver.ts';
import { hasPrivateKey, mostSecretBytes, servable, UnfitSecretError } from './pem.ts';

export const fileScheme = 'file:';
/** No path can be written with these. */
export const secretName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
export const projectFolder = /^[A-Za-z0-9_-]{1,36}$/;

const call = 'certificate-manager file';

export function fileCertificateManager(folder: string): CertificateManager {
  return {
    name: 'file',
    fetch: async (request) => {
      const pem = await readSecret(secretPath(folder, request), request.ref);
      try {
        return servable(request.kind, pem);
      } catch (error) {
        if (!(error instanceof UnfitSecretError)) throw error;
        throw new PermanentFailure(`${request.ref} ${error.message}`, { call });
      }
    },
    close: async () => undefined,
  };
}

function secretPath(folder: string, { ref, projectId }: SecretRequest): string {
  const name = ref.slice(fileScheme.length);
  if (!ref.startsWith(fileScheme) || !secretName.test(name)) {
    const expected = 'file:<name>, a name of letters, digits, dots, dashes and underscores';
    throw new PermanentFailure(`expected ${expected}, given ${ref}`, { call });
  }
  if (!projectFolder.test(projectId)) {
    const message = `${ref}: a project with files has a name of letters, digits, dashes and underscores, given ${projectId}`;
    throw new PermanentFailure(message, { call });
  }
  return join(folder, projectId, `${name}.pem`);
}

async function readSecret(path: string, ref: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
      throw new PermanentFailure(`${ref}: the project has no such file`, { call });
    }
    throw unreadable(ref, error);
  });
  try {
    const about = await file.stat();
    if (!about.isFile() || about.size > mostSecretBytes) {
      throw new PermanentFailure(`${ref} is no file of at most ${mostSecretBytes} bytes`, { call });
    }
    const pem = await file.readFile('utf8');
    if (hasPrivateKey(pem) && (about.mode & 0o077) !== 0) {
      const mode = (about.mode & 0o777).toString(8).padStart(4, '0');
      throw new PermanentFailure(`${ref} holds a private key and has mode ${mode}: expected 0600`, { call });
    }
    return pem;
  } catch (error) {
    if (error instanceof PermanentFailure) throw error;
    throw unreadable(ref, error as NodeJS.ErrnoException);
  } finally {
    await file.close();
  }
}

function unreadable(ref: string, { code = 'unknown' }: NodeJS.ErrnoException): Error {
  const message = `${ref} cannot be read: ${code}`;
  return code === 'EACCES' || code === 'EPERM'
    ? new PermanentFailure(message, { call })
    : new TransientFailure(message, { call });
}
