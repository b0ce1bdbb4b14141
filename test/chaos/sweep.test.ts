import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { amphoraProcesses, createWeb, untilActive, useAmphi, useBackends } from '../support/amphi.ts';
import { packageRoot } from '../support/built.ts';
import { waitFor } from '../support/wait-for.ts';

const amphi = useAmphi('sweep');
const backends = useBackends(['one']);

interface Report {
  readonly removed: readonly string[];
  readonly due: readonly string[];
  readonly waiting: readonly { readonly amphoraId: string }[];
}

function sweep(...flags: readonly string[]): Report {
  const args = ['--data-dir', amphi.dataDir, '-o', 'json', 'housekeeping', 'sweep', ...flags];
  const { stdout, stderr, status } = spawnSync(join(packageRoot, 'bin/amphi'), args, { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Report;
}

test('an instance that no amphora knows is removed at its second sight, and nothing else is', async () => {
  const running = await amphi.up({ AMPHI_SPARES_SIZE: '1', AMPHI_SWEEP_GRACE: '0', AMPHI_SWEEP_INTERVAL: '3600' });
  const client = await running.connect();
  const { id } = await createWeb(client, await backends.ports(), 8080);
  await untilActive(client, id);
  await waitFor(async () => (await client.call('spares.show', {})).ready === 1, { describe: 'a spare' });
  const [spare] = await running.query<{ id: string }>(`select id from amphorae where status = 'READY'`);
  const orphan = spare?.id ?? '';
  // As after a restore from a backup that is older than this amphora.
  await running.query('update entities set is_over = true where id = $1', [orphan]);
  expect(sweep('--dry-run')).toMatchObject({ removed: [], due: [], waiting: [{ amphoraId: orphan }] });
  expect(sweep('--dry-run')).toMatchObject({ removed: [], due: [orphan] });
  expect(amphoraProcesses(amphi.dataDir).some((one) => one.amphoraId === orphan)).toBe(true);
  expect(sweep()).toMatchObject({ removed: [orphan] });
  expect(amphoraProcesses(amphi.dataDir).some((one) => one.amphoraId === orphan)).toBe(false);
  await untilActive(client, id);
  await running.stop();
});
