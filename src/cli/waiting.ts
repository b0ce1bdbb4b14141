// Waiting for load balancers and amphorae: the options of commands that do, and until when they wait.
import { setTimeout as sleep } from 'node:timers/promises';
import { Option } from 'commander';
import type { CommandClient } from '../channels/command/client.ts';
import { RpcError } from '../channels/rpc/errors.ts';
import type { AmphoraView } from '../domain/views.ts';
import { CliFailure } from './failure.ts';
import { parseSeconds } from './numbers.ts';

export const commandId = () => new Option('--command-id <id>', 'sent again with the same id, the command happens once');
export const wait = (until = 'until it is done; fails when it ends in ERROR') => new Option('--wait', until);
export const timeout = (seconds = 120) =>
  new Option('--timeout <seconds>', 'most time to wait').default(seconds).argParser(parseSeconds);

const pollMs = 200;

/** @throws CliFailure saying why, when it, or something in it unless `itself` alone counts, ends in ERROR, or it takes longer */
export async function untilSettled(
  client: Pick<CommandClient, 'call'>,
  id: string,
  seconds: number,
  counts: 'everything' | 'itself' = 'everything',
): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; ; await sleep(pollMs)) {
    const { provisioningStatus: status } = await client.call('loadBalancer.show', { id });
    const isSettled = status === 'ACTIVE' || status === 'ERROR';
    if (!isSettled && Date.now() <= deadline) continue;
    const { why, unsettled } = await client.call('loadBalancer.explain', { id });
    if (status === 'ACTIVE' && (counts === 'itself' || unsettled.length === 0)) return;
    const state = isSettled ? `is ${status}` : `is ${status} after ${seconds} s`;
    throw new CliFailure([`load balancer ${id} ${state}:`, ...why, `see \`amphi lb explain ${id}\``].join('\n  '));
  }
}

/** Heartbeats come every second to every ten seconds, unless the settings say otherwise. */
export const longestUnheardSeconds = 30;

/**
 * Until an amphora has said how it serves. At once for one that is not to serve.
 *
 * @returns false when nothing was heard in that time: that says nothing against it
 */
export async function untilHeard(client: CommandClient, id: string, seconds: number): Promise<boolean> {
  const { items: listeners } = await client.call('listener.list', { loadBalancerId: id });
  if (!listeners.some(({ adminStateUp }) => adminStateUp)) return true;
  for (const deadline = Date.now() + seconds * 1000; ; await sleep(pollMs)) {
    const { adminStateUp, operatingStatus } = await client.call('loadBalancer.show', { id });
    if (!adminStateUp || operatingStatus !== 'OFFLINE') return true;
    if (Date.now() > deadline) return false;
  }
}

export async function untilGone(client: CommandClient, id: string, seconds: number): Promise<void> {
  await untilNotFound(() => client.call('loadBalancer.show', { id }), `load balancer ${id} is not gone`, seconds);
}

/** Until an amphora that is replaced is gone, and what it served is served by others. @throws CliFailure as untilSettled does */
export async function untilReplaced(client: CommandClient, amphora: AmphoraView, seconds: number): Promise<void> {
  const { id, loadBalancerId, otherLoadBalancerIds } = amphora;
  await untilNotFound(() => client.call('amphora.show', { id }), `amphora ${id} is not replaced`, seconds);
  const served = loadBalancerId === null ? [] : [loadBalancerId, ...otherLoadBalancerIds];
  for (const each of served) await untilSettled(client, each, seconds, 'itself');
}

async function untilNotFound(show: () => Promise<unknown>, otherwise: string, seconds: number): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; ; await sleep(pollMs)) {
    try {
      await show();
    } catch (error) {
      if (error instanceof RpcError && error.code === 'notFound') return;
      throw error;
    }
    if (Date.now() > deadline) throw new CliFailure(`${otherwise} after ${seconds} s`);
  }
}
