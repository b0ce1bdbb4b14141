// Certificates of users: who keeps them, and what commands are held to.
import type { TlsPolicy, TlsPort } from '../channels/command/tls.ts';
import type { Config } from '../config/schema.ts';
import { tlsFolderOf } from '../config/tls-folder.ts';
import { certificateManagerByReference } from '../drivers/certificate-manager/by-reference.ts';
import { barbicanCertificateManager } from '../drivers/certificate-manager/barbican/barbican.ts';
import type { CertificateManager } from '../drivers/certificate-manager/driver.ts';
import { fileCertificateManager } from '../drivers/certificate-manager/file.ts';
import { areRevokedBy } from '../drivers/certificate-manager/revocations.ts';
import { PermanentFailure } from '../drivers/failure.ts';
import { ServiceToken } from '../drivers/keystone/service-token.ts';

export function openCertificateManager(config: Config): CertificateManager {
  return certificateManagerByReference({
    file: fileCertificateManager(tlsFolderOf(config)),
    barbican: barbicanOf(config),
  });
}

function barbicanOf({ tls, api }: Config): CertificateManager | undefined {
  if (tls.barbican === undefined) return undefined;
  const { url = '', password = '', ...who } = api.keystone;
  return barbicanCertificateManager({ url: tls.barbican, service: new ServiceToken({ ...who, url, password }) });
}

export function tlsPortOf({ tls }: Pick<Config, 'tls'>, manager: Pick<CertificateManager, 'fetch'>): TlsPort {
  return {
    policy: tlsPolicyOf(tls),
    async problemOf({ ref, kind, authority }, asker, signal) {
      try {
        const content = await manager.fetch({ ref, kind, ...asker }, signal);
        if (authority === undefined) return undefined;
        const authorities = await manager.fetch({ ref: authority.ref, kind: 'authority', ...asker }, signal);
        if (areRevokedBy(content, authorities)) return undefined;
        return `The CRL specified is not valid for the certificate authority reference supplied, ${authority.ref}.`;
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
