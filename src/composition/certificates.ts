// Certificates of users: who keeps them, and what commands are held to.
import { join } from 'node:path';
import type { TlsPolicy, TlsPort } from '../channels/command/tls.ts';
import type { Config } from '../config/schema.ts';
import { certificateManagerByReference } from '../drivers/certificate-manager/by-reference.ts';
import type { CertificateManager } from '../drivers/certificate-manager/driver.ts';
import { fileCertificateManager } from '../drivers/certificate-manager/file.ts';
import { PermanentFailure } from '../drivers/failure.ts';

/** Where `file:` references lead: a folder for each project. */
export function tlsFolderOf({ tls, secretsDir, dataDir }: Pick<Config, 'tls' | 'secretsDir' | 'dataDir'>): string {
  return tls.folder ?? join(secretsDir ?? dataDir, 'tls');
}

export function openCertificateManager(config: Config): CertificateManager {
  return certificateManagerByReference({ file: fileCertificateManager(tlsFolderOf(config)), barbican: undefined });
}

export function tlsPortOf({ tls }: Pick<Config, 'tls'>, manager: Pick<CertificateManager, 'fetch'>): TlsPort {
  return {
    policy: tlsPolicyOf(tls),
    async problemOf({ ref, kind }, projectId, signal) {
      try {
        await manager.fetch({ ref, kind, projectId }, signal);
        return undefined;
      } catch (error) {
        if (error instanceof PermanentFailure) return error.message;
        throw error;
      }
    },
  };
}

function tlsPolicyOf(tls: Config['tls']): TlsPolicy {
  const { minimumVersion, prohibitedCiphers = [] } = tls;
  return {
    listener: {
      tlsCiphers: tls.listenerCiphers,
      tlsVersions: tls.listenerVersions,
      alpnProtocols: tls.listenerAlpn,
    },
    pool: { tlsCiphers: tls.poolCiphers, tlsVersions: tls.poolVersions, alpnProtocols: tls.poolAlpn },
    minimumVersion,
    prohibitedCiphers,
  };
}
