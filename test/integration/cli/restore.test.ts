import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { useAmphi } from '../../support/amphi.ts';
import { packageRoot } from '../../support/built.ts';
import { processes } from '../../support/processes.ts';
import { waitFor } from '../../support/wait-for.ts';

const amphi = useAmphi('restore');
const start = processes();

async function restoreCheck(...flags: readonly string[]) {
  const env = { AMPHI_DATA_DIR: amphi.dataDir, DATABASE_URL: '' };
  const process = start(join(packageRoot, 'bin/amphi'), ['db', 'restore-check', ...flags], { env });
  return { status: await process.ended, output: process.output() };
}

test('a node that finds an older database says so, and works again when that is accepted', async () => {
  const first = await amphi.up({ AMPHI_DRIVER: 'noop', AMPHI_SPARES_SIZE: '0' });
  expect(await restoreCheck()).toMatchObject({ status: 0, output: expect.stringContaining('0 differences') });
  await first.stop();
  const file = join(amphi.dataDir, 'database.mark');
  const seen = JSON.parse(readFileSync(file, 'utf8')) as { mark: number };
  writeFileSync(file, JSON.stringify({ ...seen, mark: seen.mark + 100 }));

  const second = await amphi.up({ AMPHI_DRIVER: 'noop', AMPHI_SPARES_SIZE: '0' });
  const found = await restoreCheck();
  expect(found).toMatchObject({ status: 1, output: expect.stringContaining('restored from an older backup') });
  expect(second.process.output()).toContain('restored from an older backup');
  const json = await restoreCheck('-o', 'json');
  expect(json.status).toBe(1);
  expect(json.output).toContain('"accepted": false');
  expect(await restoreCheck('--accept')).toMatchObject({
    status: 0,
    output: expect.stringContaining('nodes work again'),
  });
  expect(await restoreCheck()).toMatchObject({ status: 0 });
  await waitFor(async () => (await second.query('select 1 from deployment where observing is null')).length === 1, {
    describe: 'nodes to be told',
  });
  await second.stop();
});
