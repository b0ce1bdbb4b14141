import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { LoadBalancerView } from '../../../src/domain/views.ts';
import { type RunningAmphi, useAmphi } from '../../support/amphi.ts';
import { packageRoot } from '../../support/built.ts';
import { processes } from '../../support/processes.ts';

const amphi = useAmphi('cli');
const start = processes();
let running: RunningAmphi;

beforeAll(async () => {
  running = await amphi.up({ AMPHI_DRIVER: 'noop', AMPHI_HEARTBEAT_INTERVAL: '1' });
});

interface Ran {
  readonly status: number | NodeJS.Signals;
  readonly output: string;
}

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const settings = { AMPHI_DATA_DIR: amphi.dataDir, DATABASE_URL: '', ...env };
  const process = start(join(packageRoot, 'bin/amphi'), args, { env: settings });
  return { status: await process.ended, output: process.output() };
}

async function json<T>(...args: readonly string[]): Promise<T> {
  const { status, output } = await run([...args, '-o', 'json']);
  expect({ status, output }).toMatchObject({ status: 0 });
  return JSON.parse(output) as T;
}

describe('amphi', () => {
  test('says that the only node keeps its work when it is drained, instead of waiting for ever', async () => {
    const [node] = await json<{ id: string; isDraining: boolean }[]>('nodes');
    const id = node?.id ?? '';
    const drained = await run(['nodes', 'drain', id, '--wait']);
    expect(drained).toMatchObject({ status: 1, output: expect.stringContaining('no other node runs') });
    expect(await json('nodes', 'undrain', id)).toMatchObject({ id, isDraining: false, shards: 256 });
  });

  test('creates, lists, shows, explains and deletes a load balancer', async () => {
    const create = [
      'lb',
      'create',
      '--name',
      'web',
      '--project',
      'demo',
      '--listener',
      'http:80',
      '--listener',
      'tcp:81',
    ];
    const pool = ['--member', '10.0.0.1:8080', '--member', '[2001:db8::1]:8080*5', '--monitor', 'tcp'];
    const mistaken = await run([...create, '--member', '10.0.0.1:0']);
    expect(mistaken).toMatchObject({ status: 1, output: expect.stringContaining('pools[0].members[0].protocolPort') });
    // An HTTP listener cannot hand connections to a pool that speaks TCP.
    expect(await run([...create, ...pool])).toMatchObject({
      status: 1,
      output: expect.stringContaining("pool protocol 'TCP'"),
    });

    const onlyHttp = create.slice(0, -2);
    const made = await json<LoadBalancerView>(...onlyHttp, ...pool, '--wait', '--command-id', 'first');
    expect(made).toMatchObject({
      name: 'web',
      projectId: 'demo',
      provisioningStatus: 'ACTIVE',
      operatingStatus: 'ONLINE',
    });
    const again = await json<LoadBalancerView>(...onlyHttp, ...pool, '--wait', '--command-id', 'first');
    expect(again.id).toBe(made.id);

    expect(await json<LoadBalancerView[]>('lb', 'ls', '--project', 'demo')).toHaveLength(1);
    expect(await json('lb', 'ls', '--project', 'other')).toEqual([]);
    const shown = await run(['lb', 'show', 'web']);
    expect(shown.output).toMatch(/^topology +SINGLE *$/m);
    expect(shown.output).toContain(`load balancer web (${made.id}): ACTIVE, ONLINE`);
    expect(shown.output).toContain(`  listener HTTP port 80 (${made.listeners[0]}): ACTIVE, ONLINE`);
    expect(shown.output).toContain(`    pool members (${made.pools[0]}): ACTIVE, ONLINE`);
    expect(shown.output).toMatch(/member 2001:db8::1 port 8080 \([0-9a-f-]{36}\): ACTIVE/);
    expect((await run(['lb', 'explain', made.id])).output).toContain('loadBalancerCreated');
    const zeros = { bytesIn: 0, bytesOut: 0, activeConnections: 0, totalConnections: 0, requestErrors: 0 };
    const counted = await json<{ listeners: object[] }>('lb', 'stats', 'web');
    expect(counted).toMatchObject({ id: made.id, ...zeros, listeners: [zeros] });
    expect((await run(['lb', 'stats', 'web'])).output).toMatch(/^LISTENER .*\nall +0 +0 +0 +0 +0 *\n/);
    const amphorae = await json<{ id: string; loadBalancerId: string }[]>('amphora', 'ls', '--lb', 'web');
    expect(await json('amphora', 'stats', amphorae[0]?.id ?? '')).toEqual([]);
    expect(amphorae.map((amphora) => amphora.loadBalancerId)).toEqual([made.id]);
    const replaced = amphorae[0]?.id ?? '';
    expect(await run(['amphora', 'failover', replaced, '--wait'])).toEqual({
      status: 0,
      output: `amphora ${replaced} is replaced\n`,
    });
    const others = await json<{ id: string; status: string }[]>('amphora', 'ls', '--lb', 'web');
    expect(others).toMatchObject([{ id: expect.not.stringContaining(replaced), status: 'ALLOCATED' }]);
    expect(await json('lb', 'show', 'web')).toMatchObject({ provisioningStatus: 'ACTIVE' });

    expect(await run(['lb', 'delete', 'web'])).toMatchObject({
      status: 1,
      output: expect.stringContaining('it has children: --cascade deletes'),
    });
    expect((await run(['lb', 'delete', 'web', '--cascade', '--wait'])).status).toBe(0);
    expect(await run(['lb', 'show', 'web'])).toEqual({
      status: 1,
      output: 'amphi: there is no load balancer with the id or name web\n',
    });
  });

  test('creates what a file says', async () => {
    const file = join(amphi.dataDir, 'tree.yaml');
    const pool = '{protocol: HTTP, lbAlgorithm: SOURCE_IP}';
    const listeners = `[{name: front, protocol: HTTP, protocolPort: 80, defaultPool: ${pool}, l7Policies: [{action: REJECT}]}]`;
    const pools = '[{name: idle, protocol: TCP, lbAlgorithm: SOURCE_IP}]';
    writeFileSync(file, `name: filed\nprojectId: demo\nlisteners: ${listeners}\npools: ${pools}\n`);
    const made = await json<LoadBalancerView>('lb', 'create', '--file', file, '--name', 'renamed', '--wait');
    expect(made).toMatchObject({ name: 'renamed', listeners: [expect.any(String)] });
    expect(made.pools).toHaveLength(2);
    const { output } = await run(['lb', 'show', 'renamed']);
    expect(output).toMatch(
      /^ {2}listener front, HTTP port 80 .*\n {4}L7 policy REJECT .*\n {4}pool \([^]*^ {2}pool idle, of no listener /m,
    );
    expect((await run(['lb', 'create', '--file', '/nowhere'])).output).toContain('/nowhere cannot be read');
    const both = await run(['lb', 'create', '--file', file, '--listener', 'tcp:99']);
    expect(both).toMatchObject({ status: 1, output: expect.stringContaining('expected no --listener beside it') });
  });

  test('says what is missing when a load balancer is created for no project, or of a flavor that is not there', async () => {
    expect(await run(['lb', 'create'])).toMatchObject({
      status: 1,
      output: expect.stringContaining('--project: expected'),
    });
    const ofFlavor = await run(['lb', 'create', '--project', 'demo', '--flavor', 'gold']);
    expect(ofFlavor).toMatchObject({
      status: 1,
      output: expect.stringContaining('no flavor with the id or name gold'),
    });
  });

  test('shows held failovers, and takes a release back', async () => {
    expect((await run(['failovers'])).output).toMatch(/^no failover is held\n60 of 60 failovers are left/);
    expect(await json('failovers', 'release', '--zone', 'az1')).toMatchObject([{ scope: 'zone', name: 'az1' }]);
    expect(await run(['failovers', 'revoke', '--all'])).toEqual({
      status: 1,
      output: 'amphi: There is no release of the fleet\n',
    });
    expect(await run(['failovers', 'revoke', '--zone', 'az1'])).toEqual({
      status: 0,
      output: 'no release is in force\n',
    });
    expect((await run(['maintenance'])).output).toBe('no maintenance is in force\n');
  });

  test('shows actors, spares, nodes, dead letters, settings and the database', async () => {
    const tree = await run(['actors', 'tree']);
    expect(tree.output).toMatch(/^system\n├── amphorae\n/);
    expect(await json('actors', 'show', 'spares-pool')).toMatchObject({ path: 'spares-pool', state: { size: 1 } });
    expect(await run(['actors', 'show', 'nobody'])).toMatchObject({ status: 1 });
    expect(await json('spares')).toMatchObject({ size: 1 });
    expect(await json<unknown[]>('nodes')).toHaveLength(1);
    expect(await json('dead-letters')).toEqual([]);
    expect((await run(['alerts'])).output).toBe('no alert is open\n');
    const unknown = `lb-${'0'.repeat(8)}-0000-4000-8000-000000000000`;
    expect((await run(['actors', 'history', unknown])).output).toContain(`the journal has nothing of ${unknown}`);
    expect(await json('db', 'status')).toMatchObject({ migrationsMissing: 0, synchronousCommit: 'on', warnings: [] });
    expect((await run(['config', 'check'])).output).toBe('the settings are in order\n');
    expect(await run(['config', 'check'], { AMPHI_CONTROL_PORT: 'x' })).toMatchObject({
      status: 1,
      output: expect.stringContaining('control.port (AMPHI_CONTROL_PORT): expected a port'),
    });
  });

  test('a command line that makes no sense ends with 2 and names what is wrong', async () => {
    for (const args of [
      ['bogus'],
      ['lb', 'ls', '--bogus'],
      ['lb', 'show'],
      ['lb', 'ls', '-o', 'xml'],
      ['up', '--driver', 'x'],
      ['actors', 'history', 'lb-x', '--limit', 'many'],
      ['nodes', 'drain', 'x', '--wait', '--timeout', 'long'],
      ['failovers', 'release', '--all', '--minutes', '1.5'],
      ['amphora', 'configure', '--all', '--per-second', '0'],
    ]) {
      expect(await run(args)).toMatchObject({ status: 2, output: expect.stringContaining('error: ') });
    }
    expect(await run(['lb', 'create', '--listener', 'http'])).toMatchObject({
      status: 2,
      output: expect.stringContaining('such as http:80'),
    });
  });

  test('says that the address is not that of a control port, and ends', async () => {
    const elsewhere = await run(['lb', 'ls'], { AMPHI_URL: `ws://127.0.0.1:${running.apiPort}`, AMPHI_TOKEN: 'x' });
    expect(elsewhere).toMatchObject({ status: 1, output: expect.stringContaining('404 (is it the control port?)') });
    const nowhere = await run(['lb', 'ls'], { AMPHI_URL: 'ws://127.0.0.1:1', AMPHI_TOKEN: 'x' });
    expect(nowhere).toMatchObject({ status: 1, output: expect.stringContaining('nothing listens there') });
  });

  test('the token is needed, and nothing of it is in what other users can read', async () => {
    const { output } = await run(['lb', 'ls'], { AMPHI_TOKEN: 'wrong' });
    expect(output).toContain('the token was not accepted');
    for (const name of ['control.token', 'run.json', 'heartbeat.key']) {
      expect(statSync(join(amphi.dataDir, name)).mode & 0o777).toBe(0o600);
    }
    const token = readFileSync(join(amphi.dataDir, 'control.token'), 'utf8').trim();
    expect(running.process.output()).not.toContain(token);
  });

  test('/metrics counts what happens', async () => {
    const token = readFileSync(join(amphi.dataDir, 'control.token'), 'utf8').trim();
    const response = await fetch(`http://127.0.0.1:${running.controlPort}/metrics`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const text = await response.text();
    expect(Number(/^amphi_journal_entries_total (\d+)/m.exec(text)?.[1])).toBeGreaterThan(0);
    expect(text).toMatch(/^amphi_live_actors\{kind="sparesPool"\} 1$/m);
    expect(text).toMatch(/^amphi_heartbeats_total\{outcome="badSignature"\} 0$/m);
    expect((await fetch(`http://127.0.0.1:${running.controlPort}/readyz`)).status).toBe(200);
  });

  test('a command finds the controller where it listens, whatever the settings of its own shell say', async () => {
    const elsewhere = { AMPHI_CONTROL_HOST: '127.0.0.9', AMPHI_CONTROL_PORT: '1' };
    expect(await run(['lb', 'ls'], elsewhere)).toMatchObject({ status: 0 });
  });

  test('a second controller on the same data folder is refused', async () => {
    const second = await run(['up', '--driver', 'noop'], { AMPHI_CONTROL_PORT: '0', AMPHI_HEARTBEAT_PORT: '0' });
    expect(second).toMatchObject({ status: 1, output: expect.stringContaining(`pid ${running.process.pid}`) });
  });

  // Last: it ends what the others use.
  test('down stops the controller and PostgreSQL, also when the controller was killed, and commands say so', async () => {
    running.process.kill('SIGKILL');
    await running.process.ended;
    const lost = await run(['lb', 'ls']);
    expect(lost).toMatchObject({
      status: 1,
      output: expect.stringMatching(/no controller runs .*run\.json names process \d+, which has ended/),
    });
    expect(await json('down')).toEqual({ controller: null, amphorae: 0, postgres: true });
    expect(await json('down')).toEqual({ controller: null, amphorae: 0, postgres: false });
    expect((await run(['lb', 'ls'])).output).toContain('there is no ');
  });
});
