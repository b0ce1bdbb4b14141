// The certificate driver whose authorities are files in a folder. There are two, as Octavia's operators are told to have:
// amphorae's certificates may act as clients too, so if one authority signed both, whoever takes over an amphora could
// give orders to all the others.
import type { AmphoraId } from '../../../domain/ids.ts';
import { TransientFailure } from '../../failure.ts';
import type { CertificateDriver, ControllerCredentials, IssuedCertificate } from '../driver.ts';
import { issueFrom, type KeyType, openAuthority } from './authority.ts';

export interface LocalCertificateOptions {
  /** Holds `ca.pem`, `ca.key`, `client-ca.pem` and `client-ca.key`; made when it isn't there. */
  readonly folder: string;
  /** Of every key that is made from now on; authorities that exist keep theirs. */
  readonly keyType: KeyType;
  /** Days that an amphora's certificate is valid. */
  readonly serverCertificateDays: number;
  readonly now?: () => Date;
}

/** Longer than a controller process lives; its key is never written anywhere. */
const controllerDays = 1095;

/** Opens, or makes, the authorities and a client certificate for this process. Rejects with an Error naming the file. */
export async function createLocalCertificateDriver(options: LocalCertificateOptions): Promise<CertificateDriver> {
  const { folder, keyType, serverCertificateDays, now = () => new Date() } = options;
  const common = { folder, keyType, now: now() };
  const serverCa = await openAuthority({ ...common, name: 'ca', subject: 'amphitheatre server CA' });
  const clientCa = await openAuthority({ ...common, name: 'client-ca', subject: 'amphitheatre client CA' });
  const controller = await issueFrom(clientCa, 'client', 'amphitheatre controller', keyType, controllerDays, now());
  const credentials: ControllerCredentials = {
    certificatePem: controller.certificatePem,
    privateKeyPem: controller.privateKeyPem,
    serverCaPem: serverCa.certificatePem,
  };
  return {
    name: 'local',
    issue: async (amphoraId: AmphoraId, signal: AbortSignal): Promise<IssuedCertificate> => {
      if (signal.aborted)
        throw new TransientFailure('stopped before a certificate was made', { call: 'certificate.local issue' });
      return issueFrom(serverCa, 'server', amphoraId, keyType, serverCertificateDays, now());
    },
    clientCaPem: () => clientCa.certificatePem,
    controllerCredentials: () => credentials,
  };
}
