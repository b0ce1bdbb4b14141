// Carries out an amphora's steps through drivers. Every step may run twice: instances are looked up by name, and keys
// that were lost in a crash are made again.
import { setTimeout as wait } from 'node:timers/promises';
import type { AgentAddress, AgentFacts } from '../../domain/amphora/state.ts';
import type { AmphoraStep, AmphoraStepResult } from '../../domain/amphora/steps.ts';
import { agentConfiguration, configDriveFiles } from '../../domain/amphora/config-drive.ts';
import type { Answers, LoadBalancerQuestion } from '../../domain/cluster/questions.ts';
import type { AmphoraId, DeploymentId, LoadBalancerId } from '../../domain/ids.ts';
import type { LoadBalancerCommand } from '../../domain/load-balancer/commands.ts';
import type { LoadBalancerEntity } from '../../domain/load-balancer/load-balancer.ts';
import type { AmphoraDriver, AmphoraInfo } from '../../drivers/amphora/driver.ts';
import type { CertificateDriver, IssuedCertificate } from '../../drivers/certificate/driver.ts';
import type { ComputeDriver, Instance } from '../../drivers/compute/driver.ts';
import type { Answered } from '../cluster/entities.ts';

export interface AmphoraPorts {
  readonly deploymentId: DeploymentId;
  readonly compute: ComputeDriver;
  readonly amphora: AmphoraDriver;
  readonly certificate: CertificateDriver;
  readonly heartbeats: () => {
    readonly controllers: readonly string[];
    readonly key: string;
    /** Seconds. */
    readonly interval: number;
  };
  /** Load balancers, wherever their owner is. */
  readonly loadBalancers: {
    query<A>(id: LoadBalancerId, question: LoadBalancerQuestion, signal: AbortSignal): Promise<A>;
    ask(id: LoadBalancerId, command: LoadBalancerCommand, signal: AbortSignal): Promise<Answered<LoadBalancerEntity>>;
  };
}

/** How long a boot waits for the agent before it says that there is an instance, and leaves the rest to a step of its own. */
const quickBootMs = 2_500;
const firstPauseMs = 40;
const longestPauseMs = 1_000;

export async function runAmphoraStep(
  step: AmphoraStep,
  ports: AmphoraPorts,
  signal: AbortSignal,
): Promise<AmphoraStepResult> {
  switch (step.type) {
    case 'boot':
      return boot(step, ports, signal);
    case 'awaitAgent':
      return { type: 'agentAnswered', facts: await askAgent(step.amphoraId, step.agent, ports, signal) };
    case 'checkAllocation': {
      const question = { type: 'claimOf', amphoraId: step.amphoraId } as const;
      const claim = await ports.loadBalancers.query<Answers['claimOf']>(step.loadBalancerId, question, signal);
      if (claim === 'undecided')
        throw new Error(`load balancer ${step.loadBalancerId} is claiming an amphora just now`);
      return { type: 'allocationChecked', loadBalancerId: step.loadBalancerId, isClaimed: claim === 'claimed' };
    }
    case 'configureAgent': {
      const { amphoraId, agent: endpoint, topology } = step;
      const { key: heartbeatKey, interval: heartbeatInterval, controllers: all } = ports.heartbeats();
      // What it was told once may not be known.
      const controllers = step.controllers.length === 0 ? all : step.controllers;
      const text = agentConfiguration({ amphoraId, controllers, heartbeatKey, heartbeatInterval, topology });
      await ports.amphora.configure({ amphoraId, endpoint }, text, signal);
      return { type: 'agentConfigured', controllers };
    }
    case 'rotateCertificate':
      return { type: 'certificateRotated', facts: await rotateCertificate(step, ports, signal) };
    case 'destroy':
      await ports.compute.delete(step.amphoraId, signal);
      return { type: 'destroyed' };
    case 'tellFarewell':
      return tellFarewell(step, ports, signal);
  }
}

/** One that does not know the amphora has gone on without it already, unless it is about to claim it. */
async function tellFarewell(
  { amphoraId, loadBalancerId, why, reason, isUnconfirmed }: Extract<AmphoraStep, { type: 'tellFarewell' }>,
  { loadBalancers }: AmphoraPorts,
  signal: AbortSignal,
): Promise<AmphoraStepResult> {
  const command = { type: 'failoverAmphora', amphoraId, why, reason } as const;
  const reply = await loadBalancers.ask(loadBalancerId, command, signal);
  const isUnheard = reply.type === 'refused' && why === 'replaced' && isUnconfirmed;
  if (reply.type === 'ok' || (reply.type === 'refused' && !isUnheard)) {
    return { type: 'farewellTold', loadBalancerId, why };
  }
  const state = reply.type === 'refused' ? 'may be about to claim the amphora' : `is ${reply.type}`;
  throw new Error(`load balancer ${loadBalancerId} ${state}`);
}

