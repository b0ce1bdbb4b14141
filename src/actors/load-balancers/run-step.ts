// Carries out a load balancer's steps through drivers and other entities. Every step may run twice.
import { renderHaproxy } from '../../domain/haproxy/render.ts';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import type { AmphoraCommand, AmphoraAnswer } from '../../domain/amphora/state.ts';
import type { LoadBalancerStep, LoadBalancerStepResult } from '../../domain/load-balancer/steps.ts';
import type { AmphoraDriver } from '../../drivers/amphora/driver.ts';
import type { NetworkDriver } from '../../drivers/network/driver.ts';
import type { CommandReply } from '../runtime/entity-messages.ts';
import { ask } from '../runtime/reply.ts';
import type { SparesPoolMessage, Suggestion } from '../spares-pool/spares-pool.ts';

export interface LoadBalancerPorts {
  readonly network: NetworkDriver;
  readonly amphora: AmphoraDriver;
  readonly spares: { tell(message: SparesPoolMessage): void };
  /** Amphorae, wherever their owner is. */
  readonly amphorae: {
    ask(id: string, command: AmphoraCommand, signal: AbortSignal): Promise<CommandReply<AmphoraAnswer>>;
    whenOver(id: string, signal: AbortSignal): Promise<void>;
    /** Whether there is no such amphora, or not any more. */
    isGone(id: string): Promise<boolean>;
  };
  /** Amphorae that the load balancer counts as its own now. */
  readonly claimedBy: (id: LoadBalancerId) => Promise<readonly AmphoraId[]>;
}

type Step<T extends LoadBalancerStep['type']> = Extract<LoadBalancerStep, { type: T }>;

export async function runLoadBalancerStep(
  step: LoadBalancerStep,
  ports: LoadBalancerPorts,
  signal: AbortSignal,
): Promise<LoadBalancerStepResult> {
  switch (step.type) {
    case 'allocateVip': {
      const { loadBalancerId, subnetId, address, taken } = step;
      const vip = await ports.network.allocateVip({ loadBalancerId, subnetId, address, taken }, signal);
      return { type: 'vipOffered', portId: vip.portId, address: vip.address };
    }
    case 'claimAmphora':
      return claimAmphora(step, ports, signal);
    case 'deploy':
      return deploy(step, ports, signal);
    case 'retireAmphora':
      return retireAmphora(step, ports, signal);
    case 'releaseVip':
      await ports.network.releaseVip(step.loadBalancerId, signal);
      return { type: 'vipReleased' };
  }
}

let requests = 0;

/** Asks until an amphora grants itself: a suggested one may have been taken, or be gone. */
async function claimAmphora(
  { loadBalancerId, role, isRepeat }: Step<'claimAmphora'>,
  ports: LoadBalancerPorts,
  signal: AbortSignal,
): Promise<LoadBalancerStepResult> {
  /** Not to be suggested: what the load balancer has already, and what did not grant itself. */
  const excluded = isRepeat ? [...(await ports.claimedBy(loadBalancerId))] : [];
  for (;;) {
    const suggestion = await suggest(loadBalancerId, excluded, ports, signal);
    if (suggestion.type === 'none') throw new Error(suggestion.reason);
    const command = { type: 'allocateAmphora', loadBalancerId, role } as const;
    const reply = await ports.amphorae.ask(suggestion.amphoraId, command, signal);
    if (reply.type === 'ok' && reply.answer.instance !== null) {
      const { computeId, agent } = reply.answer.instance;
      return { type: 'amphoraGranted', role, amphoraId: suggestion.amphoraId, computeId, agent };
    }
    excluded.push(suggestion.amphoraId);
  }
}

async function suggest(
  loadBalancerId: LoadBalancerId,
  excluded: readonly AmphoraId[],
  { spares }: LoadBalancerPorts,
  signal: AbortSignal,
): Promise<Suggestion> {
  const request = ++requests;
  try {
    return await ask<Suggestion>(
      (replyTo) => spares.tell({ type: 'suggest', request, loadBalancerId, excluded: [...excluded], replyTo }),
      signal,
    );
  } catch (error) {
    spares.tell({ type: 'withdraw', request });
    throw error;
  }
}

async function deploy(
  { loadBalancerId, slot, vip, tree }: Step<'deploy'>,
  { network, amphora, amphorae }: LoadBalancerPorts,
  signal: AbortSignal,
): Promise<LoadBalancerStepResult> {
  const { amphoraId, computeId, agent } = slot;
  try {
    const port = await network.plugVip({ loadBalancerId, amphoraId, computeId, vip }, signal);
    const configuration = renderHaproxy(tree);
    const request = { loadBalancerId, vipAddress: vip.address, port, configuration };
    const result = await amphora.serve({ amphoraId, endpoint: agent }, request, signal);
    if (result.accepted) return { type: 'served', amphoraId };
    return { type: 'servingRefused', amphoraId, reason: result.reason };
  } catch (error) {
    if (!signal.aborted && (await amphorae.isGone(amphoraId))) return { type: 'amphoraGone', amphoraId };
    throw error;
  }
}

/** Done when the amphora is known to run no more. One that nobody knows is gone already. */
async function retireAmphora(
  { loadBalancerId, slot, reason }: Step<'retireAmphora'>,
  { amphorae }: LoadBalancerPorts,
  signal: AbortSignal,
): Promise<LoadBalancerStepResult> {
  const { amphoraId } = slot;
  const reply = await amphorae.ask(amphoraId, { type: 'deleteAmphora', reason, onBehalfOf: loadBalancerId }, signal);
  switch (reply.type) {
    case 'ok':
      await amphorae.whenOver(amphoraId, signal);
      break;
    case 'refused':
      if (reply.refusal.code !== 'notFound') throw new Error(reply.refusal.message);
      break;
    case 'busy':
      throw new Error(`amphora ${amphoraId} is busy`);
    case 'faulted':
      throw new Error(`amphora ${amphoraId}: ${reply.reason}`);
  }
  return { type: 'amphoraRetired', amphoraId };
}
