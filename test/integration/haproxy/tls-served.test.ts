// TLS from the command channel to the traffic of a real amphora, with certificates in files.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import pg from 'pg';
import { quick, useAmphi } from '../../support/amphi.ts';
import { packageRoot } from '../../support/built.ts';
import { type PemFiles, testAuthority } from '../../support/certificates.ts';
import { testMembers } from '../../support/haproxy.ts';
import { processes } from '../../support/processes.ts';
import { askTls, pemOf } from '../../support/tls.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const amphi = useAmphi('tls-served');
const folder = tempFolder('tls-served-ca');
const startMember = testMembers();
const project = 'demo';
const start = processes();
let authorityFile = '';

/** Every row of every table, as text. */
async function dumped(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const names = `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema')`;
    const tables = (await client.query<{ name: string }>(names)).rows;
    const texts: string[] = [];
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t`);
      texts.push(...rows.map(({ row }) => row));
    }
    return texts.join('\n');
  } finally {
    await client.end();
  }
}

interface Ran {
  readonly status: number | NodeJS.Signals;
  readonly output: string;
}

async function run(...args: readonly string[]): Promise<Ran> {
  const process = start(join(packageRoot, 'bin/amphi'), args, { env: { AMPHI_DATA_DIR: amphi.dataDir } });
  return { status: await process.ended, output: process.output() };
}

/** What `amphi certificate add` puts there. */
async function add(name: string, { certificate, key }: PemFiles): Promise<void> {
  const { status, output } = await run(
    'certificate',
    'add',
    name,
    key,
    certificate,
    authorityFile,
    '--project',
    project,
  );
  expect([status, output]).toEqual([0, expect.stringContaining(`file:${name}`)]);
}

/** A part of the key itself, in base64 without its line breaks, as anything might show it. */
function secretOf(pem: string): string {
  const lines = /-----BEGIN PRIVATE KEY-----([^-]+)-----END/.exec(pem)?.[1] ?? '';
  return lines.replaceAll(/\s/g, '').slice(60, 100);
}

function everyFile(folder: string, skipped: RegExp): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true, encoding: 'utf8' })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !skipped.test(path));
}

test('a listener ends TLS with the certificate of a file, and takes a renewed one when it is named again', async () => {
  const running = await amphi.up();
  const client = await running.connect();
  const member = await startMember('member');
  const authority = await testAuthority(folder);
  authorityFile = authority.file;
  const first = await authority.sign('server', 'web.example');
  await add('web', first);
  const [subnet] = (await client.call('subnet.list', {})).items;
  const create = (defaultTlsContainerRef: string) =>
    client.call('loadBalancer.create', {
      projectId: project,
      vipSubnetId: subnet?.id ?? '',
      listeners: [
        {
          protocol: 'TERMINATED_HTTPS',
          protocolPort: 8443,
          defaultTlsContainerRef,
          defaultPool: {
            protocol: 'HTTP',
            lbAlgorithm: 'ROUND_ROBIN',
            members: [{ address: '127.0.0.1', protocolPort: member.port }],
          },
        },
      ],
    });
  await expect(create('file:other')).rejects.toMatchObject({
    code: 'invalid',
    data: { field: 'listeners[0].defaultTlsContainerRef' },
    message: expect.stringContaining('file:other'),
  });
  const { loadBalancer } = await create('file:web');
  const id = loadBalancer?.id ?? '';
  const listenerId = loadBalancer?.listeners[0]?.id ?? '';
  const active = () =>
    waitFor(
      async () => {
        const { provisioningStatus, vipAddress } = await client.call('loadBalancer.show', { id });
        return provisioningStatus === 'ACTIVE' ? vipAddress : undefined;
      },
      { describe: 'the load balancer to be ACTIVE', ...quick },
    );
  const host = await active();
  expect(await askTls({ host, port: 8443 })).toMatchObject({ status: 200, body: 'member', shown: 'web.example' });

  const files = () =>
    readdirSync(join(amphi.dataDir, 'amphorae'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.includes(`certs/${id}/`))
      .toSorted();
  const before = files();
  const second = await authority.sign('server', 'renewed.example');
  await add('web', second);
  const { status, output } = await run('certificate', 'push', 'file:web', '--project', project);
  expect([status, output]).toEqual([0, expect.stringContaining(listenerId)]);
  await active();
  expect(await askTls({ host, port: 8443 })).toMatchObject({ status: 200, shown: 'renewed.example' });
  // What nobody needs any more is gone.
  const after = files();
  expect([before.length, after.length]).toEqual([2, 2]);
  expect(after.filter((path) => before.includes(path))).toEqual([]);

  // A reference that leads nowhere any more stops changes, says so, and leaves traffic alone.
  expect(await run('certificate', 'rm', 'web', '--project', project, '--force')).toMatchObject({ status: 0 });
  await client.call('listener.update', { id: listenerId, name: 'named' });
  const why = await waitFor(
    async () => {
      const explained = await client.call('loadBalancer.explain', { id });
      return explained.provisioningStatus === 'ERROR' ? explained.why.join(' ') : undefined;
    },
    { describe: 'the load balancer to be in ERROR', ...quick },
  );
  expect(why).toContain('file:web: the project has no such file');
  expect(await askTls({ host, port: 8443 })).toMatchObject({ status: 200, shown: 'renewed.example' });
  await add('web', second);
  await client.call('listener.update', { id: listenerId, defaultTlsContainerRef: 'file:web' });
  await active();

  // Keys are in the folder of certificates and with the amphora, and nowhere else: not in a dump of the database, not in
  // PostgreSQL's own files, not in the log, not in the journal that `explain` shows.
  const dump = await dumped(running.databaseUrl);
  expect(dump).toContain('file:web');
  const explanation = JSON.stringify(await client.call('loadBalancer.explain', { id }));
  const elsewhere = everyFile(amphi.dataDir, /\/tls\/|\/certs\//).map((path) => [path, readFileSync(path, 'latin1')]);
  const texts = [['dump', dump], ['log', running.process.output()], ['explanation', explanation], ...elsewhere];
  const isIn = (text: string, pem: string) => text.replaceAll(/\s|\\n/g, '').includes(secretOf(pem));
  expect(isIn(readFileSync(join(amphi.dataDir, 'tls', project, 'web.pem'), 'utf8'), pemOf(second))).toBe(true);
  for (const pem of [first, second].map(pemOf)) {
    const found = texts.filter(([, text = '']) => isIn(text, pem));
    expect(found.map(([name]) => name)).toEqual([]);
  }

  await client.call('loadBalancer.delete', { id, cascade: true });
  await running.stop();
}, 120_000);
