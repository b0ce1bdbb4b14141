// Asks the certificate manager that a reference is for: files by their scheme, Barbican by the form of its URLs.
import { PermanentFailure } from '../failure.ts';
import type { CertificateManager } from './driver.ts';
import { fileScheme } from './file.ts';

export interface CertificateManagers {
  readonly file: CertificateManager;
  /** Undefined when the settings name none. */
  readonly barbican: CertificateManager | undefined;
}

export function certificateManagerByReference({ file, barbican }: CertificateManagers): CertificateManager {
  const managerOf = (ref: string): CertificateManager => {
    if (ref.startsWith(fileScheme)) return file;
    if (barbican !== undefined && /^https?:\/\//.test(ref)) return barbican;
    const urls =
      barbican === undefined ? ' (there is no Barbican here)' : ' or the URL of a secret or container of Barbican';
    throw new PermanentFailure(`expected file:<name>${urls}, given ${ref}`, { call: 'certificate-manager' });
  };
  return {
    name: barbican === undefined ? 'file' : 'file, barbican',
    fetch: async (request, signal) => managerOf(request.ref).fetch(request, signal),
    close: async () => {
      await Promise.all([file.close(), barbican?.close()]);
    },
  };
}
