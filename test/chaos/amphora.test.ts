import { describe, expect, test } from '@jest/globals';
import type { CommandClient } from '../../src/channels/command/client.ts';
import {
  type AmphoraProcess,
  amphoraProcesses,
  createWeb,
  fetchFrom,
  type RunningAmphi,
  untilActive,
  useAmphi,
  useBackends,
} from '../support/amphi.ts';
import { waitFor } from '../support/wait-for.ts';

const amphi = useAmphi('chaos-amphora');
const backends = useBackends(['one', 'two']);

interface Web {
  readonly client: CommandClient;
  readonly id: string;
  readonly vip: string;
}

const port = 8080;
let running: Promise<RunningAmphi> | undefined;

/** One controller serves all tests of this file. */
async function web(): Promise<Web> {
  running ??= amphi.up({ AMPHI_SPARES_SIZE: '1' });
  const client = await (await running).connect();
  const { id } = await createWeb(client, await backends.ports(), port);
  return { client, id, vip: await untilActive(client, id) };
}

/** The amphora that serves the load balancer, with its processes. */
async function servingAmphora({
  client,
  id,
}: Web): Promise<{ readonly id: string; readonly processes: readonly AmphoraProcess[] }> {
  const { items } = await client.call('amphora.list', { loadBalancerId: id });
  const amphoraId = items.find((amphora) => amphora.status === 'ALLOCATED')?.id ?? '';
  return { id: amphoraId, processes: amphoraProcesses(amphi.dataDir).filter((one) => one.amphoraId === amphoraId) };
}

async function untilReplaced({ client, id, vip }: Web, lostId: string): Promise<void> {
  await waitFor(
    async () => {
      const { items } = await client.call('amphora.list', { loadBalancerId: id });
      return items.length === 1 && items[0]?.id !== lostId && items[0]?.status === 'ALLOCATED';
    },
    { timeoutMs: 30_000, describe: 'another amphora' },
  );
  await untilActive(client, id);
  expect(['one', 'two']).toContain(await fetchFrom(vip, port));
  expect(amphoraProcesses(amphi.dataDir).filter((one) => one.amphoraId === lostId)).toEqual([]);
  await waitFor(async () => (await client.call('spares.show', {})).ready === 1, {
    timeoutMs: 30_000,
    describe: 'a spare again',
  });
}

describe('when an amphora', () => {
  test('is killed, its VIP answers again from another one, and there is a spare again', async () => {
    const lb = await web();
    const lost = await servingAmphora(lb);
    expect(lost.processes.length).toBeGreaterThanOrEqual(3);
    process.kill(-(lost.processes[0]?.group ?? 0), 'SIGKILL');
    await waitFor(() => fetchFrom(lb.vip, port), { timeoutMs: 20_000, describe: 'the VIP to answer again' });
    await untilReplaced(lb, lost.id);
  });

  test('has an agent that is stopped while its haproxy goes on, exactly one amphora serves the VIP afterwards', async () => {
    const lb = await web();
    const lost = await servingAmphora(lb);
    const agent = lost.processes.find((one) => one.isAgent);
    if (agent === undefined) throw new Error('no agent');
    process.kill(agent.pid, 'SIGSTOP');
    await untilReplaced(lb, lost.id);
  });

  test('is asked to be failed over by an operator, it is replaced', async () => {
    const lb = await web();
    const old = await servingAmphora(lb);
    await lb.client.call('amphora.failover', { id: old.id });
    await untilReplaced(lb, old.id);
  });
});

describe('a configuration that haproxy refuses', () => {
  test('costs only the change that caused it: changes queued behind it are applied, and traffic goes on', async () => {
    const lb = await web();
    const tree = await lb.client.call('loadBalancer.status', { id: lb.id });
    const poolId = tree.listeners[0]?.pools[0]?.id ?? '';
    const monitorId = tree.listeners[0]?.pools[0]?.healthMonitor?.id ?? '';
    // More milliseconds than haproxy can count.
    const refused = lb.client.call('healthMonitor.update', { id: monitorId, delay: 3_000_000 });
    const others = [8181, 8182, 8183].map((protocolPort) =>
      lb.client.call('listener.create', {
        loadBalancerId: lb.id,
        protocol: 'HTTP',
        protocolPort,
        connectionLimit: 100,
        defaultPoolId: poolId,
      }),
    );
    await Promise.all([refused, ...others]);
    await untilActive(lb.client, lb.id);
    const monitor = await lb.client.call('healthMonitor.show', { id: monitorId });
    expect(monitor).toMatchObject({ provisioningStatus: 'ERROR', delay: 3_000_000 });
    expect(monitor.errorReason).toContain('timer overflow');
    for (const listenerPort of [port, 8181, 8182, 8183]) {
      expect(['one', 'two']).toContain(await fetchFrom(lb.vip, listenerPort));
    }
    // Changed again, it is tried again.
    await lb.client.call('healthMonitor.update', { id: monitorId, delay: 1 });
    await untilActive(lb.client, lb.id);
    expect(await lb.client.call('healthMonitor.show', { id: monitorId })).toMatchObject({
      provisioningStatus: 'ACTIVE',
    });
  });
});
