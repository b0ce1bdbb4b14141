// A backup is restored that is older than what runs: real amphorae, a real database, nothing but the data folder to notice by.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import pg from 'pg';
import type { RestoreView } from '../../src/channels/inspect/methods.ts';
import { startEmbeddedPostgres } from '../../src/db/embedded-postgres.ts';
import { amphoraProcesses, createWeb, untilActive, useAmphi, useBackends } from '../support/amphi.ts';
import { packageRoot } from '../support/built.ts';
import { waitFor } from '../support/wait-for.ts';

const amphi = useAmphi('restore');
const backends = useBackends(['one']);

function run(...args: readonly string[]) {
  const all = ['--data-dir', amphi.dataDir, '-o', 'json', ...args];
  const { stdout, stderr, status } = spawnSync(join(packageRoot, 'bin/amphi'), all, { encoding: 'utf8' });
  return { stdout, stderr, status };
}

/** While no node runs. */
async function administer(...statements: readonly ((name: string) => string)[]): Promise<void> {
  const server = await startEmbeddedPostgres({ dataDir: amphi.dataDir, log: () => undefined });
  const url = new URL(server.url);
  const name = url.pathname.slice(1);
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  for (const statement of statements) await client.query(statement(name));
  await client.end();
  await server.stop('fast');
}

test('nodes look and do not act on an older backup until an operator says so, and then all is served again', async () => {
  const settings = { AMPHI_SPARES_SIZE: '0', AMPHI_SWEEP_GRACE: '0', AMPHI_SWEEP_INTERVAL: '1' };
  const ports = await backends.ports();
  const first = await amphi.up(settings);
  let client = await first.connect();
  const { id: deletedLater } = await createWeb(client, ports, 8080);
  await untilActive(client, deletedLater);
  await first.stop();
  await administer((name) => `create database backup template ${name}`);

  const second = await amphi.up(settings);
  client = await second.connect();
  const amphoraOf = async (id: string) =>
    (await second.query<{ id: string }>('select id from amphorae where load_balancer_id = $1', [id]))[0]?.id ?? '';
  const lost = await amphoraOf(deletedLater);
  await client.call('loadBalancer.delete', { id: deletedLater, cascade: true });
  await waitFor(() => amphoraProcesses(amphi.dataDir).length === 0, { describe: 'its amphora to go' });
  const { id: madeLater } = await createWeb(client, ports, 8080);
  await untilActive(client, madeLater);
  const unknown = await amphoraOf(madeLater);
  await second.stop();
  await administer(
    (name) => `drop database ${name}`,
    (name) => `alter database backup rename to ${name}`,
  );

  const third = await amphi.up(settings);
  client = await third.connect();
  const checked = run('db', 'restore-check');
  expect(checked).toMatchObject({ status: 1, stderr: expect.stringContaining('restored from an older backup') });
  const found = JSON.parse(checked.stdout) as RestoreView;
  expect(found.differences.map(({ kind, amphoraId, loadBalancerId }) => [kind, amphoraId, loadBalancerId])).toEqual([
    ['unknownInstance', unknown, null],
    ['missingInstance', lost, deletedLater],
    ['unservedLoadBalancer', null, deletedLater],
  ]);
  // It goes on living, and takes nothing: what owns no shard has no chores, judges no silence and answers no command.
  const lease = async () =>
    (
      await third.query<{ at: Date }>('select lease_until as at from nodes where stopped_at is null')
    )[0]?.at.getTime() ?? 0;
  const before = await lease();
  await waitFor(async () => (await lease()) > before + 5_000, { timeoutMs: 20_000, describe: 'two renewals' });
  expect(await third.query('select family, shard from shards where owner is not null')).toEqual([]);
  expect(amphoraProcesses(amphi.dataDir).some((one) => one.amphoraId === unknown)).toBe(true);

  expect(run('db', 'restore-check', '--accept')).toMatchObject({ status: 0, stderr: '' });
  await waitFor(() => !amphoraProcesses(amphi.dataDir).some((one) => one.amphoraId === unknown), {
    timeoutMs: 30_000,
    describe: 'the sweep to remove what nobody knows',
  });
  await untilActive(client, deletedLater);
  expect(run('db', 'restore-check')).toMatchObject({ status: 0 });
  await third.stop();
});
