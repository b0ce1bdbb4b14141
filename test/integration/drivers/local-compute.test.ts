import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AmphoraId, DeploymentId } from '../../../src/domain/ids.ts';
import { freeAddress } from '../../../src/drivers/compute/local/address.ts';
import { localCompute } from '../../../src/drivers/compute/local/driver.ts';
import { type AmphoraProcess, amphoraProcesses } from '../../../src/drivers/compute/local/processes.ts';
import { stopLocalAmphorae } from '../../../src/drivers/compute/local/stop-all.ts';
import { packageRoot } from '../../support/built.ts';
import { isRunning } from '../../support/processes.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const folder = tempFolder('local-compute');
const deploymentId = randomUUID() as DeploymentId;
const signal = new AbortController().signal;
const managementSubnet = '127.202.0.0/16';
const agentMain = join(packageRoot, 'test/support/stand-in-agent.js');
const connect = () => localCompute({ folder, managementSubnet, deploymentId, agentMain, haproxy: '/opt/haproxy' });
const driver = connect();
let amphoraId: AmphoraId;
let home: string;

beforeEach(() => {
  amphoraId = randomUUID() as AmphoraId;
  home = join(folder, amphoraId);
});
afterEach(async () => {
  await driver.delete(amphoraId, signal);
  expect(family()).toEqual([]);
});

const family = (): readonly AmphoraProcess[] => amphoraProcesses().filter((one) => one.folder === home);

function create(files: Record<string, string> = {}) {
  return driver.create(
    { amphoraId, deploymentId, files: { 'amphora-agent.conf': '[amphora_agent]\n', ...files } },
    signal,
  );
}

/** The agent and its child, once both run. */
async function whole(): Promise<{ agent: AmphoraProcess; child: AmphoraProcess }> {
  const both = () => (family().some((one) => !one.isAgent) ? family() : undefined);
  const members = await waitFor(both, { describe: 'the agent and its child' });
  const [agent, child] = [members.find((one) => one.isAgent), members.find((one) => !one.isAgent)];
  if (agent === undefined || child === undefined) throw new Error('agent or child is missing');
  return { agent, child };
}

describe('a local amphora', () => {
  test('gets its files with mode 0600, and settings that name address, haproxy and its own folder', async () => {
    const { agent } = await create({ 'certs/server.pem': 'secret' });
    const pem = join(home, 'etc/octavia/certs/server.pem');
    expect(readFileSync(pem, 'utf8')).toBe('secret');
    expect([statSync(pem).mode & 0o777, statSync(home).mode & 0o777]).toEqual([0o600, 0o700]);
    const conf = readFileSync(join(home, 'etc/octavia/amphora-agent.conf'), 'utf8');
    expect(conf).toContain(
      `bind_host = ${agent?.host}\nbind_port = 9443\nbase_path = ../../lib/octavia\nhaproxy_cmd = /opt/haproxy`,
    );
    expect(agent?.host).toMatch(/^127\.202\./);
  });

  test('runs in a session of its own and inherits no variable of the controller', async () => {
    process.env['AMPHI_TEST_SECRET'] = 'hunter2';
    await create();
    const { agent, child } = await whole();
    expect(agent.processGroup).toBe(agent.pid);
    expect(child.processGroup).toBe(agent.pid);
    expect(readFileSync(`/proc/${agent.pid}/environ`, 'latin1')).not.toContain('hunter2');
    delete process.env['AMPHI_TEST_SECRET'];
  });

  test('a file that leads out of the folder is a permanent failure', async () => {
    await expect(create({ '../../../evil': 'x' })).rejects.toMatchObject({ name: 'PermanentFailure' });
    expect(existsSync(join(folder, '..', 'evil'))).toBe(false);
  });
});

