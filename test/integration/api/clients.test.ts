// OpenStack's own, unmodified clients against a running `amphi up`: the command line and openstacksdk.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { useAmphi } from '../../support/amphi.ts';
import { putSecret } from '../../../src/drivers/certificate-manager/folder.ts';
import { packageRoot } from '../../support/built.ts';
import { testAuthority } from '../../support/certificates.ts';
import { pemOf } from '../../support/tls.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const run = promisify(execFile);
const python = '/usr/bin/python3';
const packages = '/usr/lib/python3/dist-packages';
const hasClients = ['openstackclient', 'octaviaclient'].every((name) => existsSync(join(packages, name)));
const withClients = hasClients ? describe : describe.skip;

const amphi = useAmphi('clients');
const pki = tempFolder('clients-pki');
let endpoint = '';

interface Failed {
  readonly stderr: string;
}

/** A command of `openstack loadbalancer`, its output parsed; undefined when it prints nothing. */
async function lb(...words: readonly string[]) {
  const isShown = /^(show|list|create)$/.test(words.find((word) => /^(show|list|create)$/.test(word)) ?? '');
  const format = isShown && words[0] !== 'status' ? ['-f', 'json'] : [];
  const auth = ['--os-auth-type', 'none', '--os-endpoint', endpoint];
  const { stdout } = await run('/usr/bin/openstack', [...auth, 'loadbalancer', ...words, ...format]).catch(
    ({ stderr }: Failed) => {
      throw new Error(stderr.trim());
    },
  );
  return stdout.trim() === '' ? undefined : JSON.parse(stdout);
}

