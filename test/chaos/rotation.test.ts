// What amphorae were given at their boot, replaced while they serve: their certificate, and the key of their heartbeats.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { packageRoot } from '../support/built.ts';
import { createWeb, fetchFrom, type RunningAmphi, untilActive, useAmphi, useBackends } from '../support/amphi.ts';
import { processes } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const amphi = useAmphi('chaos-rotation');
const backends = useBackends(['one', 'two']);
const start = processes();
const settings = { AMPHI_SPARES_SIZE: '1' };

const fileOf = (amphoraId: string, name: string) =>
  readFileSync(join(amphi.dataDir, 'amphorae', amphoraId, 'etc/octavia', name), 'utf8');

const fingerprintOf = (amphoraId: string) =>
  new X509Certificate(fileOf(amphoraId, 'certs/server.pem')).fingerprint256.replaceAll(':', '').toLowerCase();

async function amphoraOf(running: RunningAmphi, id: string): Promise<string> {
  const rows = await running.query<{ id: string }>('select id from amphorae where load_balancer_id = $1', [id]);
  expect(rows).toHaveLength(1);
  return rows[0]?.id ?? '';
}

test('a certificate whose replacement is under way when the controller is killed is replaced by its successor', async () => {
  let running = await amphi.up(settings);
  let client = await running.connect();
  const { id } = await createWeb(client, await backends.ports(), 8080);
  const vip = await untilActive(client, id);
  const amphoraId = await amphoraOf(running, id);
  const before = fingerprintOf(amphoraId);
  const commandId = 'rotate-it';
  expect((await client.call('amphora.rotateCertificate', { id: amphoraId, commandId })).amphora).toMatchObject({
    certificateBusy: true,
    certificateFingerprint: before,
  });
  await running.kill();
  expect(['one', 'two']).toContain(await fetchFrom(vip, 8080));
  running = await amphi.up(settings);
  client = await running.connect();
  const after = await waitFor(
    async () => {
      const shown = await client.call('amphora.show', { id: amphoraId });
      return shown.certificateBusy ? undefined : shown.certificateFingerprint;
    },
    { timeoutMs: 30_000, describe: 'the certificate to be replaced' },
  );
  expect(after).not.toBe(before);
  expect(fingerprintOf(amphoraId)).toBe(after);
  // The controller speaks with the agent under its new certificate.
  const listenerId = (await client.call('loadBalancer.status', { id })).listeners[0]?.id ?? '';
  await client.call('listener.update', { id: listenerId, connectionLimit: 77 });
  await untilActive(client, id);
  expect(await amphoraOf(running, id)).toBe(amphoraId);
  expect(['one', 'two']).toContain(await fetchFrom(vip, 8080));
  await running.stop();
});

describe('the heartbeat key', () => {
  const next = 'the-next-heartbeat-key';

  const accepted = async (running: RunningAmphi): Promise<Readonly<Record<string, number>>> => {
    const token = readFileSync(join(amphi.dataDir, 'control.token'), 'utf8').trim();
    const headers = { authorization: `Bearer ${token}` };
    const text = await (await fetch(`http://127.0.0.1:${running.controlPort}/metrics`, { headers })).text();
    const counts = text.matchAll(/^amphi_heartbeats_total\{outcome="(\w+)"\} (\d+)$/gm);
    return Object.fromEntries(Array.from(counts, ([, outcome = '', count]) => [outcome, Number(count)]));
  };

  test('is replaced step by step, and nobody is failed over', async () => {
    let running = await amphi.up(settings);
    const old = readFileSync(join(amphi.dataDir, 'heartbeat.key'), 'utf8').trim();
    let client = await running.connect();
    const { id } = await createWeb(client, await backends.ports(), 8081);
    const vip = await untilActive(client, id);
    const serving = await amphoraOf(running, id);
    await running.stop();

    running = await amphi.up({ ...settings, AMPHI_HEARTBEAT_KEY: next, AMPHI_HEARTBEAT_OTHER_KEY: old });
    client = await running.connect();
    await untilActive(client, id);
    await waitFor(async () => ((await accepted(running))['otherKey'] ?? 0) > 0, {
      describe: 'the old key to be taken',
    });
    expect(fileOf(serving, 'amphora-agent.conf')).toContain(old);
    const env = { AMPHI_DATA_DIR: amphi.dataDir };
    const cli = start(join(packageRoot, 'bin/amphi'), ['amphora', 'configure', '--all', '--per-second', '50'], { env });
    expect([await cli.ended, cli.output()]).toEqual([
      0,
      expect.stringMatching(/^(\d+) of \1 are given their configuration/),
    ]);
    await waitFor(() => fileOf(serving, 'amphora-agent.conf').includes(next), { describe: 'the new key in the file' });
    await waitFor(
      async () => {
        const { otherKey: first, accepted: all = 0 } = await accepted(running);
        await waitFor(async () => ((await accepted(running))['accepted'] ?? 0) > all + 4, { describe: 'heartbeats' });
        return (await accepted(running))['otherKey'] === first;
      },
      { timeoutMs: 60_000, describe: 'nobody to use the old key any more' },
    );
    await running.stop();

    running = await amphi.up({ ...settings, AMPHI_HEARTBEAT_KEY: next });
    client = await running.connect();
    await untilActive(client, id);
    await waitFor(async () => ((await accepted(running))['accepted'] ?? 0) > 5, { describe: 'heartbeats' });
    expect((await accepted(running))['badSignature']).toBe(0);
    expect(await amphoraOf(running, id)).toBe(serving);
    expect(['one', 'two']).toContain(await fetchFrom(vip, 8081));
    await running.stop();
  });
});
