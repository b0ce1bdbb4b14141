import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import {
  amphoraProcesses,
  createWeb,
  fetchFrom,
  type RunningAmphi,
  untilActive,
  useAmphi,
  useBackends,
} from '../support/amphi.ts';
import { waitFor } from '../support/wait-for.ts';

const amphi = useAmphi('chaos-controller');
const backends = useBackends(['one', 'two']);
const settings = { AMPHI_SPARES_SIZE: '1' };

/** Nothing is on its way, and every amphora process belongs to an amphora that the database knows. */
async function expectSettled(running: RunningAmphi): Promise<void> {
  await waitFor(async () => (await running.query('select 1 from entities where has_work')).length === 0, {
    timeoutMs: 30_000,
    describe: 'all work to be done',
  });
  const pending = await running.query(`select id from load_balancers where provisioning_status like 'PENDING%'`);
  expect(pending).toEqual([]);
  const known = (await running.query<{ id: string }>('select id from amphorae')).map((row) => row.id);
  await waitFor(() => amphoraProcesses(amphi.dataDir).every((one) => known.includes(one.amphoraId)), {
    describe: 'no process that no row claims',
  });
}

describe('when the controller is killed', () => {
  test('in the middle of a create, its successor finishes it, and the same command gets the same answer', async () => {
    const ports = await backends.ports();
    let running = await amphi.up(settings);
    let client = await running.connect();
    const commandId = randomUUID();
    const { id } = await createWeb(client, ports, 8080, commandId);
    await running.kill();
    running = await amphi.up(settings);
    client = await running.connect();
    expect((await createWeb(client, ports, 8080, commandId)).id).toBe(id);
    const vip = await untilActive(client, id);
    expect(['one', 'two']).toContain(await fetchFrom(vip, 8080));
    await expectSettled(running);
    await running.stop();
  });

  test('in the middle of creates and updates, all of them are finished', async () => {
    const ports = await backends.ports();
    let running = await amphi.up(settings);
    let client = await running.connect();
    const ids: string[] = [];
    for (let index = 0; index < 4; index++) ids.push((await createWeb(client, ports, 8080)).id);
    const listenerOf = async (id: string) => (await client.call('loadBalancer.status', { id })).listeners[0]?.id ?? '';
    for (const id of ids.slice(0, 2)) {
      await client.call('listener.update', { id: await listenerOf(id), connectionLimit: 77 });
    }
    await running.kill();
    running = await amphi.up(settings);
    client = await running.connect();
    for (const id of ids) await untilActive(client, id);
    for (const id of ids.slice(0, 2)) {
      const listener = await client.call('listener.show', { id: await listenerOf(id) });
      expect(listener).toMatchObject({ connectionLimit: 77, provisioningStatus: 'ACTIVE' });
    }
    await expectSettled(running);
    for (const id of ids) await client.call('loadBalancer.delete', { id, cascade: true });
    await waitFor(
      async () => (await running.query('select 1 from load_balancers where id = any($1)', [ids])).length === 0,
      {
        timeoutMs: 30_000,
        describe: 'load balancers to be gone',
      },
    );
    await running.stop();
  });

  test('traffic goes on without it, and its successor takes amphorae over without touching them', async () => {
    let running = await amphi.up(settings);
    let client = await running.connect();
    const { id } = await createWeb(client, await backends.ports(), 8080);
    const vip = await untilActive(client, id);
    await running.kill();
    const before = amphoraProcesses(amphi.dataDir);
    expect(['one', 'two']).toContain(await fetchFrom(vip, 8080));
    running = await amphi.up(settings);
    client = await running.connect();
    await untilActive(client, id);
    const isSame = amphoraProcesses(amphi.dataDir).map((one) => one.pid);
    for (const { pid } of before) expect(isSame).toContain(pid);
    await running.stop();
    expect(['one', 'two']).toContain(await fetchFrom(vip, 8080));
  });
});

test('after a reboot, amphorae that are gone are replaced without waiting for their silence', async () => {
  let running = await amphi.up(settings);
  let client = await running.connect();
  const { id } = await createWeb(client, await backends.ports(), 8080);
  const vip = await untilActive(client, id);
  await running.stop();
  for (const { group } of amphoraProcesses(amphi.dataDir).filter((one) => one.isAgent)) process.kill(-group, 'SIGKILL');
  running = await amphi.up({ ...settings, AMPHI_HEARTBEAT_TIMEOUT: '600' });
  client = await running.connect();
  await waitFor(() => fetchFrom(vip, 8080), { timeoutMs: 30_000, describe: 'the VIP to answer again' });
  await expectSettled(running);
  await running.stop();
});

describe('silence that is our own', () => {
  test('is no reason for a failover: neither a controller that was stopped nor a database that was away', async () => {
    const running = await amphi.up(settings);
    const client = await running.connect();
    const { id } = await createWeb(client, await backends.ports(), 8080);
    await untilActive(client, id);
    const amphorae = async () =>
      (await running.query<{ id: string }>('select id from amphorae order by id')).map((row) => row.id);
    const before = await amphorae();
    // Two time-outs, in which nobody reads heartbeats.
    running.process.kill('SIGSTOP');
    await wait(7_000);
    running.process.kill('SIGCONT');
    await untilActive(client, id);
    const postmaster = await running.query<{ pid: string }>(
      `select (string_to_array(pg_read_file('postmaster.pid'), E'\\n'))[1] as pid`,
    );
    process.kill(Number(postmaster[0]?.pid), 'SIGKILL');
    // It is started again, and a command that was sent meanwhile is carried out.
    await client.call('loadBalancer.update', { id, name: 'renamed' });
    expect(await client.call('loadBalancer.show', { id })).toMatchObject({ name: 'renamed' });
    await untilActive(client, id);
    expect(await amphorae()).toEqual(before);
    expect(readFileSync(`/proc/${running.process.pid}/stat`, 'utf8')).toContain('node');
    await running.stop();
  });
});
