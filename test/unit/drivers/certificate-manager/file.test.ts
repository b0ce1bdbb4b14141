import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { SecretKind } from '../../../../src/domain/load-balancer/tls.ts';
import { certificateManagerByReference } from '../../../../src/drivers/certificate-manager/by-reference.ts';
import { fileCertificateManager } from '../../../../src/drivers/certificate-manager/file.ts';
import { hasSecret, listSecrets, putSecret, removeSecret } from '../../../../src/drivers/certificate-manager/folder.ts';
import { PermanentFailure } from '../../../../src/drivers/failure.ts';
import { type PemFiles, testAuthority } from '../../../support/certificates.ts';
import { revocations } from '../../../support/revocations.ts';
import { pemOf } from '../../../support/tls.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const pki = tempFolder('file-pki');
const folder = join(tempFolder('file-manager'), 'tls');
const manager = certificateManagerByReference({ file: fileCertificateManager(folder), barbican: undefined });
let authority = '';
let web: PemFiles;

beforeAll(async () => {
  const ca = await testAuthority(pki);
  authority = readFileSync(ca.file, 'utf8');
  web = await ca.sign('server', 'web.example');
});

function fetch(ref: string, kind: SecretKind = 'certificate', projectId = 'demo'): Promise<string> {
  return manager.fetch({ ref, kind, projectId }, AbortSignal.timeout(5_000));
}

const put = (name: string, pem: string, projectId = 'demo') => putSecret({ folder, projectId, name }, pem);

describe('a file', () => {
  test('is found by its name and the project, with the certificate first, then its key and the chain', async () => {
    const stored = await put(
      'web',
      `${authority}${readFileSync(web.key, 'utf8')}${readFileSync(web.certificate, 'utf8')}`,
    );
    expect(stored).toMatchObject({
      ref: 'file:web',
      projectId: 'demo',
      kind: 'certificate',
      subject: 'CN=web.example',
    });
    expect(await fetch('file:web')).toBe(`${pemOf(web).replaceAll('\n\n', '\n')}${authority}`);
    await expect(fetch('file:web', 'certificate', 'other')).rejects.toThrow('the project has no such file');
  });

  test('with a key is for its owner alone', async () => {
    await put('open', pemOf(web));
    const path = join(folder, 'demo', 'open.pem');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    chmodSync(path, 0o640);
    await expect(fetch('file:open')).rejects.toThrow('holds a private key and has mode 0640: expected 0600');
    const plain = join(folder, 'demo', 'authority.pem');
    writeFileSync(plain, authority, { mode: 0o644 });
    expect(await fetch('file:authority', 'authority')).toBe(authority);
  });

  test.each([
    'file:',
    'file:../demo/web',
    'file:/etc/passwd',
    'file:.web',
    'file:a/b',
    'file:a b',
    `file:${'x'.repeat(101)}`,
    'web',
    'https://barbican.example/v1/secrets/5c6f1d2e-0000-4000-8000-000000000001',
  ])('cannot be anywhere else: %s', async (ref) => {
    await expect(fetch(ref)).rejects.toThrow(PermanentFailure);
    await expect(fetch(ref)).rejects.toThrow('expected file:<name>');
  });

  test.each(['..', '.', 'a/b', 'x'.repeat(37), ''])('is of no project called %j', async (projectId) => {
    await expect(fetch('file:web', 'certificate', projectId)).rejects.toThrow(PermanentFailure);
    await expect(put('web', pemOf(web), projectId)).rejects.toThrow('expected a project');
  });

  test('that is a folder, a pipe or too large is not read', async () => {
    mkdirSync(join(folder, 'demo', 'folder.pem'), { recursive: true });
    symlinkSync('/dev/zero', join(folder, 'demo', 'zero.pem'));
    writeFileSync(join(folder, 'demo', 'large.pem'), 'x'.repeat(1024 * 1024 + 1));
    for (const name of ['folder', 'zero', 'large'])
      await expect(fetch(`file:${name}`)).rejects.toThrow('is no file of');
  });
});

test('authorities and revocations are what they are for, and nothing else', async () => {
  const list = await revocations(pki, 'ca', []);
  await put('clients', authority);
  await put('revoked', list);
  expect(await fetch('file:clients', 'authority')).toBe(authority);
  expect(await fetch('file:revoked', 'revocations')).toBe(list);
  await expect(fetch('file:clients')).rejects.toThrow('file:clients has 0 private keys, and one is needed');
  await expect(fetch('file:clients', 'revocations')).rejects.toThrow('has no list of revoked certificates');
  await expect(put('broken', list.replace(/\n[A-Za-z0-9+/]{64}/, '\nAAAA'))).rejects.toThrow('cannot be read');
});

test('the folder is listed in order, without what cannot be served, and things are removed by name', async () => {
  const names = (await listSecrets(folder)).map(({ ref, kind }) => `${ref} ${kind}`);
  expect(names).toEqual([
    'file:authority authority',
    'file:clients authority',
    'file:open certificate',
    'file:revoked revocations',
    'file:web certificate',
  ]);
  const place = { folder, projectId: 'demo', name: 'web' };
  expect(await hasSecret(place)).toBe(true);
  await removeSecret(place);
  await removeSecret(place);
  expect(await hasSecret(place)).toBe(false);
  await expect(fetch('file:web')).rejects.toThrow('the project has no such file');
  await expect(removeSecret({ ...place, name: '../web' })).rejects.toThrow('expected a name');
});
