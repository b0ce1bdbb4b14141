// A controller in a simulation: the runtime's decisions without the runtime. Everything that can be interrupted is an
// action of its own (handle a message, commit, take effect, call a driver, hear its answer), so that a crash can come
// between any two.
import { amphora } from '../../src/domain/amphora/amphora.ts';
import { amphoraStatus } from '../../src/domain/amphora/status.ts';
import { openSharing } from '../../src/domain/amphora/facts.ts';
import { mayJoin, type Sharing } from '../../src/domain/amphora/sharing.ts';
import type { AmphoraAnswer } from '../../src/domain/amphora/commands.ts';
import type { AmphoraState } from '../../src/domain/amphora/state.ts';
import type { AmphoraStep } from '../../src/domain/amphora/steps.ts';
import { advance, type Advance, type Entity, type EntityDefinition, type EntityKind } from '../../src/domain/entity.ts';
import { deriveId, type AmphoraId, type LoadBalancerId } from '../../src/domain/ids.ts';
import { claimOf } from '../../src/domain/load-balancer/decide.ts';
import { loadBalancer } from '../../src/domain/load-balancer/load-balancer.ts';
import type { LoadBalancerState } from '../../src/domain/load-balancer/state.ts';
import type { LoadBalancerStep } from '../../src/domain/load-balancer/steps.ts';
import type { StepEnded } from '../../src/domain/step.ts';
import type { Bug } from './bugs.ts';
import { type FakeJournal, keyOf, type Stored } from './journal.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

export type Answer =
  | { readonly type: 'ok'; readonly stays?: AmphoraAnswer['stays'] }
  | { readonly type: 'refused'; readonly code: string };

interface Command {
  readonly type: 'command';
  readonly command: { readonly type: string };
  readonly commandId: string | undefined;
  readonly answer: (answer: Answer) => void;
}
type Message = Command | StepEnded<{ readonly type: string }> | { readonly type: 'wake' };

interface Writing {
  readonly next: Advance<Entity>;
  readonly commandId: string | undefined;
  readonly answer: (() => void) | undefined;
  isWritten: boolean;
}

interface Actor {
  readonly kind: EntityKind;
  readonly id: string;
  seq: number;
  state: Entity['state'] | undefined;
  isFresh: boolean;
  readonly inbox: Message[];
  writing: Writing | undefined;
  wakeAt: number | undefined;
}

interface Step {
  readonly key: string;
  readonly step: Entity['step'];
  readonly run: number;
  readonly deadlineAt: number;
  isCalled: boolean;
  /** What to do next; undefined while an answer of another entity is awaited. */
  next: (() => void) | undefined;
  /** Keeps `next` waiting for an event elsewhere. */
  isReady: () => boolean;
}

export interface Surroundings {
  readonly journal: FakeJournal;
  readonly world: World;
  readonly random: Random;
  readonly planted: ReadonlySet<Bug>;
  readonly now: () => number;
  /** Faults of drivers come only while this is true. */
  readonly isFaulty: () => boolean;
  readonly newAmphoraId: () => AmphoraId;
}

const policy = { firstDelayMs: 50, longestDelayMs: 400, budget: 1_000, errorDelayMs: 400 };
const timeouts = { callMs: 500, bootMs: 2_000 };
const snapshotEvery = 6;

/** The two kinds behind one face: messages of a kind only ever reach actors of that kind. */
const definitions = {
  loadBalancer: loadBalancer as unknown as EntityDefinition<Entity>,
  amphora: amphora as unknown as EntityDefinition<Entity>,
};

export class SimulatedNode {
  readonly epoch: number;
  readonly #with: Surroundings;
  readonly #actors = new Map<string, Actor>();
  #steps: Step[] = [];
  #snapshots: (() => void)[] = [];
  #hasLease = true;
  isGone = false;

  constructor(epoch: number, surroundings: Surroundings) {
    this.epoch = epoch;
    this.#with = surroundings;
  }

