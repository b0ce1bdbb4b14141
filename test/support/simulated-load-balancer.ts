// One load balancer in a world of its own: the domain's functions under a clock that jumps, a journal that is a list,
// and steps that succeed, fail, hang, or succeed without anybody hearing of it. No actors, no database.
import { advance, type StartedStep, type StepTimeouts } from '../../src/domain/entity.ts';
import { renderHaproxy } from '../../src/domain/haproxy/render.ts';
import { deriveId, type AmphoraId, type LoadBalancerId } from '../../src/domain/ids.ts';
import type { LoadBalancerCommand } from '../../src/domain/load-balancer/commands.ts';
import type { LoadBalancerEvent } from '../../src/domain/load-balancer/events.ts';
import { loadBalancer, type LoadBalancerEntity } from '../../src/domain/load-balancer/load-balancer.ts';
import type { LoadBalancerState } from '../../src/domain/load-balancer/state.ts';
import type { LoadBalancerStep, LoadBalancerStepResult, Pairing } from '../../src/domain/load-balancer/steps.ts';
import type { StepOutcome, RetryPolicy } from '../../src/domain/step.ts';
import type { AmphoraRole } from '../../src/domain/statuses.ts';
import { wrongBeside } from './vip-rule.ts';

export type Fate = 'succeeds' | 'fails' | 'hangs' | 'succeedsUnheard';
export type FateOf = (step: LoadBalancerStep) => Fate;

export const fortunate: FateOf = () => 'succeeds';

interface Running {
  readonly started: StartedStep<LoadBalancerStep>;
  /** Undefined while nobody will ever hear of it. */
  readonly outcome: StepOutcome<LoadBalancerStepResult> | undefined;
}

const policy: RetryPolicy = { firstDelayMs: 100, longestDelayMs: 1_000, budget: 3, errorDelayMs: 10_000 };
const timeouts: StepTimeouts = { callMs: 5_000, bootMs: 60_000 };

export class SimulatedLoadBalancer {
  readonly id = 'b0000000-0000-4000-8000-000000000001' as LoadBalancerId;
  now = 1_000_000;
  state: LoadBalancerState | undefined;
  readonly journal: LoadBalancerEvent[] = [];
  running: Running[] = [];
  /** Amphora → what its haproxy serves; an amphora that is stopped is not here. */
  readonly serving = new Map<AmphoraId, string | null>();
  readonly #pairings = new Map<AmphoraId, Pairing | null>();
  readonly alive = new Set<AmphoraId>();
  vip: string | undefined;
  /** Configurations with this text are refused. */
  refuses: string | undefined;
  /** What went wrong with the world: must stay empty. */
  readonly violations: string[] = [];
  readonly #granted = new Map<AmphoraId, AmphoraRole>();
  #amphorae = 0;
  #ghosts: Running[] = [];

  command(command: LoadBalancerCommand, fate: FateOf = fortunate): 'ok' | 'refused' {
    const decision = loadBalancer.decide(this.state, command, this.now);
    if (decision.type === 'refuse') return 'refused';
    this.#carryOut(decision.events, fate);
    return 'ok';
  }

  /** An amphora that serves now stops without a word; `which` says which of a pair. */
  loseAmphora(fate: FateOf, which = 0): void {
    const serving = this.state?.slots.filter((candidate) => candidate.leaving === null) ?? [];
    const slot = serving[which % Math.max(1, serving.length)];
    if (slot === undefined) return;
    const { amphoraId } = slot;
    this.command({ type: 'failoverAmphora', amphoraId, why: 'lost', reason: 'silent' }, fate);
  }

  /** The oldest step under way ends, or is found to have hung. */
  step(fate: FateOf): boolean {
    const next = this.running.shift();
    if (next === undefined) return this.#passTime(fate);
    this.#end(next, fate);
    return true;
  }

  /** The end of a step whose process died, or whose actor was restarted, arrives after all. */
  lateEnd(fate: FateOf): void {
    const late = this.#ghosts.shift();
    if (late !== undefined) this.#end(late, fate);
  }

