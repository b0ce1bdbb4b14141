import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { type RunningAmphi, useAmphi } from '../../support/amphi.ts';
import { packageRoot } from '../../support/built.ts';
import { type PemFiles, type TestAuthority, testAuthority } from '../../support/certificates.ts';
import { processes } from '../../support/processes.ts';
import { waitFor } from '../../support/wait-for.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const amphi = useAmphi('cli-tls');
const folder = tempFolder('cli-tls-files');
const start = processes();
let ours: TestAuthority;
let client: PemFiles;
let running: RunningAmphi;

beforeAll(async () => {
  ours = await testAuthority(folder);
  const server = await ours.sign('server', 'localhost');
  const clients = await testAuthority(folder, 'client-ca');
  client = await clients.sign('client', 'operator');
  running = await amphi.up({
    AMPHI_DRIVER: 'noop',
    AMPHI_CONTROL_HOST: '0.0.0.0',
    AMPHI_CONTROL_TLS_CERTIFICATE: server.certificate,
    AMPHI_CONTROL_TLS_KEY: server.key,
    AMPHI_CONTROL_TLS_CLIENT_CA: clients.file,
  });
});

async function run(env: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const command = start(join(packageRoot, 'bin/amphi'), args, { env: { DATABASE_URL: '', ...env } });
  return { status: await command.ended, output: command.output() };
}

test('a command finds a controller with TLS by its data folder, and shows the token to that one only', async () => {
  const said = `wss://0.0.0.0:${running.controlPort}/command`;
  await waitFor(() => running.process.output().includes(said), { describe: `the controller to say ${said}` });
  const found = await run({ AMPHI_DATA_DIR: amphi.dataDir }, 'lb', 'create', '--project', 'demo', '--wait');
  expect(found).toMatchObject({ status: 0, output: expect.stringContaining('ACTIVE') });
  expect(await run({ AMPHI_DATA_DIR: amphi.dataDir }, 'actors', 'tree')).toMatchObject({ status: 0 });
  const file = join(amphi.dataDir, 'run.json');
  const written = readFileSync(file, 'utf8');
  const another = readFileSync((await ours.sign('server', 'another')).certificate, 'utf8');
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(written) as object), controlCertificate: another }));
  const refused = await run({ AMPHI_DATA_DIR: amphi.dataDir }, 'actors', 'tree');
  writeFileSync(file, written);
  expect(refused).toMatchObject({ status: 1, output: expect.stringContaining('cannot connect') });
});

test('a command elsewhere names the controller, the authority, and what it shows', async () => {
  const there = { AMPHI_URL: `https://localhost:${running.controlPort}`, AMPHI_CA: ours.file, AMPHI_DATA_DIR: folder };
  const shown = { AMPHI_CERT: client.certificate, AMPHI_KEY: client.key };
  expect(await run({ ...there, ...shown }, 'lb', 'ls')).toMatchObject({ status: 0 });
  const problems: readonly (readonly [Record<string, string>, string])[] = [
    [there, 'it wants a token'],
    [{ ...there, AMPHI_TOKEN: 'wrong' }, 'the token was not accepted'],
    [{ ...there, ...shown, AMPHI_CA: '' }, 'not signed by a trusted authority'],
    [{ ...there, AMPHI_CERT: client.certificate }, 'AMPHI_CERT and AMPHI_KEY: expected both or neither'],
    [{ ...there, ...shown, AMPHI_CERT: '/nowhere' }, 'AMPHI_CERT: /nowhere cannot be read'],
    [{ ...there, AMPHI_URL: 'ws://192.0.2.1:9877', AMPHI_TOKEN: 'x' }, 'would travel to 192.0.2.1 in clear text'],
    [{ ...there, AMPHI_URL: `ws://localhost:${running.controlPort}`, AMPHI_TOKEN: 'x' }, 'wss: instead of ws:'],
  ];
  for (const [env, sentence] of problems) {
    expect(await run(env, 'lb', 'ls')).toMatchObject({ status: 1, output: expect.stringContaining(sentence) });
  }
});

test('a controller says which file of TLS it cannot use, before it starts anything', async () => {
  const own = { AMPHI_DATA_DIR: join(folder, 'other'), AMPHI_DRIVER: 'noop' };
  const key = { AMPHI_CONTROL_TLS_KEY: client.key };
  expect(await run({ ...own, ...key }, 'up')).toMatchObject({
    status: 1,
    output: expect.stringContaining('control.tls.certificate: expected the certificate of control.tls.key'),
  });
  const mismatched = { ...key, AMPHI_CONTROL_TLS_CERTIFICATE: ours.file };
  expect(await run({ ...own, ...mismatched }, 'up')).toMatchObject({
    status: 1,
    output: expect.stringContaining(`${client.key} is not the key of the certificate in ${ours.file}`),
  });
  expect(await run({ ...own, AMPHI_CONTROL_HOST: '0.0.0.0' }, 'config', 'check')).toMatchObject({ status: 1 });
  await running.stop();
});