  /** After a takeover: wakes what has work left or a time to be woken at. */
  takeOver(): void {
    const { journal, planted } = this.#with;
    for (const [key, stored] of journal.entities) {
      if (stored.isOver) continue;
      const [kind, id] = key.split('/') as [EntityKind, string];
      if (stored.hasWork && !planted.has('forgetsSteps')) this.#send(kind, id, { type: 'wake' });
      else if (stored.wakeAt !== undefined && !planted.has('ignoresWakeAt')) this.#actor(kind, id);
    }
  }

  /**
   * The lease is lost: no step is started any more. What is on its way to the journal may still arrive there, and a push
   * that was begun may still reach its amphora until its deadline.
   */
  loseLease(): void {
    this.#hasLease = false;
    this.#steps = this.#steps.filter(({ step, isCalled }) => unfenced.has(step.type) && !isCalled);
  }

  /** Whether it is about to call what goes on without a lease. */
  hasUnfenced(): boolean {
    return this.#steps.some(({ step, isCalled }) => unfenced.has(step.type) && !isCalled);
  }

  /** Sends a command; the answer comes once, or never when this node ends first. */
  command(
    kind: EntityKind,
    id: string,
    command: { readonly type: string },
    answer: (answer: Answer) => void,
    commandId?: string,
  ): void {
    this.#send(kind, id, { type: 'command', command, commandId, answer });
  }

