// Certificates in Barbican: what users keep there, who may read it, and what is said when it cannot be served.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { SecretKind } from '../../../src/domain/load-balancer/tls.ts';
import { barbicanCertificateManager } from '../../../src/drivers/certificate-manager/barbican/barbican.ts';
import type { CertificateManager } from '../../../src/drivers/certificate-manager/driver.ts';
import { PermanentFailure, TransientFailure } from '../../../src/drivers/failure.ts';
import { ServiceToken } from '../../../src/drivers/keystone/service-token.ts';
import { newKeyPair, pemOf } from '../../../src/drivers/certificate/local/authority.ts';
import { type PemFiles, testAuthority } from '../../support/certificates.ts';
import { type FakeBarbican, startFakeBarbican } from '../../support/fake-barbican.ts';
import { type FakeKeystone, servicePassword, startFakeKeystone } from '../../support/fake-keystone.ts';
import { revocations } from '../../support/revocations.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const folder = tempFolder('barbican');
let keystone: FakeKeystone;
let barbican: FakeBarbican;
let manager: CertificateManager;
let files: PemFiles;
let authority = '';
const read = (path: string) => readFileSync(path, 'utf8');

beforeAll(async () => {
  keystone = await startFakeKeystone();
  barbican = await startFakeBarbican((token) => keystone.isService(token));
  const ca = await testAuthority(folder);
  authority = read(ca.file);
  files = await ca.sign('server', 'web.example');
});
afterAll(() => Promise.all([barbican.close(), keystone.close()]));
beforeEach(() => {
  const account = { user: 'octavia', userDomain: 'Default', project: 'service', projectDomain: 'Default' };
  const service = new ServiceToken({ ...account, url: keystone.url, password: servicePassword });
  manager = barbicanCertificateManager({ url: `${barbican.url}/v1/`, service });
});

function fetch(ref: string, kind: SecretKind = 'certificate', userToken?: string): Promise<string> {
  return manager.fetch({ ref, kind, projectId: 'p', userToken }, AbortSignal.timeout(10_000));
}

