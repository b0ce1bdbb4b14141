// Amphorae whose configuration somebody changes behind the controller's back.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createWeb, fetchFrom, untilActive, useAmphi, useBackends } from '../support/amphi.ts';
import { waitFor } from '../support/wait-for.ts';

const amphi = useAmphi('chaos-drift');
const backends = useBackends(['one', 'two']);

test('an amphora whose configuration was changed or deleted by somebody gets its own again, and serves on', async () => {
  const running = await amphi.up({ AMPHI_SPARES_SIZE: '0', AMPHI_DRIFT_INTERVAL: '0.5' });
  const client = await running.connect();
  const { id } = await createWeb(client, await backends.ports(), 8080);
  const vip = await untilActive(client, id);
  const [amphora] = (await client.call('amphora.list', { loadBalancerId: id })).items;
  const file = join(amphi.dataDir, 'amphorae', amphora?.id ?? '', 'lib/octavia', id, 'haproxy.cfg');
  const proper = readFileSync(file, 'utf8');
  const events = async () => {
    const rows = await running.query<{ events: { type: string }[] }>(
      'select events from journal where entity_id = $1 order by seq',
      [id],
    );
    return rows.flatMap((row) => row.events.map(({ type }) => type));
  };
  const metric = async (name: string) => {
    const token = readFileSync(join(amphi.dataDir, 'control.token'), 'utf8').trim();
    const headers = { authorization: `Bearer ${token}` };
    const text = await (await fetch(`http://127.0.0.1:${running.controlPort}/metrics`, { headers })).text();
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
  };

  // What is as it should be is left alone.
  await waitFor(async () => (await metric('amphi_drift_looks_total')) > 3, { describe: 'looks', timeoutMs: 20_000 });
  expect(await events()).not.toContain('confirmationDue');

  const isRepaired = () => existsSync(file) && readFileSync(file, 'utf8') === proper;
  writeFileSync(file, proper.replace('maxconn', '# maxconn'));
  await waitFor(isRepaired, { describe: 'the file to be put right', timeoutMs: 20_000 });
  await untilActive(client, id);

  rmSync(file);
  await waitFor(isRepaired, { describe: 'the file to be back', timeoutMs: 20_000 });
  await untilActive(client, id);
  expect(['one', 'two']).toContain(await fetchFrom(vip, 8080));
  expect((await events()).filter((type) => type === 'confirmationDue')).toHaveLength(2);
  expect(await metric('amphi_drift_repairs_total')).toBe(2);
  expect((await client.call('amphora.list', { loadBalancerId: id })).items[0]?.id).toBe(amphora?.id);
  await running.stop();
});

test('what LVS serves is looked at too, and put right', async () => {
  const running = await amphi.up({ AMPHI_SPARES_SIZE: '0', AMPHI_DRIFT_INTERVAL: '0.5' });
  const client = await running.connect();
  const vipSubnetId = (await client.call('subnet.list', {})).items[0]?.id ?? '';
  const [port = 0] = await backends.ports();
  const { loadBalancer } = await client.call('loadBalancer.create', {
    projectId: 'test',
    vipSubnetId,
    listeners: [{ protocol: 'UDP', protocolPort: 5353, defaultPool: { name: 'names' } }],
    pools: [
      {
        name: 'names',
        protocol: 'UDP',
        lbAlgorithm: 'ROUND_ROBIN',
        members: [{ address: '127.0.0.1', protocolPort: port }],
      },
    ],
  });
  const id = loadBalancer?.id ?? '';
  await untilActive(client, id, false);
  const confirmed = () =>
    running.query(`select 1 from journal where entity_id = $1 and events::text like '%confirmationDue%'`, [id]);
  const listenerId = loadBalancer?.listeners[0]?.id ?? '';
  const [amphora] = (await client.call('amphora.list', { loadBalancerId: id })).items;
  const root = join(amphi.dataDir, 'amphorae', amphora?.id ?? '', 'lib/octavia');
  const file = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((name) => join(root, name))
    .find((name) => name.includes(listenerId) && name.endsWith('.conf'));
  if (file === undefined) throw new Error(`no configuration of listener ${listenerId} below ${root}`);
  const proper = readFileSync(file, 'utf8');
  writeFileSync(file, `${proper}# by somebody\n`);
  await waitFor(() => existsSync(file) && readFileSync(file, 'utf8') === proper, {
    describe: 'the file to be put right',
    timeoutMs: 20_000,
  });
  await untilActive(client, id, false);
  expect(await confirmed()).toHaveLength(1);
  await running.stop();
});
