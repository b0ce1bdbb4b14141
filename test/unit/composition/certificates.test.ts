import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { tlsPortOf } from '../../../src/composition/certificates.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { fileCertificateManager } from '../../../src/drivers/certificate-manager/file.ts';
import { putSecret } from '../../../src/drivers/certificate-manager/folder.ts';
import { testAuthority } from '../../support/certificates.ts';
import { revocations } from '../../support/revocations.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const pki = tempFolder('composition-pki');

test('revocations must be of the authorities that they are given with', async () => {
  const folder = join(pki, 'tls');
  const put = (name: string, pem: string) => putSecret({ folder, projectId: 'demo', name }, pem);
  for (const name of ['ca', 'client-ca'] as const) {
    await put(name, readFileSync((await testAuthority(pki, name)).file, 'utf8'));
  }
  await put('crl', await revocations(pki, 'ca', []));
  const port = tlsPortOf(loadConfig({ env: {} }).config, fileCertificateManager(folder));
  const problemWith = (ref: string) => {
    const authority = { field: 'clientCaTlsContainerRef', ref };
    const use = { field: 'clientCrlContainerRef', ref: 'file:crl', kind: 'revocations', authority } as const;
    return port.problemOf(use, { projectId: 'demo', userToken: undefined }, AbortSignal.timeout(5_000));
  };
  expect(await problemWith('file:ca')).toBeUndefined();
  expect(await problemWith('file:client-ca')).toContain('The CRL specified is not valid');
  expect(await problemWith('file:none')).toContain('the project has no such file');
  // What is there is not replaced by something of another kind, such as a certificate whose key was forgotten.
  await expect(put('ca', await revocations(pki, 'ca', []))).rejects.toThrow(
    'holds a list of revocations, and file:ca is an authority, without a key: remove that first',
  );
});
