// What real traffic through real amphorae adds up to, through a controller that is stopped and one that is killed.
import { expect, test } from '@jest/globals';
import type { CommandClient } from '../../src/channels/command/client.ts';
import type { StatisticsView } from '../../src/domain/views.ts';
import { createWeb, fetchFrom, untilActive, useAmphi, useBackends } from '../support/amphi.ts';
import { waitFor } from '../support/wait-for.ts';

const amphi = useAmphi('chaos-statistics');
const backends = useBackends(['one', 'two']);
const port = 8080;

test('every request is counted once, whether the controller goes on, stops or is killed between them', async () => {
  const settings = { AMPHI_SPARES_SIZE: '0', AMPHI_STATISTICS_INTERVAL: '0.5' };
  const first = await amphi.up(settings);
  let client = await first.connect();
  const { id } = await createWeb(client, await backends.ports(), port);
  const vip = await untilActive(client, id);
  let sent = 0;
  const send = async (count: number) => {
    for (let request = 0; request < count; request++) {
      expect(['one', 'two']).toContain(await fetchFrom(vip, port));
      sent++;
    }
  };
  const statistics = (by: CommandClient) => by.call('loadBalancer.statistics', { id });
  const counted = (by: CommandClient): Promise<StatisticsView> =>
    waitFor(
      async () => {
        const view = await statistics(by);
        return view.totalConnections >= sent ? view : undefined;
      },
      { timeoutMs: 20_000, describe: `${sent} connections to be counted` },
    );

  await send(7);
  const before = await counted(client);
  expect(before).toMatchObject({ totalConnections: 7, requestErrors: 0 });
  expect(before.bytesOut).toBeGreaterThan(7 * 50);
  const { listeners } = await client.call('loadBalancer.show', { id });
  expect(await client.call('listener.statistics', { id: listeners[0] ?? '' })).toEqual(before);

  // What was written is not counted again by whoever comes after a node that was stopped, or killed.
  await send(5);
  await counted(client);
  await first.stop();
  const second = await amphi.up(settings);
  client = await second.connect();
  expect(await counted(client)).toMatchObject({ totalConnections: 12 });

  await second.kill();
  const third = await amphi.up(settings);
  client = await third.connect();
  await untilActive(client, id);
  await send(3);
  const after = await counted(client);
  expect(after).toMatchObject({ totalConnections: 15, requestErrors: 0 });
  const [amphora] = (await client.call('amphora.list', { loadBalancerId: id })).items;
  expect((await client.call('amphora.statistics', { id: amphora?.id ?? '' })).items).toEqual([
    { listenerId: listeners[0], loadBalancerId: id, ...after },
  ]);
}, 120_000);
