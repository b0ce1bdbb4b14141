// What administrators offer and put in place from the command line: flavors, availability zones, certificates.
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import type { LoadBalancerView } from '../../../src/domain/views.ts';
import { type RunningAmphi, useAmphi } from '../../support/amphi.ts';
import { packageRoot } from '../../support/built.ts';
import { testAuthority } from '../../support/certificates.ts';
import { processes } from '../../support/processes.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const amphi = useAmphi('administration');
const folder = tempFolder('administration-files');
const start = processes();
let running: RunningAmphi;

beforeAll(async () => {
  running = await amphi.up({ AMPHI_DRIVER: 'noop', AMPHI_HEARTBEAT_INTERVAL: '1' });
});

async function run(...args: readonly string[]) {
  const command = start(join(packageRoot, 'bin/amphi'), args, {
    env: { AMPHI_DATA_DIR: amphi.dataDir, DATABASE_URL: '' },
  });
  return { status: await command.ended, output: command.output() };
}

async function json<T>(...args: readonly string[]): Promise<T> {
  const { status, output } = await run(...args, '-o', 'json');
  expect({ status, output }).toMatchObject({ status: 0 });
  return JSON.parse(output) as T;
}

test('a flavor is made with its profile, given to a load balancer by name, kept while that has it, and removed whole', async () => {
  expect((await run('flavor', 'ls')).output).toBe('there is no flavor yet\n');
  const topology = ['--loadbalancer-topology', 'ACTIVE_STANDBY'];
  const made = await json<{ id: string }>(
    'flavor',
    'create',
    'pair',
    ...topology,
    '--compute-flavor',
    'm1',
    '--sriov-vip',
  );
  const data = { loadbalancer_topology: 'ACTIVE_STANDBY', compute_flavor: 'm1', sriov_vip: true };
  expect(made).toMatchObject({ name: 'pair', enabled: true, data });
  const client = await running.connect();
  const profiles = async () => (await client.call('flavorProfile.list')).items.length;

  // A refusal leaves no profile behind.
  expect(await run('flavor', 'create', 'pair')).toMatchObject({ status: 1, output: expect.stringContaining('exists') });
  expect(await profiles()).toBe(1);
  const mistaken = await run('flavor', 'create', 'odd', '--loadbalancer-topology', 'TRIPLE');
  expect(mistaken).toMatchObject({ status: 2, output: expect.stringContaining('SINGLE, ACTIVE_STANDBY') });

  const lb = await json<LoadBalancerView>('lb', 'create', '--name', 'two', '--project', 'p', '--flavor', 'pair');
  expect(lb).toMatchObject({ flavorId: made.id, topology: 'ACTIVE_STANDBY', vipVnicType: 'direct' });
  expect((await run('lb', 'show', 'two')).output).toContain(`pair (${made.id})`);
  const used = await run('flavor', 'rm', 'pair');
  expect(used).toMatchObject({ status: 1, output: expect.stringContaining('flavor pair is in use by two') });
  expect(await json('flavor', 'disable', made.id)).toMatchObject({ name: 'pair', enabled: false });
  await run('lb', 'delete', 'two', '--wait');
  expect(await run('flavor', 'rm', 'pair')).toEqual({ status: 0, output: 'flavor pair is removed\n' });
  expect(await profiles()).toBe(0);
  expect(await run('flavor', 'enable', 'pair')).toMatchObject({ status: 1, output: expect.stringContaining('none') });
});

test('an availability zone is offered, and taken by a load balancer', async () => {
  const zone = ['--compute-zone', 'az1', '--valid-vip-networks', 'one', '--valid-vip-networks', 'two'];
  const made = await json('availability-zone', 'create', 'north', ...zone, '--description', 'up there');
  const data = { compute_zone: 'az1', valid_vip_networks: ['one', 'two'] };
  expect(made).toEqual({ name: 'north', description: 'up there', enabled: true, data });
  const elsewhere = await run('lb', 'create', '--project', 'p', '--availability-zone', 'north');
  expect(elsewhere).toMatchObject({
    status: 1,
    output: expect.stringContaining('not valid in availability zone north'),
  });
  expect((await run('az', 'ls')).output).toMatch(/^NAME .*\nnorth +true +compute_zone=az1, valid_vip_networks=one,two/);
  expect((await run('az', 'rm', 'north')).output).toBe('availability zone north is removed\n');
});

test('a certificate that is used is not removed unasked, and who uses it is named', async () => {
  const authority = await testAuthority(folder);
  const { certificate, key } = await authority.sign('server', 'web.example');
  await json('certificate', 'add', 'web', certificate, key, '--project', 'p');
  const unused = 'no load balancer of project p uses file:web: there is nothing to do\n';
  expect(await run('certificate', 'push', 'file:web', '--project', 'p')).toEqual({ status: 0, output: unused });
  const unknown = await run('certificate', 'push', 'file:wbe', '--project', 'p');
  expect(unknown).toMatchObject({ status: 1, output: expect.stringContaining('there is no file:wbe of project p') });
  const senseless = await run('certificate', 'push', 'web');
  expect(senseless).toMatchObject({ status: 1, output: expect.stringContaining('expected file:<name> or the URL') });

  const tls = ['--listener', 'https:443', '--certificate', 'file:web', '--wait'];
  const lb = await json<LoadBalancerView>('lb', 'create', '--name', 'shop', '--project', 'p', ...tls);
  const pushed = await json<object[]>('certificate', 'push', 'file:web', '--project', 'p');
  expect(pushed).toMatchObject([{ loadBalancerId: lb.id, loadBalancerName: 'shop', kind: 'listener' }]);
  expect(await json('certificate', 'push', 'file:web', '--project', 'p')).toHaveLength(1);
  const refused = await run('certificate', 'rm', 'file:web', '--project', 'p');
  expect(refused).toMatchObject({
    status: 1,
    output: expect.stringContaining(`listener ${lb.listeners[0]} of load balancer shop (${lb.id})`),
  });
  expect(await json('certificate', 'ls')).toHaveLength(1);
  await run('lb', 'delete', 'shop', '--cascade', '--wait');
  expect(await run('certificate', 'rm', 'web', '--project', 'p')).toMatchObject({ status: 0 });

  // Whether it is used is not known without a controller.
  await json('certificate', 'add', 'web', certificate, key, '--project', 'p');
  await running.stop();
  const unsure = await run('certificate', 'rm', 'web', '--project', 'p');
  expect(unsure).toMatchObject({ status: 1, output: expect.stringContaining('no controller runs') });
  expect(await json('certificate', 'rm', 'web', '--project', 'p', '--force')).toEqual({
    ref: 'file:web',
    projectId: 'p',
  });
});
