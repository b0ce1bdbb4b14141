import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { removeEmbeddedPostgres } from '../../../src/db/embedded-postgres.ts';
import { amphoraProcesses } from '../../../src/drivers/compute/local/processes.ts';
import { packageRoot } from '../../support/built.ts';
import { processes } from '../../support/processes.ts';
import { tempFolder } from '../../support/temp-folder.ts';

afterAll(() => removeEmbeddedPostgres(dataDir));
const start = processes();
const dataDir = tempFolder('quickstart');

const env = {
  AMPHI_DATA_DIR: dataDir,
  AMPHI_CONTROL_PORT: '0',
  AMPHI_HEARTBEAT_PORT: '0',
  AMPHI_API_PORT: '0',
  DATABASE_URL: '',
  PATH: `${process.env['PATH']}:/usr/sbin`,
};

function left(): number {
  return amphoraProcesses().filter((one) => one.folder.startsWith(dataDir)).length;
}

test('the quick start serves ten requests, ends everything it started, and does it again', async () => {
  for (let round = 1; round <= 2; round++) {
    const quickstart = start(join(packageRoot, 'bin/amphi'), ['quickstart', '--once'], { env, cwd: '/' });
    expect({ status: await quickstart.ended, output: quickstart.output() }).toMatchObject({ status: 0 });
    const members = [...quickstart.output().matchAll(/request +\d+: member (\w+)/g)].map(([, member]) => member);
    expect(members.filter((member) => member === 'blue')).toHaveLength(5);
    expect(members.filter((member) => member === 'green')).toHaveLength(5);
    expect(quickstart.output()).toContain('└── spares-pool');
    expect(left()).toBe(0);
  }
}, 120_000);

test('without --once it stays until Ctrl-C, which ends everything', async () => {
  const quickstart = start(join(packageRoot, 'bin/amphi'), ['quickstart'], { env, cwd: '/' });
  await quickstart.prints(/Ctrl-C stops everything/, 60_000);
  expect(left()).toBeGreaterThan(0);
  quickstart.kill('SIGINT');
  expect({ status: await quickstart.ended, output: quickstart.output() }).toMatchObject({ status: 0 });
  expect(left()).toBe(0);
}, 120_000);
