// Carries out a load balancer's steps through drivers and other entities. Every step may run twice.
import { type Peer, renderAll } from '../../domain/haproxy/render.ts';
import type { Secrets } from '../../domain/haproxy/tls.ts';
import { renderLvs } from '../../domain/lvs/render.ts';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import { interfaceRules } from '../../domain/interface-rules.ts';
import type { WantedAmphora } from '../../domain/amphora/wanted.ts';
import type { AmphoraEntity } from '../../domain/amphora/amphora.ts';
import type { AmphoraAnswer, AmphoraCommand } from '../../domain/amphora/commands.ts';
import type { SuggestionMessage } from '../../domain/cluster/messages.ts';
import type { AmphoraQuestion, Answers, LoadBalancerQuestion } from '../../domain/cluster/questions.ts';
import type { ServedTree } from '../../domain/load-balancer/attributes.ts';
import { servedDigest } from '../../domain/load-balancer/digest.ts';
import { secretKey, secretsOf } from '../../domain/load-balancer/tls.ts';
import type { LoadBalancerStep, LoadBalancerStepResult, Pairing } from '../../domain/load-balancer/steps.ts';
import { type VrrpInstance, vrrpPassword, vrrpPriority } from '../../domain/vrrp/keepalived.ts';
import type { AmphoraDriver } from '../../drivers/amphora/driver.ts';
import type { CertificateManager } from '../../drivers/certificate-manager/driver.ts';
import type { NetworkDriver, PluggedPort } from '../../drivers/network/driver.ts';
import type { Answered } from '../cluster/entities.ts';

export interface LoadBalancerPorts {
  readonly network: NetworkDriver;
  readonly amphora: AmphoraDriver;
  readonly certificateManager: Pick<CertificateManager, 'fetch'>;
  /** Passwords of pairs follow from it. */
  readonly clusterSecret: string;
  /** The pool of the cluster, wherever it runs. */
  readonly spares: {
    suggest(
      loadBalancerId: LoadBalancerId,
      wanted: WantedAmphora,
      excluded: readonly AmphoraId[],
      signal: AbortSignal,
    ): Promise<SuggestionMessage>;
  };
  /** Amphorae, wherever their owner is. */
  readonly amphorae: {
    ask(id: string, command: AmphoraCommand, signal: AbortSignal): Promise<Answered<AmphoraEntity>>;
    query<A>(id: string, question: AmphoraQuestion, signal: AbortSignal): Promise<A>;
    whenGone(id: string, signal: AbortSignal): Promise<void>;
  };
  readonly loadBalancers: {
    query<A>(id: LoadBalancerId, question: LoadBalancerQuestion, signal: AbortSignal): Promise<A>;
  };
}

/** How long an amphora that is well takes to leave the VIP to the other one of its pair. */
const handOverMs = 1_000;

type Step<T extends LoadBalancerStep['type']> = Extract<LoadBalancerStep, { type: T }>;

export async function runLoadBalancerStep(
  step: LoadBalancerStep,
  ports: LoadBalancerPorts,
  signal: AbortSignal,
): Promise<LoadBalancerStepResult> {
  switch (step.type) {
    case 'allocateVip': {
      const { type: _, key: _key, ...request } = step;
      const { portId, address, additional } = await ports.network.allocateVip(request, signal);
      return { type: 'vipOffered', portId, address, ...(additional !== undefined && { additional }) };
    }
    case 'claimAmphora':
      return claimAmphora(step, ports, signal);
    case 'plugAmphora':
      return plugAmphora(step, ports, signal);
    case 'deploy':
      return deploy(step, ports, signal);
    case 'retireAmphora':
      return retireAmphora(step, ports, signal);
    case 'releaseVip':
      await ports.network.releaseVip(step.loadBalancerId, signal);
      return { type: 'vipReleased' };
  }
}