withClients('(skipped where python3-openstackclient and python3-octaviaclient are not installed)', () => {
  beforeAll(async () => {
    const { apiPort } = await amphi.up({ AMPHI_DRIVER: 'noop', AMPHI_SPARES_SIZE: '2' });
    endpoint = `http://127.0.0.1:${apiPort}`;
  }, 90_000);

  test('the command line makes a listener that ends TLS and a pool that speaks it, and lets go of what they were given', async () => {
    const authority = await testAuthority(pki);
    const put = (name: string, pem: string) =>
      putSecret({ folder: join(amphi.dataDir, 'tls'), projectId: 'default', name }, pem);
    await put('web', pemOf(await authority.sign('server', 'web.example')));
    await put('ca', readFileSync(authority.file, 'utf8'));
    await lb('create', '--name', 'secure', '--vip-subnet-id', 'noop', '--wait');
    const port = ['--protocol', 'TERMINATED_HTTPS', '--protocol-port', '443'];
    const refs = ['--default-tls-container-ref', 'file:web', '--sni-container-refs', 'file:web'];
    const clients = ['--client-authentication', 'OPTIONAL', '--client-ca-tls-container-ref', 'file:ca'];
    const terms = ['--tls-version', 'TLSv1.3', '--tls-ciphers', 'TLS_AES_256_GCM_SHA384', '--alpn-protocol', 'h2'];
    const given = [...port, ...refs, ...clients, ...terms];
    const listener = await lb('listener', 'create', '--name', 'tls', ...given, '--wait', 'secure');
    expect(listener).toMatchObject({
      provisioning_status: 'ACTIVE',
      default_tls_container_ref: 'file:web',
      client_authentication: 'OPTIONAL',
      tls_versions: ['TLSv1.3'],
      alpn_protocols: ['h2'],
    });
    await lb('listener', 'unset', '--tls-versions', '--tls-ciphers', '--alpn-protocols', '--sni-container-refs', 'tls');
    expect(await lb('listener', 'show', 'tls')).toMatchObject({
      tls_versions: ['TLSv1.2', 'TLSv1.3'],
      tls_ciphers: expect.stringContaining('ECDHE-ECDSA-AES128-GCM-SHA256'),
      sni_container_refs: [],
    });
    await lb('listener', 'set', '--default-tls-container-ref', 'file:web', '--wait', 'tls');
    const kind = ['--protocol', 'HTTP', '--lb-algorithm', 'ROUND_ROBIN'];
    const encrypted = ['--enable-tls', '--ca-tls-container-ref', 'file:ca', '--tls-container-ref', 'file:web'];
    await lb('pool', 'create', '--name', 'inner', ...kind, ...encrypted, '--listener', 'tls');
    await lb('pool', 'unset', '--tls-container-ref', 'inner');
    expect(await lb('pool', 'show', 'inner')).toMatchObject({ tls_enabled: true, ca_tls_container_ref: 'file:ca' });
    const wrong = lb('listener', 'set', '--default-tls-container-ref', 'file:none', 'tls');
    await expect(wrong).rejects.toThrow('Could not retrieve certificate: file:none');
    await lb('delete', '--cascade', 'secure');
  }, 180_000);

  // Without --wait where nothing depends on it: the client looks every few seconds only, and changes queue.
  test('the command line creates, lists, shows, sets, unsets and deletes every resource', async () => {
    const web = await lb('create', '--name', 'web', '--vip-subnet-id', 'noop', '--tag', 'a', '--wait');
    expect(web).toMatchObject({ name: 'web', provisioning_status: 'ACTIVE', provider: 'amphora' });
    expect(await lb('list', '--tags', 'a')).toMatchObject([{ name: 'web', vip_address: web.vip_address }]);
    await lb('set', '--description', 'words', '--wait', 'web');
    await lb('unset', '--description', '--wait', 'web');
    expect(await lb('show', 'web')).toMatchObject({ id: web.id, description: '' });

    const port = ['--protocol', 'HTTP', '--protocol-port', '80'];
    const headers = ['--insert-headers', 'X-Forwarded-For=true,X-Forwarded-Port=true'];
    const listener = await lb('listener', 'create', '--name', 'l', ...port, ...headers, '--wait', 'web');
    expect(listener).toMatchObject({ protocol: 'HTTP', provisioning_status: 'ACTIVE' });
    await lb('listener', 'set', '--connection-limit', '5', '--timeout-client-data', '1000', 'l');
    expect(await lb('listener', 'show', 'l')).toMatchObject({ connection_limit: 5, timeout_client_data: 1000 });
    await lb('listener', 'unset', '--connection-limit', '--insert-headers', 'l');
    expect(await lb('listener', 'show', 'l')).toMatchObject({ connection_limit: -1 });
    expect(await lb('listener', 'list', '--loadbalancer', 'web')).toMatchObject([{ name: 'l' }]);
    expect(await lb('listener', 'stats', 'show', 'l')).toMatchObject({ bytes_in: 0 });

    const kind = ['--protocol', 'HTTP', '--lb-algorithm', 'ROUND_ROBIN'];
    expect(await lb('pool', 'create', '--name', 'p', ...kind, '--listener', 'l')).toMatchObject({
      loadbalancers: web.id,
      listeners: listener.id,
    });
    await lb('pool', 'set', '--lb-algorithm', 'SOURCE_IP', 'p');
    await lb('pool', 'set', '--session-persistence', 'type=APP_COOKIE,cookie_name=who', 'p');
    expect((await lb('pool', 'show', 'p')).session_persistence).toContain('cookie_name=who');
    await lb('pool', 'unset', '--session-persistence', 'p');
    expect(await lb('pool', 'list')).toMatchObject([{ name: 'p', lb_algorithm: 'SOURCE_IP' }]);

    const place = ['--address', '10.0.0.1', '--protocol-port', '80'];
    await lb('member', 'create', '--name', 'm', ...place, 'p');
    await lb('member', 'set', '--weight', '7', 'p', 'm');
    expect(await lb('member', 'show', 'p', 'm')).toMatchObject({ weight: 7 });
    await lb('member', 'unset', '--weight', 'p', 'm');
    expect(await lb('member', 'list', 'p')).toMatchObject([{ name: 'm', weight: 1 }]);

    const times = ['--delay', '5', '--timeout', '3', '--max-retries', '2'];
    await lb('healthmonitor', 'create', '--name', 'h', '--type', 'HTTP', '--url-path', '/up', ...times, 'p');
    await lb('healthmonitor', 'set', '--delay', '9', 'h');
    await lb('healthmonitor', 'unset', '--url-path', 'h');
    expect(await lb('healthmonitor', 'show', 'h')).toMatchObject({ delay: 9, url_path: '/' });

    await lb('l7policy', 'create', '--name', 'x', '--action', 'REJECT', 'l');
    await lb('l7policy', 'set', '--action', 'REDIRECT_TO_URL', '--redirect-url', 'https://a.example', 'x');
    expect(await lb('l7policy', 'show', 'x')).toMatchObject({ redirect_http_code: 302, position: 1 });
    const [type, compare] = [
      ['--type', 'PATH'],
      ['--compare-type', 'STARTS_WITH'],
    ];
    // With --wait, python-octaviaclient 3.1 looks for the rule under the ids of rule and policy exchanged.
    const rule = await lb('l7rule', 'create', ...type, ...compare, '--value', '/a', 'x');
    await lb('l7rule', 'set', '--value', '/b', '--invert', 'x', rule.id);
    await lb('l7rule', 'unset', '--invert', 'x', rule.id);
    expect(await lb('l7rule', 'list', 'x')).toMatchObject([{ value: '/b', invert: false }]);
    await lb('l7rule', 'delete', 'x', rule.id);
    expect(await lb('l7policy', 'list')).toMatchObject([{ name: 'x' }]);
    await lb('l7policy', 'delete', 'x');

    const { loadbalancer } = await lb('status', 'show', 'web');
    expect(loadbalancer.listeners[0].pools[0]).toMatchObject({ name: 'p', members: [{ name: 'm' }] });
    expect(await lb('stats', 'show', 'web')).toMatchObject({ bytes_in: 0 });
    const serving = async () => (await lb('amphora', 'list', '--loadbalancer', web.id)) as { id: string }[];
    const [before] = await serving();
    await lb('amphora', 'show', before?.id ?? '');
    await lb('failover', '--wait', 'web');
    expect((await serving())[0]?.id).not.toBe(before?.id);
    expect((await lb('provider', 'list')).map(({ name }: { name: string }) => name)).toContain('amphora');

    await expect(lb('delete', 'web')).rejects.toThrow(`Cannot delete Load Balancer ${web.id} - it has children`);
    await lb('healthmonitor', 'delete', 'h');
    await lb('member', 'delete', 'p', 'm');
    await lb('pool', 'delete', 'p');
    await lb('listener', 'delete', 'l');
    await lb('delete', '--wait', 'web');
    expect(await lb('list')).toEqual([]);
  }, 240_000);

  test('the command line offers flavors and availability zones', async () => {
    const data = ['--provider', 'amphora', '--flavor-data', '{"loadbalancer_topology": "SINGLE"}'];
    await lb('flavorprofile', 'create', '--name', 'fp', ...data);
    await lb('flavor', 'create', '--name', 'f', '--flavorprofile', 'fp', '--enable');
    await lb('flavor', 'set', '--disable', 'f');
    expect(await lb('flavor', 'show', 'f')).toMatchObject({ enabled: false });
    expect(await lb('flavor', 'list')).toMatchObject([{ name: 'f' }]);
    const zone = ['--provider', 'amphora', '--availability-zone-data', '{}'];
    await lb('availabilityzoneprofile', 'create', '--name', 'zp', ...zone);
    await lb('availabilityzone', 'create', '--name', 'z', '--availabilityzoneprofile', 'zp');
    expect(await lb('availabilityzone', 'list')).toMatchObject([{ name: 'z' }]);
    await lb('availabilityzone', 'delete', 'z');
    await lb('availabilityzoneprofile', 'delete', 'zp');
    await lb('flavor', 'delete', 'f');
    await lb('flavorprofile', 'delete', 'fp');
    const known = await lb('provider', 'capability', 'list', 'amphora');
    const capabilities = known.map(({ name }: { name: string }) => name);
    expect(capabilities).toEqual(expect.arrayContaining(['loadbalancer_topology', 'sriov_vip', 'allow_member_sriov']));
    const fast = ['--flavor-data', '{"sriov_vip": true}'];
    await lb('flavorprofile', 'create', '--name', 'fast', '--provider', 'octavia', ...fast);
    await lb('flavor', 'create', '--name', 'fast', '--flavorprofile', 'fast', '--enable');
    const made = await lb('create', '--name', 'fast', '--vip-subnet-id', 'noop', '--flavor', 'fast');
    expect(made).toMatchObject({ provider: 'octavia' });
    const named = ['--vip-subnet-id', 'noop', '--flavor', 'fast', '--provider', 'amphora'];
    await expect(lb('create', ...named)).rejects.toThrow("is not compatible with provider 'amphora'");
    expect(await lb('list', '--provider', 'octavia')).toMatchObject([{ name: 'fast', provider: 'octavia' }]);
    await lb('delete', 'fast');
  }, 120_000);

  test('the command line shows the words of a refusal', async () => {
    await expect(lb('flavor', 'create', '--name', 'x', '--flavorprofile', 'x')).rejects.toThrow('x');
    await expect(lb('create', '--vip-subnet-id', 'noop', '--provider', 'other')).rejects.toThrow(
      "Provider 'other' is not enabled.",
    );
  }, 60_000);

  test('openstacksdk does the same', async () => {
    const { subnets } = (await (await fetch(`${endpoint}/v2.0/subnets`)).json()) as { subnets: { id: string }[] };
    const script = join(packageRoot, 'test/support/with-openstacksdk.py');
    const { stdout } = await run(python, [script, endpoint, subnets[0]?.id ?? '']);
    expect(JSON.parse(stdout)).toEqual({
      status: 'ACTIVE',
      found: true,
      tagged: ['sdk'],
      weights: [3],
      limit: 7,
      path: '/up',
      bytes: 0,
      providers: ['amphora', 'octavia'],
      whole: [1, 1],
      amphorae: 1,
      gone: true,
    });
  }, 120_000);
});
