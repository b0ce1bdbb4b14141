import { execFileSync } from 'node:child_process';
import { X509Certificate, createHash, createPrivateKey } from 'node:crypto';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { deriveId } from '../../../../../src/domain/ids.ts';
import type { AmphoraId } from '../../../../../src/domain/ids.ts';
import { createLocalCertificateDriver } from '../../../../../src/drivers/certificate/local/local.ts';
import { tempFolder } from '../../../../support/temp-folder.ts';

const folder = tempFolder('certificates');
const amphoraId = deriveId<AmphoraId>('amphora');
const signal = new AbortController().signal;
const at = new Date('2026-03-01T12:00:00Z');
const open = (name: string, keyType: 'p256' | 'rsa' = 'p256') =>
  createLocalCertificateDriver({ folder: join(folder, name), keyType, serverCertificateDays: 30, now: () => at });

function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

describe.each(['p256', 'rsa'] as const)('a certificate with a %s key', (keyType) => {
  test('is one that openssl verifies strictly, in both roles and for its name', async () => {
    const driver = await open(`verify-${keyType}`, keyType);
    const { certificatePem } = await driver.issue(amphoraId, signal);
    const file = join(folder, `${keyType}.pem`);
    writeFileSync(file, certificatePem);
    const ca = join(folder, `verify-${keyType}`, 'ca.pem');
    for (const purpose of ['sslserver', 'sslclient']) {
      const time = String(at.getTime() / 1000);
      const args = ['-x509_strict', '-purpose', purpose, '-attime', time, '-verify_hostname', amphoraId, '-CAfile', ca];
      expect(openssl('verify', ...args, file)).toContain(': OK');
    }
  });

  test('carries the extensions that amphorae have', async () => {
    const driver = await open(`verify-${keyType}`, keyType);
    const { certificatePem } = await driver.issue(amphoraId, signal);
    const file = join(folder, `${keyType}-extensions.pem`);
    writeFileSync(file, certificatePem);
    const text = openssl('x509', '-in', file, '-noout', '-text').replaceAll(/\s+/g, ' ');
    expect(text).toContain('X509v3 Basic Constraints: critical CA:FALSE');
    expect(text).toContain(
      'X509v3 Key Usage: critical Digital Signature, Key Encipherment, Data Encipherment, Key Agreement',
    );
    expect(text).toContain(
      'X509v3 Extended Key Usage: critical TLS Web Server Authentication, TLS Web Client Authentication',
    );
    expect(text).toContain(`X509v3 Subject Alternative Name: DNS:${amphoraId}`);
    expect(text).toMatch(/Subject: CN ?= ?/);
    const subjectKey = (pem: string): string | undefined =>
      /Subject Key Identifier: ([0-9A-F:]+)/.exec(
        execFileSync('openssl', ['x509', '-noout', '-text'], { input: pem, encoding: 'utf8' }).replaceAll(/\s+/g, ' '),
      )?.[1];
    const { serverCaPem } = driver.controllerCredentials();
    expect(text).toContain(`Authority Key Identifier: ${subjectKey(serverCaPem)}`);
    // SHA-1 of the bits of the key: a point of 65 bytes, or an RSA-2048 modulus and exponent of 270.
    const info = new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' });
    const bits = info.subarray(keyType === 'p256' ? -65 : -270);
    const sha1 = createHash('sha1').update(bits).digest('hex').toUpperCase();
    expect(subjectKey(certificatePem)?.replaceAll(':', '')).toBe(sha1);
  });

  test('belongs to its key and says when it ends', async () => {
    const issued = await (await open(`verify-${keyType}`, keyType)).issue(amphoraId, signal);
    const certificate = new X509Certificate(issued.certificatePem);
    expect(certificate.checkPrivateKey(createPrivateKey(issued.privateKeyPem))).toBe(true);
    expect(issued.expiresAt).toEqual(new Date('2026-03-31T12:00:00Z'));
    expect(issued.fingerprint).toBe(createHash('sha256').update(certificate.raw).digest('hex'));
  });
});

describe('the authorities', () => {
  test('an amphora’s certificate is no controller’s: clients have an authority of their own', async () => {
    const driver = await open('two');
    const issued = new X509Certificate((await driver.issue(amphoraId, signal)).certificatePem);
    const controller = new X509Certificate(driver.controllerCredentials().certificatePem);
    const clientCa = new X509Certificate(driver.clientCaPem());
    expect(controller.checkIssued(clientCa) && controller.verify(clientCa.publicKey)).toBe(true);
    expect(issued.verify(clientCa.publicKey)).toBe(false);
  });

  test('are made once when many processes open the folder at the same time', async () => {
    const drivers = await Promise.all(Array.from({ length: 8 }, () => open('race')));
    expect(new Set(drivers.map((driver) => driver.clientCaPem())).size).toBe(1);
    expect(new Set(drivers.map((driver) => driver.controllerCredentials().serverCaPem)).size).toBe(1);
    expect(readdirSync(join(folder, 'race')).sort()).toEqual(['ca.key', 'ca.pem', 'client-ca.key', 'client-ca.pem']);
  });

  test('keep their keys from other users', async () => {
    await open('mode');
    for (const file of ['ca.key', 'client-ca.key']) {
      expect(statSync(join(folder, 'mode', file)).mode & 0o777).toBe(0o600);
    }
  });

  test('a key file that holds no key is named', async () => {
    await open('broken');
    writeFileSync(join(folder, 'broken', 'ca.key'), 'secret nonsense');
    await expect(open('broken')).rejects.toThrow(/ca\.key: expected a private key in PEM/);
    await expect(open('broken')).rejects.not.toThrow(/nonsense/);
  });

  test('a certificate lasts beyond 2049', async () => {
    const late = await createLocalCertificateDriver({
      folder: join(folder, 'late'),
      keyType: 'p256',
      serverCertificateDays: 30,
      now: () => new Date('2055-01-01T00:00:00Z'),
    });
    expect((await late.issue(amphoraId, signal)).expiresAt).toEqual(new Date('2055-01-31T00:00:00Z'));
  });
});