describe('after a crash of the controller', () => {
  test('between start and record, create adopts what runs', async () => {
    const created = await create();
    const record = JSON.parse(readFileSync(join(home, 'local.json'), 'utf8')) as Record<string, unknown>;
    writeFileSync(join(home, 'local.json'), JSON.stringify({ ...record, pid: undefined, startedAt: undefined }));
    expect(await connect().get(amphoraId, signal)).toEqual(created);
    expect(await create()).toEqual(created);
    expect(family().filter((one) => one.isAgent)).toHaveLength(1);
    expect(JSON.parse(readFileSync(join(home, 'local.json'), 'utf8'))).toEqual(record);
  });

  test('between folder and start, the instance is STOPPED and create starts it', async () => {
    mkdirSync(home);
    expect(await driver.get(amphoraId, signal)).toMatchObject({ status: 'STOPPED', agent: undefined });
    expect(await driver.list(signal)).toMatchObject([{ amphoraId, status: 'STOPPED' }]);
    expect(await create()).toMatchObject({ status: 'ACTIVE' });
  });

  test('who ended it by intent is known until it is started again', async () => {
    const started = await create();
    await whole();
    expect(await stopLocalAmphorae(folder)).toBe(1);
    expect(await driver.list(signal)).toMatchObject([{ status: 'STOPPED', fault: 'amphi down has ended it' }]);
    expect(await create()).toMatchObject({ status: 'ACTIVE', agent: started.agent });
    const { agent } = await whole();
    process.kill(-agent.pid, 'SIGKILL');
    await waitFor(() => family().length === 0, { describe: 'the amphora to end' });
    expect((await driver.get(amphoraId, signal))?.fault).toBeUndefined();
  });

  test('processes whose folder is gone are listed and can be deleted', async () => {
    await create();
    const { agent, child } = await whole();
    rmSync(home, { recursive: true });
    expect(await driver.list(signal)).toMatchObject([{ amphoraId, status: 'ERROR' }]);
    await driver.delete(amphoraId, signal);
    expect([isRunning(agent.pid), isRunning(child.pid)]).toEqual([false, false]);
    expect(await driver.list(signal)).toEqual([]);
  });

  test('a process id that belongs to somebody else by now is not taken for the agent', async () => {
    await create();
    const { agent } = await whole();
    process.kill(-agent.pid, 'SIGKILL');
    await waitFor(() => family().length === 0, { describe: 'the amphora to end' });
    const record = JSON.parse(readFileSync(join(home, 'local.json'), 'utf8')) as Record<string, unknown>;
    writeFileSync(join(home, 'local.json.new'), JSON.stringify({ ...record, pid: process.pid }));
    renameSync(join(home, 'local.json.new'), join(home, 'local.json'));
    expect(await driver.get(amphoraId, signal)).toMatchObject({ status: 'STOPPED' });
    await driver.delete(amphoraId, signal);
    expect(isRunning(process.pid)).toBe(true);
  });
});

describe('delete ends everything', () => {
  test('when the agent is stopped by SIGSTOP', async () => {
    await create();
    const { agent, child } = await whole();
    process.kill(agent.pid, 'SIGSTOP');
    expect(await driver.get(amphoraId, signal)).toMatchObject({ status: 'ACTIVE' });
    await driver.delete(amphoraId, signal);
    expect([isRunning(agent.pid), isRunning(child.pid)]).toEqual([false, false]);
    expect(existsSync(home)).toBe(false);
  });

  test('when only what the agent started has survived', async () => {
    await create();
    const { agent, child } = await whole();
    process.kill(agent.pid, 'SIGKILL');
    await waitFor(() => !isRunning(agent.pid), { describe: 'the agent to end' });
    expect(await driver.get(amphoraId, signal)).toMatchObject({
      status: 'ERROR',
      fault: expect.stringMatching(/agent has ended/),
    });
    await driver.delete(amphoraId, signal);
    expect(isRunning(child.pid)).toBe(false);
  });

  test('and leaves the other amphorae alone', async () => {
    const other = randomUUID() as AmphoraId;
    const { computeId } = await driver.create({ amphoraId: other, deploymentId, files: {} }, signal);
    await create();
    await driver.delete(amphoraId, signal);
    expect(await driver.get(other, signal)).toMatchObject({ status: 'ACTIVE', computeId });
    await driver.delete(other, signal);
  });
});

test('an address whose port is taken is passed over for the next', async () => {
  const first = await freeAddress(amphoraId, managementSubnet, () => false);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(9443, first, resolve));
  const second = await freeAddress(amphoraId, managementSubnet, () => false);
  server.close();
  expect(second).toBeDefined();
  expect(second).not.toBe(first);
  expect(await freeAddress(amphoraId, managementSubnet, (address) => address === first)).toBe(second);
});

test('an amphora that was made from another data folder is seen, and destroyed whole', async () => {
  await create();
  const elsewhere = join(folder, 'another-data-folder');
  const other = localCompute({ folder: elsewhere, managementSubnet, deploymentId, agentMain, haproxy: '/opt/haproxy' });
  const listed = await other.list(signal);
  expect(listed.find((instance) => instance.amphoraId === amphoraId)?.status).not.toBe('STOPPED');
  expect(listed.map((instance) => instance.amphoraId)).toContain(amphoraId);
  await other.delete(amphoraId, signal);
  expect(amphoraProcesses().filter((one) => one.folder === home)).toEqual([]);
});
