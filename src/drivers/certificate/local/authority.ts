// A certificate authority that lives in two files: `<name>.key` (mode 0600) and `<name>.pem`. Given to every node as files;
// the first to start makes them.
import {
  type KeyObject,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { IssuedCertificate } from '../driver.ts';
import { buildCertificate } from './x509.ts';

export type KeyType = 'p256' | 'rsa';

export interface Authority {
  readonly subject: string;
  readonly certificatePem: string;
  readonly key: KeyObject;
}

const generate = promisify(generateKeyPair);
const dayMs = 86_400_000;
const authorityDays = 3650;
/** A clock that is behind ours by less than this still takes a fresh certificate for valid. */
export const backdatedMs = 3_600_000;

export interface OpenAuthority {
  readonly folder: string;
  /** Name of its files and, in words, of its subject. */
  readonly name: 'ca' | 'client-ca' | 'cluster-ca';
  readonly subject: string;
  readonly keyType: KeyType;
  readonly now: Date;
}

/**
 * Reads the authority, or makes it. Any number of processes may do so at once: each file appears whole or not at all, and
 * all of them end up with the same one. Rejects with an Error that names the file.
 */
export async function openAuthority({ folder, name, subject, keyType, now }: OpenAuthority): Promise<Authority> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const keyFile = join(folder, `${name}.key`);
  const keyPem = await readOrMake(keyFile, 0o600, async () => pemOf((await newKeyPair(keyType)).privateKey));
  const key = parsed(keyFile, () => createPrivateKey(keyPem));
  const certificatePem = await readOrMake(join(folder, `${name}.pem`), 0o644, async () => {
    const publicKey = createPublicKey(key);
    const notBefore = new Date(now.getTime() - backdatedMs);
    const notAfter = new Date(now.getTime() + authorityDays * dayMs);
    const request = { subject, publicKey, issuer: subject, issuerKey: key, notBefore, notAfter, kind: 'ca' as const };
    return certificateToPem(buildCertificate(request));
  });
  return { subject, certificatePem, key };
}

export async function newKeyPair(keyType: KeyType): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  return keyType === 'p256' ? generate('ec', { namedCurve: 'P-256' }) : generate('rsa', { modulusLength: 2048 });
}

export function pemOf(privateKey: KeyObject): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export function certificateToPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

async function readOrMake(file: string, mode: number, make: () => Promise<string>): Promise<string> {
  const existing = await readIfThere(file);
  if (existing !== undefined) return existing;
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, await make(), { mode, flag: 'wx' });
  try {
    // Fails when somebody else was first, where rename would put ours over theirs.
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return readFile(file, 'utf8');
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parsed<T>(file: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    throw new Error(`${file}: expected a private key in PEM, given something else`);
  }
}

/** A new key and a certificate for it. */
export async function issueFrom(
  authority: Authority,
  kind: 'server' | 'client',
  subject: string,
  keyType: KeyType,
  days: number,
  now: Date,
): Promise<IssuedCertificate> {
  const { publicKey, privateKey } = await newKeyPair(keyType);
  const certificate = buildCertificate({
    subject,
    publicKey,
    issuer: authority.subject,
    issuerKey: authority.key,
    notBefore: new Date(now.getTime() - backdatedMs),
    notAfter: new Date(now.getTime() + days * dayMs),
    kind,
  });
  const read = new X509Certificate(certificate);
  return {
    certificatePem: certificateToPem(certificate),
    privateKeyPem: pemOf(privateKey),
    fingerprint: read.fingerprint256.replaceAll(':', '').toLowerCase(),
    expiresAt: new Date(read.validTo),
  };
}