  #end({ started, outcome }: Running, fate: FateOf): void {
    const hung: StepOutcome<LoadBalancerStepResult> = {
      ok: false,
      failure: { message: 'no answer', call: null, requestId: null, permanent: false },
    };
    if (outcome === undefined) this.now = Math.max(this.now, started.deadlineAt);
    const { key } = started.step;
    const ended = { type: 'stepEnded', key, run: started.run, outcome: outcome ?? hung } as const;
    const decision = loadBalancer.decideStepEnded(this.state, ended, this.now, policy);
    if (decision.type === 'accept') this.#carryOut(decision.events, fate);
  }

  /** The process dies: what is not in the journal is gone. Another one replays it and goes on. */
  crash(fate: FateOf): void {
    this.#ghosts.push(...this.running);
    this.running = [];
    this.state = replay(this.journal);
    this.#carryOut(loadBalancer.decideResumed(this.state, this.now), fate);
  }

  #passTime(fate: FateOf): boolean {
    if (this.state === undefined) return false;
    const { wakeAt } = loadBalancer.plan(this.state, this.now);
    if (wakeAt === undefined) return false;
    this.now = wakeAt;
    this.#carryOut([], fate);
    return true;
  }

  #carryOut(events: readonly LoadBalancerEvent[], fate: FateOf): void {
    const next = advance<LoadBalancerEntity>(loadBalancer, this.state, events, this.now, timeouts);
    this.journal.push(...(next.events as readonly LoadBalancerEvent[]));
    this.state = next.state;
    for (const started of next.start) this.running.push(this.#start(started, fate(started.step)));
  }

  #start(started: StartedStep<LoadBalancerStep>, fate: Fate): Running {
    const failure = { message: 'told to fail', call: null, requestId: null, permanent: false };
    if (fate === 'fails') return { started, outcome: { ok: false, failure } };
    if (fate === 'hangs') return { started, outcome: undefined };
    const result = this.#effect(started.step);
    return { started, outcome: fate === 'succeeds' ? { ok: true, result } : undefined };
  }

  /** What the step does to the world. */
  #effect(step: LoadBalancerStep): LoadBalancerStepResult {
    switch (step.type) {
      case 'allocateVip':
        this.vip = '10.0.0.1';
        return { type: 'vipOffered', portId: 'port', address: this.vip };
      case 'claimAmphora': {
        const amphoraId = this.#unclaimed(step.role) ?? deriveId<AmphoraId>('simulated', ++this.#amphorae);
        this.alive.add(amphoraId);
        this.#granted.set(amphoraId, step.role);
        const agent = { host: '127.0.0.1', port: 9443 };
        return { type: 'amphoraGranted', role: step.role, amphoraId, computeId: amphoraId, agent };
      }
      case 'plugAmphora': {
        const { amphoraId } = step.slot;
        return { type: 'amphoraPlugged', amphoraId, port: { portId: null, address: `own-${amphoraId}` } };
      }
      case 'deploy':
        return this.#deploy(step);
      case 'retireAmphora':
        this.alive.delete(step.slot.amphoraId);
        this.serving.delete(step.slot.amphoraId);
        return { type: 'amphoraRetired', amphoraId: step.slot.amphoraId };
      case 'releaseVip':
        if (this.serving.size > 0) this.violations.push('the VIP was released while an amphora serves it');
        this.vip = undefined;
        return { type: 'vipReleased' };
    }
  }

  /** Granted for that role before, without anybody having heard of it. */
  #unclaimed(role: AmphoraRole): AmphoraId | undefined {
    const claimed = new Set(this.state?.slots.map((slot) => slot.amphoraId));
    return [...this.alive].find((id) => !claimed.has(id) && this.#granted.get(id) === role);
  }

  #deploy({ slot, tree, pairing: told }: Extract<LoadBalancerStep, { type: 'deploy' }>): LoadBalancerStepResult {
    const { amphoraId } = slot;
    const before = this.#pairings.get(amphoraId);
    const pairing = told === null || !told.keepsPeer ? told : (before ?? told);
    const servers = Array.from(this.serving.keys(), (id) => ({
      amphoraId: id,
      pairing: this.#pairings.get(id) ?? null,
    }));
    const wrong = wrongBeside(servers, { amphoraId, pairing }, !this.serving.has(amphoraId));
    if (wrong !== undefined) this.violations.push(wrong);
    if (this.vip === undefined) this.violations.push('a VIP is served that is not there');
    const configuration = renderHaproxy(tree);
    if (this.refuses !== undefined && configuration?.includes(this.refuses) === true) {
      return { type: 'servingRefused', amphoraId, reason: `refused: ${this.refuses}` };
    }
    this.serving.set(amphoraId, configuration);
    this.#pairings.set(amphoraId, pairing);
    const peerAddress = told?.peer?.address;
    return {
      type: 'served',
      amphoraId,
      ...(peerAddress !== undefined && { peerAddress }),
      ...(told === null && { ownPort: { portId: `port-${amphoraId}`, address: `own-${amphoraId}` } }),
    };
  }
}

export function replay(journal: readonly LoadBalancerEvent[]): LoadBalancerState | undefined {
  // As the database gives it back: what is undefined is not there any more.
  const stored = JSON.parse(JSON.stringify(journal)) as readonly LoadBalancerEvent[];
  return stored.reduce<LoadBalancerState | undefined>((state, event) => loadBalancer.evolve(state, event), undefined);
}