/** Asks until an amphora grants itself: a suggested one may have been taken, or be gone. */
async function claimAmphora(
  { loadBalancerId, role, wanted, isRepeat }: Step<'claimAmphora'>,
  ports: LoadBalancerPorts,
  signal: AbortSignal,
): Promise<LoadBalancerStepResult> {
  /** Not to be suggested: what the load balancer has already, and what did not grant itself. */
  const claimed = { type: 'claimedAmphorae' } as const;
  const excluded = isRepeat
    ? [...(await ports.loadBalancers.query<Answers['claimedAmphorae']>(loadBalancerId, claimed, signal))]
    : [];
  for (;;) {
    const suggestion = await ports.spares.suggest(loadBalancerId, wanted, excluded, signal);
    if (suggestion.type === 'none') throw new Error(suggestion.reason);
    const { antiAffinity: _, ...more } = wanted;
    const command = { type: 'allocateAmphora', loadBalancerId, role, ...more } as const;
    const reply = await ports.amphorae.ask(suggestion.amphoraId, command, signal);
    if (reply.type === 'ok' && reply.answer.instance !== null) {
      const { computeId, agent } = reply.answer.instance;
      return { type: 'amphoraGranted', role, amphoraId: suggestion.amphoraId, computeId, agent };
    }
    excluded.push(suggestion.amphoraId);
  }
}

async function plugAmphora(
  { loadBalancerId, slot, vip, policy }: Step<'plugAmphora'>,
  ports: LoadBalancerPorts,
  signal: AbortSignal,
): Promise<LoadBalancerStepResult> {
  const { amphoraId, computeId, agent } = slot;
  return unlessGone(amphoraId, ports, signal, async () => {
    const request = { loadBalancerId, amphoraId, computeId, agentHost: agent.host, vip, policy };
    const { portId, vrrpAddress: address } = await ports.network.plugVip(request, signal);
    return { type: 'amphoraPlugged', amphoraId, port: { portId, address } };
  });
}

async function deploy(
  { loadBalancerId, slot, vip, tree, hasLvs, pairing }: Step<'deploy'>,
  ports: LoadBalancerPorts,
  signal: AbortSignal,
): Promise<LoadBalancerStepResult> {
  const { amphoraId, computeId, agent } = slot;
  return unlessGone(amphoraId, ports, signal, async () => {
    const plug = { loadBalancerId, amphoraId, computeId, agentHost: agent.host, vip, policy: tree.vipPolicy };
    const port = await ports.network.plugVip(plug, signal);
    const peers = pairing === null ? [] : peersOf(amphoraId, pairing);
    const secrets = await secretsFor(tree, ports.certificateManager, signal);
    const { configuration, files } = renderAll(tree, { peers, secrets });
    const lvs = hasLvs ? renderLvs(tree) : null;
    const isServing = configuration !== null || (lvs ?? []).length > 0;
    const isPaired = pairing !== null && !pairing.keepsPeer && isServing;
    const request = {
      loadBalancerId,
      vipAddress: vip.address,
      port,
      configuration,
      files,
      lvs,
      ...(port.isSriov === true && { rules: interfaceRules(tree, pairing?.peer?.address ?? null) }),
      ...(isPaired && { vrrp: vrrpInstance(pairing) }),
    };
    const result = await ports.amphora.serve({ amphoraId, endpoint: agent }, request, signal);
    if (!result.accepted) return { type: 'servingRefused', amphoraId, reason: result.reason };
    const peerAddress = pairing?.peer?.address;
    const digest =
      servedDigest(
        configuration,
        (lvs ?? []).map((listener) => listener.configuration),
      ) ?? null;
    const ownPort = { portId: port.portId, address: port.vrrpAddress };
    return {
      type: 'served',
      amphoraId,
      digest,
      ...(peerAddress !== undefined && { peerAddress }),
      ...(pairing === null && port.portId !== null && { ownPort }),
    };

    function vrrpInstance({ role, address, beginsAs, peer }: Pairing): VrrpInstance {
      const { subnetCidr, gateway, additional }: PluggedPort = port;
      return {
        loadBalancerId,
        vipAddress: vip.address,
        subnetCidr,
        gateway,
        ...(additional !== undefined && { additional }),
        beginsAs,
        priority: vrrpPriority(role) ?? 0,
        address,
        peerAddress: peer?.address ?? null,
        password: vrrpPassword(ports.clusterSecret, loadBalancerId),
      };
    }
  });
}

