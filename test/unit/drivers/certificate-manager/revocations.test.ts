import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { areRevokedBy } from '../../../../src/drivers/certificate-manager/revocations.ts';
import { testAuthority } from '../../../support/certificates.ts';
import { revocations } from '../../../support/revocations.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const folder = tempFolder('crl');

test('a list is of the authority that signed it, and of no other', async () => {
  const [one, other] = await Promise.all([testAuthority(folder), testAuthority(folder, 'client-ca')]);
  const [mine, others] = [one, other].map(({ file }) => readFileSync(file, 'utf8'));
  const list = await revocations(folder, 'ca', []);
  expect(areRevokedBy(list, mine ?? '')).toBe(true);
  expect(areRevokedBy(list, `${others}${mine}`)).toBe(true);
  expect(areRevokedBy(list, others ?? '')).toBe(false);
  const both = `${list}${await revocations(folder, 'client-ca', [])}`;
  expect([areRevokedBy(both, mine ?? ''), areRevokedBy(both, `${mine}${others}`)]).toEqual([false, true]);
});

test('a list that openssl made, of RSA, is known as well', () => {
  const place = join(folder, 'openssl');
  mkdirSync(place);
  writeFileSync(join(place, 'index.txt'), '');
  const config = [
    '[ca]',
    'default_ca=d',
    '[d]',
    `database=${place}/index.txt`,
    'default_md=sha384',
    'default_crl_days=1',
  ];
  writeFileSync(join(place, 'ca.cnf'), config.join('\n'));
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: place, stdio: 'pipe' });
  const self = ['-subj', '/CN=rsa', '-keyout', 'ca.key', '-out', 'ca.pem'];
  run('req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...self);
  run('ca', '-config', 'ca.cnf', '-gencrl', '-keyfile', 'ca.key', '-cert', 'ca.pem', '-out', 'crl.pem');
  const [list, authority] = ['crl.pem', 'ca.pem'].map((name) => readFileSync(join(place, name), 'utf8'));
  expect(areRevokedBy(list ?? '', authority ?? '')).toBe(true);
});