  /** Everything that could happen next. */
  actions(): (() => void)[] {
    const actions = this.#snapshots.map((write, index) => () => this.#writeSnapshot(index, write));
    for (const actor of this.#actors.values()) {
      if (actor.writing !== undefined) actions.push(() => this.#goOnWriting(actor));
      else if (actor.inbox.length > 0) actions.push(() => this.#handle(actor));
    }
    for (const step of this.#steps) if (step.next !== undefined && step.isReady()) actions.push(step.next);
    return actions;
  }

  /** The next time at which something is due though nothing happens. */
  nextWake(): number | undefined {
    let next: number | undefined;
    for (const { wakeAt } of this.#actors.values()) {
      if (wakeAt !== undefined) next = Math.min(next ?? wakeAt, wakeAt);
    }
    for (const step of this.#steps) if (isAwaiting(step)) next = Math.min(next ?? step.deadlineAt, step.deadlineAt);
    return next;
  }

  wakeDue(): void {
    for (const actor of this.#actors.values()) {
      if (actor.wakeAt === undefined || actor.wakeAt > this.#with.now()) continue;
      actor.wakeAt = undefined;
      actor.inbox.push({ type: 'wake' });
    }
    for (const step of this.#steps) {
      const actor = this.#actors.get(step.key);
      const isOverdue = isAwaiting(step) && step.deadlineAt <= this.#with.now();
      if (isOverdue && actor !== undefined) this.#answerIs(actor, step, undefined);
    }
  }

  /** A write whose outcome is not known: the actor is recovered. Steps whose driver was called already end late. */
  resetSomeActor(): void {
    const busy = [...this.#actors.values()].filter(
      (actor) => actor.writing !== undefined || this.#steps.some((step) => step.key === keyOf(actor.kind, actor.id)),
    );
    if (busy.length === 0) return;
    const actor = this.#with.random.pick(busy);
    const isOnItsWay = actor.writing?.isWritten === false;
    if (this.#with.random.chance(0.5) && isOnItsWay) this.#append(actor);
    this.#steps = this.#steps.filter((step) => step.key !== keyOf(actor.kind, actor.id) || step.isCalled);
    this.#recover(actor);
    actor.inbox.push({ type: 'wake' });
  }

  #send(kind: EntityKind, id: string, message: Message): void {
    const actor = this.#actor(kind, id);
    if (actor === undefined || (actor.state === undefined && !this.#mayCreate(actor, message))) {
      if (message.type === 'command') message.answer({ type: 'refused', code: 'notFound' });
      return;
    }
    actor.inbox.push(message);
  }

  #mayCreate({ kind, inbox }: Actor, message: Message): boolean {
    const isCreation = (one: Message) => one.type === 'command' && definitions[kind].isCreation(one.command);
    return isCreation(message) || inbox.some(isCreation);
  }

  /** The live actor, recovered when it is not; undefined when the entity is over. */
  #actor(kind: EntityKind, id: string): Actor | undefined {
    const key = keyOf(kind, id);
    const live = this.#actors.get(key);
    if (live !== undefined) return live;
    if (this.#with.journal.entities.get(key)?.isOver === true) return undefined;
    const actor: Actor = {
      kind,
      id,
      seq: 0,
      state: undefined,
      isFresh: true,
      inbox: [],
      writing: undefined,
      wakeAt: undefined,
    };
    this.#recover(actor);
    this.#actors.set(key, actor);
    return actor;
  }

  #recover(actor: Actor): void {
    const stored = this.#with.journal.entities.get(keyOf(actor.kind, actor.id));
    actor.state = stored === undefined ? undefined : replay(actor.kind, stored);
    actor.seq = stored === undefined ? 0 : this.#with.journal.newest(stored);
    actor.isFresh = true;
    actor.writing = undefined;
    actor.wakeAt = this.#with.planted.has('ignoresWakeAt') ? undefined : stored?.wakeAt;
  }

  #handle(actor: Actor): void {
    const message = actor.inbox.shift();
    if (message === undefined) return;
    const definition = definitions[actor.kind];
    const now = this.#with.now();
    switch (message.type) {
      case 'wake':
        return this.#write(actor, [], undefined, undefined);
      case 'stepEnded': {
        const decision = definition.decideStepEnded(actor.state, message, now, policy);
        if (decision.type === 'accept') this.#write(actor, decision.events, undefined, undefined);
        return;
      }
      case 'command':
        return this.#handleCommand(actor, message, now);
    }
  }

  #handleCommand(actor: Actor, { command, commandId, answer }: Command, now: number): void {
    const { journal, planted } = this.#with;
    const isRepeat = commandId !== undefined && journal.effects.has(commandId);
    if (isRepeat && !planted.has('forgetsAnswers')) return answer({ type: 'ok' });
    const decision = definitions[actor.kind].decide(this.#bent(actor.state, command), command, now);
    if (decision.type === 'refuse') return answer({ type: 'refused', code: decision.refusal.code });
    const { stays } = decision.answer as Partial<AmphoraAnswer>;
    const ok = () => answer({ type: 'ok', ...(stays !== undefined && { stays }) });
    if (planted.has('answerBeforeCommit')) {
      ok();
      return this.#write(actor, decision.events, commandId, undefined);
    }
    this.#write(actor, decision.events, commandId, ok);
  }

  /** What a planted bug makes of an amphora that belongs to somebody already. */
  #bent(state: Entity['state'] | undefined, command: { readonly type: string }): Entity['state'] | undefined {
    if (command.type !== 'allocateAmphora' || state === undefined) return state;
    if (this.#with.planted.has('overfills')) return overfull(state as AmphoraState);
    if (!this.#with.planted.has('doubleAllocation')) return state;
    return state === undefined ? undefined : ({ ...state, allocations: [] } as Entity['state']);
  }

  #write(
    actor: Actor,
    events: readonly Entity['event'][],
    commandId: string | undefined,
    answer: (() => void) | undefined,
  ): void {
    const { planted, now } = this.#with;
    const definition = this.#definition(actor.kind);
    const resumed = actor.isFresh && !planted.has('forgetsSteps') ? definition.decideResumed(actor.state, now()) : [];
    const next = advance(definition, actor.state, [...resumed, ...events], now(), timeouts);
    actor.isFresh = false;
    if (next.events.length === 0) {
      actor.wakeAt = next.wakeAt;
      answer?.();
      return;
    }
    actor.writing = { next, commandId, answer, isWritten: false };
    if (planted.has('driverBeforeJournal')) this.#startSteps(actor, next);
  }

  #definition(kind: EntityKind): EntityDefinition<Entity> {
    const definition = definitions[kind];
    const { planted } = this.#with;
    if (kind === 'amphora' && planted.has('forgetsSharers')) {
      return { ...definition, plan: (state, at) => withoutTells(definition.plan(state, at)) };
    }
    if (kind === 'loadBalancer' && planted.has('leavesEarly')) {
      return { ...definition, plan: (state, at) => definition.plan(settled(state), at) };
    }
    if (kind === 'loadBalancer' && planted.has('neverConfirms')) {
      return {
        ...definition,
        follow: (state, at) => definition.follow({ ...state, confirmAt: null } as Entity['state'], at),
      };
    }
    if (kind === 'loadBalancer' && planted.has('greetsLate')) {
      return { ...definition, plan: (state, at) => definition.plan(withoutPeers(state), at) };
    }
    if (kind !== 'loadBalancer' || !planted.has('movesVipEarly')) return definition;
    // As if amphorae that are leaving were gone.
    const staying = (state: Entity['state']): Entity['state'] => {
      const { slots } = state as LoadBalancerState;
      return { ...state, slots: slots.filter((slot) => slot.leaving === null) } as Entity['state'];
    };
    return { ...definition, follow: (state, at) => definition.follow(staying(state), at) };
  }

  #goOnWriting(actor: Actor): void {
    const { writing } = actor;
    if (writing === undefined) return;
    if (!writing.isWritten) {
      const outcome = this.#append(actor);
      if (outcome === 'stale') this.isGone = true;
      else if (outcome === 'duplicate') {
        writing.answer?.();
        this.#recover(actor);
      } else if (outcome === 'conflict') {
        this.#recover(actor);
        actor.inbox.push({ type: 'wake' });
      }
      return;
    }
    actor.writing = undefined;
    actor.state = writing.next.state;
    actor.wakeAt = writing.next.wakeAt;
    writing.answer?.();
    this.#steps = this.#steps.filter(
      (step) => step.key !== keyOf(actor.kind, actor.id) || !writing.next.cancel.includes(step.step.key),
    );
    for (const key of writing.next.cancel) this.#endCancelled(actor, key);
    if (!this.#with.planted.has('driverBeforeJournal')) this.#startSteps(actor, writing.next);
    this.#maybeSnapshot(actor);
  }

  #endCancelled(actor: Actor, key: string): void {
    const run = actor.state?.steps.running[key]?.run;
    if (run === undefined) return;
    const failure = { message: 'cancelled', call: null, requestId: null, permanent: false };
    actor.inbox.push({ type: 'stepEnded', key, run, outcome: { ok: false, failure } });
  }