async function boot(
  { amphoraId, kind, apartFrom }: Extract<AmphoraStep, { type: 'boot' }>,
  ports: AmphoraPorts,
  signal: AbortSignal,
): Promise<AmphoraStepResult> {
  const { compute, certificate, deploymentId } = ports;
  const existing = await compute.get(amphoraId, signal);
  const told = ports.heartbeats().controllers;
  const instance = existing ?? (await create(amphoraId, ports, signal));
  const running = await untilActive(instance, ports, signal);
  const quick = AbortSignal.any([signal, AbortSignal.timeout(quickBootMs)]);
  const facts = await askAgent(amphoraId, running.agent, ports, quick).catch(() => null);
  const controllers = existing === undefined ? told : [];
  const { computeId, agent, place } = running;
  return { type: 'booted', computeId, agent, controllers, facts, place };

  async function create(id: AmphoraId, { heartbeats }: AmphoraPorts, aborts: AbortSignal): Promise<Instance> {
    const { key, interval } = heartbeats();
    const issued = await certificate.issue(id, aborts);
    const files = configDriveFiles({
      amphoraId: id,
      controllers: told,
      heartbeatKey: key,
      heartbeatInterval: interval,
      serverPem: serverPem(issued),
      clientCaPem: certificate.clientCaPem(),
      topology: kind.topology,
    });
    return compute.create({ amphoraId: id, deploymentId, files, kind, apartFrom }, aborts);
  }
}

function serverPem({ certificatePem, privateKeyPem }: IssuedCertificate): string {
  return `${certificatePem.trimEnd()}\n${privateKeyPem}`;
}

/**
 * Gives the agent another certificate, and looks at what it shows then. One that shows another one than expected was given it by
 * an earlier run whose end is not known: that is as good.
 */
async function rotateCertificate(
  { amphoraId, agent: endpoint, fingerprint, loadBalancerIds }: Extract<AmphoraStep, { type: 'rotateCertificate' }>,
  { amphora, certificate, loadBalancers }: AmphoraPorts,
  signal: AbortSignal,
): Promise<AgentFacts> {
  const address = { amphoraId, endpoint };
  const before = factsOf(await amphora.info(address, signal));
  if (before.certificateFingerprint !== fingerprint) return before;
  for (const loadBalancerId of loadBalancerIds) await untilNoPush(loadBalancerId, loadBalancers, signal);
  const issued = await certificate.issue(amphoraId, signal);
  await amphora.certify(address, serverPem(issued), signal);
  const after = factsOf(await amphora.info(address, signal));
  if (after.certificateFingerprint !== fingerprint) return after;
  throw new Error(`amphora ${amphoraId} was given another certificate and goes on showing the old one`);
}

async function untilNoPush(
  loadBalancerId: LoadBalancerId,
  loadBalancers: AmphoraPorts['loadBalancers'],
  signal: AbortSignal,
): Promise<void> {
  const question = { type: 'isPushing' } as const;
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 2, longestPauseMs)) {
    if (!(await loadBalancers.query<Answers['isPushing']>(loadBalancerId, question, signal))) return;
    await wait(pause, undefined, { signal });
  }
}

type RunningInstance = Instance & { readonly agent: AgentAddress };

/** Compute gives no event when an instance is up, so it is asked, less and less often. */
async function untilActive(first: Instance, { compute }: AmphoraPorts, signal: AbortSignal): Promise<RunningInstance> {
  let instance = first;
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 2, longestPauseMs)) {
    const { status, agent, fault, amphoraId } = instance;
    if (agent !== undefined && status === 'ACTIVE') return { ...instance, agent };
    if (status === 'ERROR' || status === 'STOPPED') {
      await compute.delete(amphoraId, signal);
      throw new Error(`instance of amphora ${amphoraId} is ${status}: ${fault ?? 'no reason given'}`);
    }
    await wait(pause, undefined, { signal });
    const found = await compute.get(amphoraId, signal);
    if (found === undefined) throw new Error(`instance of amphora ${amphoraId} has vanished while it booted`);
    instance = found;
  }
}

/** An agent that starts gives no event either. */
async function askAgent(
  amphoraId: AmphoraId,
  endpoint: AgentAddress,
  { amphora }: AmphoraPorts,
  signal: AbortSignal,
): Promise<AgentFacts> {
  let lastError: unknown;
  for (let pause = firstPauseMs; !signal.aborted; pause = Math.min(pause * 2, longestPauseMs)) {
    try {
      return factsOf(await amphora.info({ amphoraId, endpoint }, signal));
    } catch (error) {
      lastError = error;
      if (error instanceof Error && error.name === 'PermanentFailure') throw error;
    }
    await wait(pause, undefined, { signal }).catch(() => undefined);
  }
  throw lastError instanceof Error ? lastError : new Error('the agent did not answer');
}

function factsOf({ haproxyVersion, certificateFingerprint, certificateExpiresAt }: AmphoraInfo): AgentFacts {
  return { haproxyVersion, certificateFingerprint, certificateExpiresAt: certificateExpiresAt.getTime() };
}
