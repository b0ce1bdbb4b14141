import { expect, test } from '@jest/globals';
import { runChaos } from '../chaos-run/run.ts';
import { scheduleOf } from '../chaos-run/schedule.ts';
import { packageRoot } from '../support/built.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder('cluster');
const isTold = process.env['AMPHI_TEST_LOG'] !== undefined;
const log = (line: string) => void (isTold && process.stderr.write(`${line}\n`));

test('a cluster that is killed, frozen, cut off and loses its database under load breaks no promise', async () => {
  const installations = [[packageRoot], [packageRoot], [packageRoot]];
  const options = { seed: 3, loadBalancers: 20, kills: 6, clients: 4, driver: 'noop' as const, leaseMs: 3_000 };
  const { verdict } = await runChaos({ ...options, installations, folder, log });
  expect(verdict).toMatchObject({ lost: [], duplicated: [], stuck: [], orphans: [], twoOwners: [] });
  expect(verdict.acknowledged).toBeGreaterThan(20);
}, 180_000);

test('a seed reproduces its schedule', () => {
  const options = { seed: 7, nodes: 3, loadBalancers: 50, kills: 20, clients: 8, leaseMs: 10_000 };
  expect(scheduleOf(options)).toEqual(scheduleOf(options));
  expect(scheduleOf({ ...options, seed: 8 })).not.toEqual(scheduleOf(options));
});