  #append(actor: Actor) {
    const { writing } = actor;
    if (writing === undefined) return 'conflict';
    const { next, commandId } = writing;
    const outcome = this.#with.journal.append({
      key: keyOf(actor.kind, actor.id),
      epoch: this.epoch,
      seq: actor.seq + 1,
      events: next.events,
      commandId,
      isOver: next.state !== undefined && definitions[actor.kind].isOver(next.state),
      hasWork: Object.keys(next.state?.steps.running ?? {}).length > 0,
      wakeAt: next.wakeAt,
    });
    if (outcome === 'written') {
      actor.seq++;
      writing.isWritten = true;
    }
    return outcome;
  }

  #maybeSnapshot(actor: Actor): void {
    if (actor.seq % snapshotEvery !== 0) return;
    const { journal } = this.#with;
    const { seq, state } = actor;
    const key = keyOf(actor.kind, actor.id);
    this.#snapshots.push(() => journal.writeSnapshot(key, this.epoch, seq, state));
  }

  #writeSnapshot(index: number, write: () => void): void {
    this.#snapshots.splice(index, 1);
    write();
  }

  #startSteps(actor: Actor, next: Advance<Entity>): void {
    if (!this.#hasLease) return;
    for (const { step, run, deadlineAt } of next.start) {
      const started: Step = {
        key: keyOf(actor.kind, actor.id),
        step,
        run,
        deadlineAt,
        isCalled: false,
        next: undefined,
        isReady: () => true,
      };
      started.next = () => this.#call(actor, started);
      this.#steps.push(started);
    }
  }

  /** The driver is called: it may fail, do its work, or do it and never be heard of again before the deadline. */
  #call(actor: Actor, step: Step): void {
    const { random, isFaulty } = this.#with;
    step.isCalled = true;
    if (!this.#hasLease) return this.#lateCall(step);
    if (isFaulty() && random.chance(0.15)) return this.#answerIs(actor, step, undefined);
    const isHeard = !isFaulty() || !random.chance(0.1);
    const hear = (result: { readonly type: string } | undefined) =>
      this.#answerIs(actor, step, isHeard ? result : undefined);
    step.next = undefined;
    if (actor.kind === 'amphora') this.#amphoraStep(step.step as AmphoraStep, hear);
    else this.#loadBalancerStep(step.step as LoadBalancerStep, hear, step);
  }

  /** Of an owner that is gone: nobody hears of it. */
  #lateCall(late: Step): void {
    this.#steps = this.#steps.filter((step) => step !== late);
    const step = late.step as LoadBalancerStep;
    const { world, now } = this.#with;
    if (now() > late.deadlineAt) return;
    if (step.type === 'deploy') world.serve(step.slot.amphoraId, step.loadBalancerId, step.tree, step.pairing);
    if (step.type === 'retireAmphora' && step.leave !== null) world.withdraw(step.slot.amphoraId, step.loadBalancerId);
  }

  #answerIs(actor: Actor, step: Step, result: { readonly type: string } | undefined): void {
    step.isReady = () => true;
    step.next = () => {
      this.#steps = this.#steps.filter((other) => other !== step);
      const failure = { message: 'failed', call: null, requestId: null, permanent: false };
      const outcome = result === undefined ? ({ ok: false, failure } as const) : ({ ok: true, result } as const);
      actor.inbox.push({ type: 'stepEnded', key: step.step.key, run: step.run, outcome });
    };
  }

  #amphoraStep(step: AmphoraStep, hear: (result: { readonly type: string } | undefined) => void): void {
    const { world, planted } = this.#with;
    const facts = { haproxyVersion: '2.6', certificateFingerprint: 'ab', certificateExpiresAt: 1 };
    const agent = { host: '127.0.0.1', port: 9443 };
    switch (step.type) {
      case 'boot':
        world.boot(step.amphoraId);
        return hear({ type: 'booted', computeId: step.amphoraId, agent, controllers: [], facts } as { type: string });
      case 'awaitAgent':
        return hear({ type: 'agentAnswered', facts } as { type: string });
      case 'checkAllocation': {
        const state = this.#actor('loadBalancer', step.loadBalancerId)?.state as LoadBalancerState | undefined;
        const claim = planted.has('lostReply') ? 'claimed' : claimOf(state, step.amphoraId);
        if (claim === 'undecided') return hear(undefined);
        const { loadBalancerId } = step;
        return hear({ type: 'allocationChecked', loadBalancerId, isClaimed: claim === 'claimed' } as { type: string });
      }
      case 'configureAgent':
        return hear({ type: 'agentConfigured', controllers: step.controllers } as { type: string });
      case 'rotateCertificate':
        return hear({ type: 'certificateRotated', facts } as { type: string });
      case 'destroy':
        world.destroy(step.amphoraId);
        return hear({ type: 'destroyed' });
      case 'tellFarewell': {
        const { amphoraId, loadBalancerId, why, reason, isUnconfirmed } = step;
        const command = { type: 'failoverAmphora', amphoraId, why, reason } as { type: string };
        const told = { type: 'farewellTold', loadBalancerId, why };
        return this.command('loadBalancer', loadBalancerId, command, (answer) => {
          hear(answer.type === 'ok' || why === 'lost' || !isUnconfirmed ? told : undefined);
        });
      }
    }
  }

  #loadBalancerStep(
    step: LoadBalancerStep,
    hear: (result: { readonly type: string } | undefined) => void,
    running: Step,
  ): void {
    const { world, journal } = this.#with;
    switch (step.type) {
      case 'allocateVip':
        world.vips.add(step.loadBalancerId);
        return hear({ type: 'vipOffered', portId: 'port', address: '10.0.0.1' } as { type: string });
      case 'claimAmphora':
        return this.#claim(step, hear);
      case 'plugAmphora': {
        const { amphoraId } = step.slot;
        const port = { portId: null, address: `own-${amphoraId}` };
        return hear({ type: 'amphoraPlugged', amphoraId, port } as { type: string });
      }
      case 'deploy': {
        const { amphoraId } = step.slot;
        const isServed = world.serve(amphoraId, step.loadBalancerId, step.tree, step.pairing);
        const isGone = journal.entities.get(keyOf('amphora', amphoraId))?.isOver !== false;
        if (!isServed && isGone) return hear({ type: 'amphoraGone', amphoraId } as { type: string });
        const served = { type: 'served', amphoraId, peerAddress: step.pairing?.peer?.address };
        return hear(isServed ? (served as { type: string }) : undefined);
      }
      case 'retireAmphora':
        return this.#retire(step, hear, running);
      case 'releaseVip':
        world.vips.delete(step.loadBalancerId);
        return hear({ type: 'vipReleased' });
    }
  }

  #claim(
    { loadBalancerId, role, wanted: { sharing } }: Extract<LoadBalancerStep, { type: 'claimAmphora' }>,
    hear: (result: { readonly type: string } | undefined) => void,
  ): void {
    const amphoraId = this.#suggest(loadBalancerId, sharing);
    if (amphoraId === undefined) {
      const fresh = this.#with.newAmphoraId();
      this.command('amphora', fresh, { type: 'createAmphora', amphoraId: fresh } as { type: string }, () => undefined);
      return hear(undefined);
    }
    const command = { type: 'allocateAmphora', loadBalancerId, role, sharing } as { type: string };
    const granted = { type: 'amphoraGranted', role, amphoraId, computeId: amphoraId, agent: { host: 'h', port: 1 } };
    this.command('amphora', amphoraId, command, (answer) => hear(answer.type === 'ok' ? granted : undefined));
  }

  /** The pool, reading rows. */
  #suggest(loadBalancerId: LoadBalancerId, sharing: Sharing | undefined): AmphoraId | undefined {
    const { random, planted } = this.#with;
    const fleet = this.fleet();
    const owner = this.#actor('loadBalancer', loadBalancerId)?.state as LoadBalancerState | undefined;
    const granted = fleet.filter((state) => isOf(state, loadBalancerId) && claimOf(owner, state.id) !== 'claimed');
    const isUsable = (state: AmphoraState) => amphoraStatus(state) === 'ALLOCATED';
    const mine = granted.find(isUsable);
    if (mine !== undefined && !planted.has('lostReply')) return mine.id;
    const ready = fleet.filter((state) => amphoraStatus(state) === 'READY');
    const open = fleet.filter((state) => isUsable(state) && !isOf(state, loadBalancerId) && isOpenTo(state, sharing));
    if (planted.has('overfills') && sharing !== undefined) {
      open.push(
        ...fleet.filter(
          (state) => isUsable(state) && !isOf(state, loadBalancerId) && openSharing(overfull(state)) !== undefined,
        ),
      );
    }
    if (open.length > 0 && random.chance(0.8)) return random.pick(open).id;
    if (planted.has('doubleAllocation')) ready.push(...fleet.filter(isUsable));
    return ready.length === 0 ? undefined : random.pick(ready).id;
  }

  /** Amphorae as their rows show them. */
  fleet(): readonly AmphoraState[] {
    const states: AmphoraState[] = [];
    for (const [key, stored] of this.#with.journal.entities) {
      if (key.startsWith('amphora/') && !stored.isOver) states.push(replay('amphora', stored) as AmphoraState);
    }
    return states;
  }

  #retire(
    { slot, loadBalancerId, reason, leave }: Extract<LoadBalancerStep, { type: 'retireAmphora' }>,
    hear: (result: { readonly type: string } | undefined) => void,
    running: Step,
  ): void {
    const { amphoraId } = slot;
    const { world, journal, planted } = this.#with;
    const retired = { type: 'amphoraRetired', amphoraId };
    const unlessShared = leave !== null && !planted.has('takesAll');
    const command = { type: 'deleteAmphora', reason, onBehalfOf: loadBalancerId, unlessShared } as { type: string };
    const isGone = () => {
      const stored = journal.entities.get(keyOf('amphora', amphoraId));
      return stored === undefined || (replay('amphora', stored) as AmphoraState).deletion?.done === true;
    };
    const whenGone = () => {
      running.isReady = isGone;
      running.next = () => hear(retired);
    };
    const release = () => {
      const released = { type: 'releaseAmphora', loadBalancerId } as { type: string };
      this.command('amphora', amphoraId, released, (answer) => {
        hear(answer.type === 'ok' || answer.code === 'notFound' ? retired : undefined);
      });
    };
    this.command('amphora', amphoraId, command, (answer) => {
      if (answer.type === 'refused') return hear(answer.code === 'notFound' ? retired : undefined);
      if (answer.stays === 'left') return hear(retired);
      if (answer.stays === undefined) return whenGone();
      if (world.withdraw(amphoraId, loadBalancerId)) release();
      else hear(undefined);
    });
  }
}

