import { describe, expect, test } from '@jest/globals';
import type { CommandClient } from '../../src/channels/command/client.ts';
import {
  amphoraProcesses,
  createWeb,
  fetchFrom,
  type RunningAmphi,
  untilActive,
  useAmphi,
  useBackends,
} from '../support/amphi.ts';
import { waitFor } from '../support/wait-for.ts';

const amphi = useAmphi('chaos-pair');
const backends = useBackends(['one', 'two']);
const port = 8080;
const settings = { AMPHI_SPARES_SIZE: '2', AMPHI_LOAD_BALANCERS_TOPOLOGY: 'ACTIVE_STANDBY' };
/** Of VRRP: three times the interval between adverts, and a little. */
const takeoverMs = 4_000;

let running: RunningAmphi | undefined;
let client: CommandClient;

async function up(): Promise<void> {
  running ??= await amphi.up(settings);
  client = await running.connect();
}

interface Pair {
  readonly id: string;
  readonly vip: string;
}

async function newPair(): Promise<Pair> {
  await up();
  const { id } = await createWeb(client, await backends.ports(), port);
  const vip = await untilActive(client, id);
  await untilAnswering(vip);
  return { id, vip };
}

function untilAnswering(vip: string): Promise<unknown> {
  return waitFor(() => fetchFrom(vip, port), { timeoutMs: 15_000, describe: 'the VIP to answer' });
}

async function amphoraeOf({ id }: Pair) {
  const { items } = await client.call('amphora.list', { loadBalancerId: id });
  return items.filter(({ status }) => status === 'ALLOCATED');
}

function killGroup(amphoraId: string): void {
  const found = amphoraProcesses(amphi.dataDir).find((one) => one.amphoraId === amphoraId);
  if (found === undefined) throw new Error(`amphora ${amphoraId} does not run`);
  process.kill(-found.group, 'SIGKILL');
}

async function idOf(pair: Pair, role: 'MASTER' | 'BACKUP'): Promise<string> {
  return (await amphoraeOf(pair)).find((one) => one.role === role)?.id ?? '';
}

async function untilWholeWithout(pair: Pair, ...gone: readonly string[]): Promise<void> {
  await waitFor(
    async () => {
      const amphorae = await amphoraeOf(pair);
      const roles = new Set(amphorae.map(({ role }) => role));
      return amphorae.length === 2 && roles.size === 2 && !amphorae.some(({ id }) => gone.includes(id));
    },
    { timeoutMs: 40_000, describe: 'a whole pair' },
  );
  await untilActive(client, pair.id);
}

/** Asks all the time; gives the longest time without an answer, once `until` has come. */
async function longestGap(vip: string, until: Promise<unknown>): Promise<number> {
  let isOver = false;
  void until.finally(() => (isOver = true)).catch(() => undefined);
  let [lastAt, longest] = [performance.now(), 0];
  while (!isOver) {
    if ((await fetchFrom(vip, port)) === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    else {
      longest = Math.max(longest, performance.now() - lastAt);
      lastAt = performance.now();
    }
  }
  await until;
  return Math.max(longest, performance.now() - lastAt);
}

describe('a pair', () => {
  test('serves its VIP from one of the two, on hosts of their own addresses', async () => {
    const pair = await newPair();
    expect(new Set((await amphoraeOf(pair)).map(({ role }) => role))).toEqual(new Set(['BACKUP', 'MASTER']));
    for (let count = 0; count < 5; count++) expect(['one', 'two']).toContain(await fetchFrom(pair.vip, port));
  });

  test('of which the master is killed serves again within a take-over, and is whole again later', async () => {
    const pair = await newPair();
    const lost = await idOf(pair, 'MASTER');
    killGroup(lost);
    const gap = await longestGap(pair.vip, untilWholeWithout(pair, lost));
    expect(gap).toBeLessThan(takeoverMs + 1_000);
  });

  test('of which the backup is killed answers all the time, and is whole again later', async () => {
    const pair = await newPair();
    const lost = await idOf(pair, 'BACKUP');
    killGroup(lost);
    const gap = await longestGap(pair.vip, untilWholeWithout(pair, lost));
    expect(gap).toBeLessThan(1_000);
  });

  test('of which the agent of the master hangs while its haproxy goes on is whole again later, and no two have the VIP', async () => {
    const pair = await newPair();
    const lost = await idOf(pair, 'MASTER');
    const agent = amphoraProcesses(amphi.dataDir).find((one) => one.amphoraId === lost && one.isAgent);
    if (agent === undefined) throw new Error('the master has no agent');
    process.kill(agent.pid, 'SIGSTOP');
    expect(await longestGap(pair.vip, untilWholeWithout(pair, lost))).toBeLessThan(takeoverMs);
    expect(amphoraProcesses(amphi.dataDir).filter((one) => one.amphoraId === lost)).toEqual([]);
  });

  test('that is failed over by an operator is replaced one after the other, and hardly misses a request', async () => {
    const pair = await newPair();
    const before = (await amphoraeOf(pair)).map(({ id }) => id);
    await client.call('loadBalancer.failover', { id: pair.id });
    const gap = await longestGap(pair.vip, untilWholeWithout(pair, ...before));
    expect(gap).toBeLessThan(takeoverMs);
  });

  test('is whole again though the controller is killed while it replaces the master', async () => {
    const pair = await newPair();
    const lost = await idOf(pair, 'MASTER');
    killGroup(lost);
    await running?.kill();
    running = undefined;
    await untilAnswering(pair.vip);
    await up();
    await untilWholeWithout(pair, lost);
    await untilAnswering(pair.vip);
  });
});
