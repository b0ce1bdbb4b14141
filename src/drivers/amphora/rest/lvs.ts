// Listeners of LVS on an amphora: a file and a keepalived for each, beside the load balancer's haproxy.
import { z } from 'zod';
import type { LoadBalancerId } from '../../../domain/ids.ts';
import { isLvsOf, type LvsListener } from '../../../domain/lvs/render.ts';
import type { AmphoraAddress, ServeResult } from '../driver.ts';
import type { Caller } from './caller.ts';
import { agentError, failureOf, garbage, jsonOf } from './failures.ts';
import type { Answer, Exchange } from './transport.ts';

const listenersBody = z.array(z.object({ uuid: z.string(), status: z.string(), type: z.string() }));

/**
 * Makes these the listeners that LVS serves of a load balancer: others of its are removed, those that differ or do not run are started anew. The
 * first that the agent refuses ends it; those before it are served as asked.
 */
export async function serveLvs(
  caller: Caller,
  amphora: AmphoraAddress,
  loadBalancerId: LoadBalancerId,
  wanted: readonly LvsListener[],
  signal: AbortSignal,
): Promise<ServeResult> {
  const there = await lvsListeners(caller, amphora, signal);
  const held = await configurationsOf(caller, amphora, loadBalancerId, there.keys(), signal);
  const wantedIds = new Set<string>(wanted.map(({ listenerId }) => listenerId));
  for (const id of held.keys()) {
    if (!wantedIds.has(id)) {
      await expect(caller, amphora, { method: 'DELETE', path: `/1.0/listeners/${id}` }, 200, signal);
    }
  }
  for (const { listenerId, configuration } of wanted) {
    const isSame = held.get(listenerId) === configuration;
    if (isSame && there.get(listenerId) === 'ACTIVE') continue;
    const path = `/1.0/listeners/${amphora.amphoraId}/${listenerId}/udp_listener`;
    const upload: Exchange = { method: 'PUT', path, contentType: 'text/plain', body: configuration };
    const action = there.get(listenerId) === 'ACTIVE' ? 'reload' : 'start';
    const act: Exchange = { method: 'PUT', path: `/1.0/loadbalancer/${listenerId}/${action}` };
    const refused =
      (isSame ? undefined : await refusalOf(caller, amphora, upload, 200, signal)) ??
      (await refusalOf(caller, amphora, act, 202, signal));
    if (refused !== undefined) return refused;
  }
  return { accepted: true };
}

/** Id of each listener that LVS serves, or shall, of a load balancer → its configuration. */
export async function heldLvs(
  caller: Caller,
  amphora: AmphoraAddress,
  loadBalancerId: LoadBalancerId,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const there = await lvsListeners(caller, amphora, signal);
  return configurationsOf(caller, amphora, loadBalancerId, there.keys(), signal);
}

async function configurationsOf(
  caller: Caller,
  amphora: AmphoraAddress,
  loadBalancerId: LoadBalancerId,
  ids: Iterable<string>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const configurations = new Map<string, string>();
  for (const id of ids) {
    const configuration = await configurationOf(caller, amphora, id, signal);
    if (configuration !== undefined && isLvsOf(configuration, loadBalancerId)) configurations.set(id, configuration);
  }
  return configurations;
}

/** Undefined when the agent did as it was asked. */
async function refusalOf(
  caller: Caller,
  amphora: AmphoraAddress,
  exchange: Exchange,
  status: number,
  signal: AbortSignal,
): Promise<ServeResult | undefined> {
  const answer = await caller.call(amphora, exchange, signal);
  if (answer.status === status) return undefined;
  const reason = agentError(answer)?.details ?? '';
  if (answer.status !== 400 || reason === '') throw failureOf(answer, exchange, amphora);
  return { accepted: false, reason };
}

/** Id of each → its status. */
async function lvsListeners(
  caller: Caller,
  amphora: AmphoraAddress,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const exchange: Exchange = { method: 'GET', path: '/1.0/listeners' };
  const answer = await expect(caller, amphora, exchange, 200, signal);
  const listeners = listenersBody.safeParse(jsonOf(answer));
  if (!listeners.success) throw garbage(exchange, amphora, 'a list of listeners');
  const ofLvs = listeners.data.filter(({ type }) => ['UDP', 'SCTP', 'LVS'].includes(type.toUpperCase()));
  return new Map(ofLvs.map(({ uuid, status }) => [uuid, status]));
}

async function configurationOf(
  caller: Caller,
  amphora: AmphoraAddress,
  listenerId: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const exchange: Exchange = { method: 'GET', path: `/1.0/listeners/${listenerId}/udp_listener` };
  const answer = await caller.call(amphora, exchange, signal);
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw failureOf(answer, exchange, amphora);
  return answer.body.toString('utf8');
}

async function expect(
  caller: Caller,
  amphora: AmphoraAddress,
  exchange: Exchange,
  status: number,
  signal: AbortSignal,
): Promise<Answer> {
  const answer = await caller.call(amphora, exchange, signal);
  if (answer.status !== status) throw failureOf(answer, exchange, amphora);
  return answer;
}