/** Stored by somebody who shared it with the service. */
function shared(ref: string): string {
  barbican.share(ref);
  return ref;
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

/** As Octavia's documentation has it made. */
function bundle(passphrase: string, keyAndCertificate = files, more: readonly string[] = []): Buffer {
  const out = join(folder, 'bundle.p12');
  const { key, certificate } = keyAndCertificate;
  const chain = ['-certfile', join(folder, 'ca.pem'), '-passout', `pass:${passphrase}`, '-out', out];
  openssl('pkcs12', '-export', '-inkey', key, '-in', certificate, ...chain, ...more);
  return readFileSync(out);
}

const blocks = (pem: string) => Array.from(pem.matchAll(/-----BEGIN ([A-Z ]+)-----/g), ([, label]) => label);

const parts = (key: string, more: object = {}) => ({
  certificate: read(files.certificate),
  private_key: key,
  ...more,
});

/** A container of these parts. */
function stored(named: Readonly<Record<string, string | Buffer>>): string {
  const refs = Object.entries(named).map(([name, text]) => [name, shared(barbican.secret(text, 'alice'))] as const);
  return shared(barbican.container(Object.fromEntries(refs), 'alice'));
}

describe('a certificate', () => {
  test('may be a PKCS12 bundle, of elliptic curves or RSA', async () => {
    const pem = await fetch(shared(barbican.secret(bundle(''), 'alice')));
    expect(blocks(pem)).toEqual(['CERTIFICATE', 'PRIVATE KEY', 'CERTIFICATE']);
    expect(pem).toContain(authority.trim());
    const rsa = { key: join(folder, 'rsa.key'), certificate: join(folder, 'rsa.pem') };
    const subject = ['-subj', '/CN=rsa.example', '-keyout', rsa.key, '-out', rsa.certificate];
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject);
    for (const encryption of [[], ['-keypbe', 'NONE', '-certpbe', 'NONE'], ['-keypbe', 'PBE-SHA1-3DES']]) {
      const ref = shared(barbican.secret(bundle('', rsa, encryption), 'alice'));
      expect(await fetch(ref)).toContain(read(rsa.certificate).trim());
    }
  });

  test('may be PEM in one secret', async () => {
    const ref = shared(barbican.secret(`${read(files.key)}${authority}${read(files.certificate)}`, 'alice'));
    const pem = await fetch(ref);
    // The one that the key belongs to comes first.
    expect(pem.startsWith(read(files.certificate).trim())).toBe(true);
    expect(blocks(pem)).toEqual(['CERTIFICATE', 'PRIVATE KEY', 'CERTIFICATE']);
  });

  test('may be a container, whose key may have a passphrase', async () => {
    const plain = read(files.key);
    const cipher = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open' } as const;
    const locked = createPrivateKey(plain).export(cipher).toString();
    expect(blocks(await fetch(stored(parts(plain, { intermediates: authority }))))).toEqual([
      'CERTIFICATE',
      'PRIVATE KEY',
      'CERTIFICATE',
    ]);
    const opened = await fetch(stored(parts(locked, { private_key_passphrase: 'open' })));
    expect(blocks(opened)).toEqual(['CERTIFICATE', 'PRIVATE KEY']);
    const wrong = fetch(stored(parts(locked, { private_key_passphrase: 'other' })));
    await expect(wrong).rejects.toThrow('has a private key that its passphrase does not open');
    await expect(fetch(stored(parts(locked)))).rejects.toThrow('has a private key with a passphrase');
  });

  test.each(['PEM', 'DER'])('may have its chain in a PKCS7 bundle, in %s', async (form) => {
    const rsa = join(folder, 'chain-rsa.pem');
    const subject = ['-subj', '/CN=root.example', '-keyout', join(folder, 'chain-rsa.key'), '-out', rsa];
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject);
    const out = join(folder, `chain.${form}`);
    const chain = ['-certfile', join(folder, 'ca.pem'), '-certfile', rsa];
    openssl('crl2pkcs7', '-nocrl', ...chain, '-outform', form, '-out', out);
    const intermediates = readFileSync(out);
    const pem = await fetch(stored(parts(read(files.key), { intermediates })));
    expect(blocks(pem)).toEqual(['CERTIFICATE', 'PRIVATE KEY', 'CERTIFICATE', 'CERTIFICATE']);
    expect(pem).toContain(authority.trim());
    expect(pem).toContain(read(rsa).trim());
    const bundled = await fetch(shared(barbican.secret(intermediates, 'alice')), 'authority');
    expect(bundled).toBe(`${authority.trim()}\n${read(rsa).trim()}\n`);
  });

  test('whose chain is no bundle of certificates is refused without quoting it', async () => {
    const out = join(folder, 'data.p7');
    writeFileSync(join(folder, 'text'), 'some content');
    openssl('cms', '-data_create', '-in', join(folder, 'text'), '-outform', 'DER', '-out', out);
    for (const intermediates of [readFileSync(out), Buffer.from('nonsense')]) {
      const refused = fetch(stored(parts(read(files.key), { intermediates })));
      await expect(refused).rejects.toThrow('has a certificate that is neither PEM, DER nor PKCS7');
    }
    const broken = '-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n';
    const refused = fetch(stored(parts(read(files.key), { intermediates: broken })));
    await expect(refused).rejects.toThrow('has a PKCS7 bundle that cannot be read');
  });

  test.each<[string, () => Promise<string | Buffer>, string]>([
    ['a bundle with a passphrase', async () => bundle('secret'), 'it is no PKCS12 bundle without a passphrase'],
    ['something else', async () => Buffer.from('nonsense'), 'it is neither PEM nor PKCS12'],
    ['no key', async () => read(files.certificate), 'has 0 private keys'],
    [
      'a key of another certificate',
      async () => `${read(files.certificate)}${pemOf((await newKeyPair('p256')).privateKey)}`,
      'belongs to none of its certificates',
    ],
  ])('that is %s is refused for good', async (_, make, says) => {
    const ref = shared(barbican.secret(await make(), 'alice'));
    const failure = await fetch(ref).catch((error: unknown) => error as Error);
    expect(failure).toBeInstanceOf(PermanentFailure);
    expect((failure as Error).message).toContain(says);
    expect((failure as Error).message).toContain(ref);
  });
});

