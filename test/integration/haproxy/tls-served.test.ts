// TLS from the command channel to the traffic of a real amphora, with certificates in files.
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { quick, useAmphi } from '../../support/amphi.ts';
import { testAuthority } from '../../support/certificates.ts';
import { testMembers } from '../../support/haproxy.ts';
import { askTls, pemOf } from '../../support/tls.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const amphi = useAmphi('tls-served');
const folder = tempFolder('tls-served-ca');
const startMember = testMembers();
const project = 'demo';

/** Puts a certificate where `file:<name>` finds it, as a whole. */
function put(name: string, pem: string, mode = 0o600): void {
  const place = join(amphi.dataDir, 'tls', project);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, `${name}.new`), pem, { mode });
  renameSync(join(place, `${name}.new`), join(place, `${name}.pem`));
}

test('a listener ends TLS with the certificate of a file, and takes a renewed one when it is named again', async () => {
  const running = await amphi.up();
  const client = await running.connect();
  const member = await startMember('member');
  const authority = await testAuthority(folder);
  put('web', pemOf(await authority.sign('server', 'web.example')));
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
  put('web', pemOf(await authority.sign('server', 'renewed.example')));
  await client.call('listener.update', { id: listenerId, defaultTlsContainerRef: 'file:web' });
  await active();
  expect(await askTls({ host, port: 8443 })).toMatchObject({ status: 200, shown: 'renewed.example' });
  // What nobody needs any more is gone.
  const after = files();
  expect([before.length, after.length]).toEqual([2, 2]);
  expect(after.filter((path) => before.includes(path))).toEqual([]);

  await client.call('loadBalancer.delete', { id, cascade: true });
  await running.stop();
}, 120_000);