/** Of an owner that is gone, what may still come through until its deadline: nothing fences what goes to agents. */
const unfenced: ReadonlySet<string> = new Set(['deploy', 'retireAmphora']);

function isOf({ allocations }: AmphoraState, id: LoadBalancerId): boolean {
  return allocations.some(({ loadBalancerId }) => loadBalancerId === id);
}

function isOpenTo(state: AmphoraState, sharing: Sharing | undefined): boolean {
  return mayJoin(openSharing(state), state.allocations.length, sharing);
}

/** As if everybody on it would share it with any number of others. */
function overfull(state: AmphoraState): AmphoraState {
  const allocations = state.allocations.map((one) =>
    one.sharing === undefined ? one : { ...one, sharing: { ...one.sharing, most: 100 } },
  );
  return { ...state, allocations };
}

function withoutTells(due: ReturnType<EntityDefinition<Entity>['plan']>): typeof due {
  return { ...due, start: due.start.filter(({ type }) => type !== 'tellFarewell') };
}

/** As if no push could come late. */
function settled(state: Entity['state']): Entity['state'] {
  const { slots } = state as LoadBalancerState;
  return { ...state, slots: slots.map(({ unsettledUntil: _, ...slot }) => slot) } as Entity['state'];
}

/** As if no amphora had been told of another one. */
function withoutPeers(state: Entity['state']): Entity['state'] {
  const { slots } = state as LoadBalancerState;
  return { ...state, slots: slots.map(({ knownPeer: _, ...slot }) => slot) } as Entity['state'];
}

function isAwaiting({ next, isReady }: Step): boolean {
  return next === undefined || !isReady();
}

/** States are never changed, so what was replayed once serves until something is written. */
const replayed = new WeakMap<Stored, { readonly version: string; readonly state: Entity['state'] | undefined }>();

export function replay(kind: EntityKind, stored: Stored): Entity['state'] | undefined {
  const { snapshot, entries } = stored;
  const version = `${snapshot?.seq}/${entries.length}/${entries.at(-1)?.seq}`;
  const known = replayed.get(stored);
  if (known?.version === version) return known.state;
  let state = snapshot === undefined ? undefined : (JSON.parse(snapshot.state) as Entity['state']);
  for (const entry of entries) {
    for (const event of JSON.parse(entry.events) as readonly Entity['event'][]) {
      state = definitions[kind].evolve(state, event);
    }
  }
  replayed.set(stored, { version, state });
  return state;
}

/** Ids of a simulation's objects. */
export function simulatedId<T extends string>(...parts: readonly (string | number)[]): T {
  return deriveId<T>('simulation', ...parts);
}