test('authorities and lists of revoked certificates are PEM in a secret', async () => {
  const crl = await revocations(folder, 'ca', [read(files.certificate)]);
  expect(await fetch(shared(barbican.secret(authority, 'alice')), 'authority')).toBe(authority);
  expect(await fetch(shared(barbican.secret(crl, 'alice')), 'revocations')).toBe(crl);
  await expect(fetch(shared(barbican.secret(crl, 'alice')), 'authority')).rejects.toThrow('has no certificate in PEM');
  writeFileSync(join(folder, 'both.pem'), `${authority}${read(files.key)}`);
  // A key that lies beside goes nowhere.
  const both = await fetch(shared(barbican.secret(read(join(folder, 'both.pem')), 'alice')), 'authority');
  expect(both).toBe(authority);
});

describe('who refers to a secret', () => {
  test('must be allowed to read it, though the service is', async () => {
    const ref = shared(barbican.secret(bundle(''), 'alice'));
    expect(blocks(await fetch(ref, 'certificate', 'alice'))[0]).toBe('CERTIFICATE');
    const mallory = fetch(ref, 'certificate', 'mallory');
    await expect(mallory).rejects.toThrow(PermanentFailure);
    await expect(fetch(ref, 'certificate', 'mallory')).rejects.toThrow('Barbican answered 403 to the user');
  });

  test('lets the service read it by referring to it', async () => {
    const ref = barbican.secret(bundle(''), 'alice');
    await expect(fetch(ref)).rejects.toThrow('Barbican answered 403 to this service');
    await fetch(ref, 'certificate', 'alice');
    await fetch(ref);
  });

  test('may share a container and what is in it', async () => {
    const [certificate, key] = [files.certificate, files.key].map((path) => barbican.secret(read(path), 'alice'));
    const ref = barbican.container({ certificate: certificate ?? '', private_key: key ?? '' }, 'alice');
    await fetch(ref, 'certificate', 'alice');
    expect(blocks(await fetch(ref))).toEqual(['CERTIFICATE', 'PRIVATE KEY']);
  });
});

test('the token goes to the Barbican of the settings, whatever the reference says', async () => {
  const ref = shared(barbican.secret(authority, 'alice'));
  await fetch(ref.replace('barbican.example', 'elsewhere.example'), 'authority');
  for (const wrong of ['https://x/v1/secrets/../../v1/secrets/a', `${barbican.url}/v1/orders/${ref.slice(-36)}`]) {
    await expect(fetch(wrong)).rejects.toThrow('is no URL of a secret or container');
  }
});

test('a token that ended is renewed, and what may pass is a transient failure', async () => {
  const ref = shared(barbican.secret(authority, 'alice'));
  await fetch(ref, 'authority');
  const { logins } = keystone.asked;
  keystone.expireServiceTokens();
  await expect(fetch(ref, 'authority')).resolves.toBe(authority);
  expect(keystone.asked.logins).toBe(logins + 1);
  barbican.failure = 503;
  await expect(fetch(ref, 'authority')).rejects.toThrow(TransientFailure);
  barbican.failure = undefined;
  keystone.expireServiceTokens();
  keystone.failure = 500;
  await expect(fetch(ref, 'authority')).rejects.toThrow('Keystone gives no token for Barbican');
  keystone.failure = undefined;
  expect(barbican.calls.every((call) => !call.includes('undefined'))).toBe(true);
});
