// Authorities of a test, and what they sign, as PEM files in a folder.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Authority,
  certificateToPem,
  newKeyPair,
  openAuthority,
  pemOf,
} from '../../src/drivers/certificate/local/authority.ts';
import { buildCertificate } from '../../src/drivers/certificate/local/x509.ts';

export interface PemFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface TestAuthority {
  /** Path of its own certificate. */
  readonly file: string;
  /** For a server, the subject is its DNS name. */
  sign(kind: 'server' | 'client', subject: string): Promise<PemFiles>;
}

const hourMs = 3_600_000;

export async function testAuthority(folder: string, name: 'ca' | 'client-ca' = 'ca'): Promise<TestAuthority> {
  const authority = await openAuthority({ folder, name, subject: `test ${folder}`, keyType: 'p256', now: new Date() });
  return {
    file: join(folder, `${name}.pem`),
    sign: (kind, subject) => sign(authority, join(folder, `${kind}-${subject}`), kind, subject),
  };
}

async function sign(
  { subject: issuer, key: issuerKey }: Authority,
  path: string,
  kind: 'server' | 'client',
  subject: string,
): Promise<PemFiles> {
  const { publicKey, privateKey } = await newKeyPair('p256');
  const [notBefore, notAfter] = [new Date(Date.now() - hourMs), new Date(Date.now() + hourMs)];
  const certificate = buildCertificate({ subject, publicKey, issuer, issuerKey, notBefore, notAfter, kind });
  const files = { certificate: `${path}.pem`, key: `${path}.key` };
  writeFileSync(files.certificate, certificateToPem(certificate));
  writeFileSync(files.key, pemOf(privateKey), { mode: 0o600 });
  return files;
}