/** In the same order for both of a pair. */
function peersOf(amphoraId: AmphoraId, { address, peer }: Pairing): readonly Peer[] {
  const both = peer === null ? [{ amphoraId, address }] : [{ amphoraId, address }, peer];
  return both.toSorted((a, b) => (a.amphoraId < b.amphoraId ? -1 : 1));
}

/** A failure may mean that the amphora is not there any more; then nobody is to be told anything. */
async function unlessGone(
  amphoraId: AmphoraId,
  { amphorae }: LoadBalancerPorts,
  signal: AbortSignal,
  work: () => Promise<LoadBalancerStepResult>,
): Promise<LoadBalancerStepResult> {
  try {
    return await work();
  } catch (error) {
    const isGone = !signal.aborted && (await amphorae.query<Answers['isGone']>(amphoraId, { type: 'isGone' }, signal));
    if (isGone) return { type: 'amphoraGone', amphoraId };
    throw error;
  }
}

/** References that are looked behind at the same time. */
const mostFetches = 8;

/** Everything that the tree refers to, as it is now. It lives as long as the step. */
async function secretsFor(
  tree: ServedTree,
  manager: LoadBalancerPorts['certificateManager'],
  signal: AbortSignal,
): Promise<Secrets> {
  const secrets = new Map<string, string>();
  const uses = secretsOf(tree);
  for (let begin = 0; begin < uses.length; begin += mostFetches) {
    const some = uses.slice(begin, begin + mostFetches);
    const { projectId } = tree;
    const contents = await Promise.all(some.map(({ ref, kind }) => manager.fetch({ ref, kind, projectId }, signal)));
    for (const [index, use] of some.entries()) secrets.set(secretKey(use), contents[index] ?? '');
  }
  return secrets;
}

/**
 * Done when the amphora is known to run no more, or, where others share it, to serve nothing of this load balancer. One that
 * nobody knows is gone already.
 */
async function retireAmphora(
  { loadBalancerId, slot, reason, handsOver, leave }: Step<'retireAmphora'>,
  ports: LoadBalancerPorts,
  signal: AbortSignal,
): Promise<LoadBalancerStepResult> {
  const { amphoraId, agent: endpoint } = slot;
  const { amphorae, amphora } = ports;
  const retired = { type: 'amphoraRetired', amphoraId } as const;
  // Spares the other one the wait for silence. Where it fails, silence follows all the same.
  if (handsOver) {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(handOverMs)]);
    await amphora.handOver({ amphoraId, endpoint }, soon).catch(() => undefined);
  }
  const unlessShared = leave !== null;
  const deletion = { type: 'deleteAmphora', reason, onBehalfOf: loadBalancerId, unlessShared } as const;
  const answer = await tellAmphora(amphoraId, deletion, amphorae, signal);
  if (answer === undefined || answer.stays === 'left') return retired;
  if (answer.stays === undefined || leave === null) {
    await amphorae.whenGone(amphoraId, signal);
    return retired;
  }
  await unlessGone(amphoraId, ports, signal, async () => {
    await amphora.withdraw({ amphoraId, endpoint }, { loadBalancerId, hasLvs: leave.hasLvs }, signal);
    return retired;
  });
  if (leave.vip !== null) {
    const { computeId } = slot;
    await ports.network.unplugVip(
      { loadBalancerId, amphoraId, computeId, agentHost: endpoint.host, vip: leave.vip },
      signal,
    );
  }
  await tellAmphora(amphoraId, { type: 'releaseAmphora', loadBalancerId }, amphorae, signal);
  return retired;
}

/** Undefined when there is no such amphora any more. */
async function tellAmphora(
  amphoraId: AmphoraId,
  command: AmphoraCommand,
  amphorae: LoadBalancerPorts['amphorae'],
  signal: AbortSignal,
): Promise<AmphoraAnswer | undefined> {
  const reply = await amphorae.ask(amphoraId, command, signal);
  switch (reply.type) {
    case 'ok':
      return reply.answer;
    case 'refused':
      if (reply.refusal.code !== 'notFound') throw new Error(reply.refusal.message);
      return undefined;
    case 'busy':
      throw new Error(`amphora ${amphoraId} is busy`);
    case 'faulted':
    case 'unavailable':
      throw new Error(`amphora ${amphoraId}: ${reply.reason}`);
  }
}
