// `amphi down` and the start after it: what was ended by intent is not told as a loss.
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { amphoraProcesses, quick, untilActive, useAmphi } from '../../support/amphi.ts';
import { packageRoot } from '../../support/built.ts';
import { processes } from '../../support/processes.ts';
import { waitFor } from '../../support/wait-for.ts';

const amphi = useAmphi('down');
const start = processes();
const settings = { AMPHI_LOCAL_SUBNET: '127.213.0.0/16', AMPHI_LOCAL_MANAGEMENT_SUBNET: '127.214.0.0/16' };

test('down says what it has stopped, and neither it nor the next start gives a warning', async () => {
  const first = await amphi.up(settings);
  const client = await first.connect();
  const [subnet] = (await client.call('subnet.list')).items;
  const { loadBalancer } = await client.call('loadBalancer.create', { projectId: 'p', vipSubnetId: subnet?.id });
  const id = loadBalancer?.id ?? '';
  await untilActive(client, id, false);
  const down = start(join(packageRoot, 'bin/amphi'), ['down'], {
    env: { AMPHI_DATA_DIR: amphi.dataDir, DATABASE_URL: '' },
  });
  expect(await down.ended).toBe(0);
  expect(down.output()).toMatch(
    /^controller stopped \(process \d+\)\nlocal amphorae stopped: \d+\nPostgreSQL stopped\n$/,
  );
  expect(amphoraProcesses(amphi.dataDir)).toEqual([]);
  expect(first.process.output()).not.toContain('"level":40');

  const second = await amphi.up(settings);
  await second.process.prints(/"reason":"amphi down has ended it","msg":"amphora is replaced"/);
  const again = await second.connect();
  await waitFor(
    async () => (await again.call('amphora.list', { loadBalancerId: id })).items[0]?.status === 'ALLOCATED',
    {
      ...quick,
      describe: 'another amphora',
    },
  );
  expect(second.process.output()).not.toContain('"level":40');
  await second.stop();
});
