// The owner of a shard in a simulation: the runtime's decisions without the runtime. Everything that can be interrupted is an
// action of its own (handle a message, commit, take effect, call a driver, hear its answer), so that a crash can come
// between any two.
import type { AmphoraAnswer } from '../../src/domain/amphora/commands.ts';
import { advance, type Advance, type Entity, type EntityKind } from '../../src/domain/entity.ts';
import type { StepEnded } from '../../src/domain/step.ts';
import { keyOf, shardOf } from './journal.ts';
import { plantedDefinition, plantedState } from './planted.ts';
import { definitions, replay } from './replay.ts';
import { type Answer, inFlight, SimulatedSteps, type Surroundings } from './steps.ts';

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

const policy = { firstDelayMs: 50, longestDelayMs: 400, budget: 1_000, errorDelayMs: 400 };
const timeouts = { callMs: 500, bootMs: 2_000 };
const snapshotEvery = 6;

export class SimulatedNode {
  readonly shard: number;
  readonly epoch: number;
  readonly #with: Surroundings;
  readonly #drivers: SimulatedSteps;
  readonly #actors = new Map<string, Actor>();
  #steps: Step[] = [];
  #snapshots: (() => void)[] = [];
  #hasLease = true;

  constructor(shard: number, epoch: number, surroundings: Surroundings) {
    this.shard = shard;
    this.epoch = epoch;
    this.#with = surroundings;
    this.#drivers = new SimulatedSteps(surroundings);
  }

  /** After a takeover: wakes what has work left or a time to be woken at. */
  takeOver(): void {
    const { journal, planted } = this.#with;
    for (const [key, stored] of journal.entities) {
      if (stored.isOver || shardOf(key) !== this.shard) continue;
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
    this.#giveUpSteps(() => true);
  }

  /** It dies: what it was about to ask of agents may be on its way. */
  die(): void {
    this.#giveUpSteps(() => true);
  }

  #giveUpSteps(which: (step: Step) => boolean): void {
    const { inFlight: all, world } = this.#with;
    for (const { step, deadlineAt, isCalled } of this.#steps.filter(which)) {
      const call = isCalled ? undefined : inFlight(step, deadlineAt, world);
      if (call !== undefined) all.push(call);
    }
    this.#steps = this.#steps.filter((step) => !which(step));
  }

  /** Whether it is about to call what goes on without a lease. */
  hasUnfenced(): boolean {
    const { world } = this.#with;
    return this.#steps.some(({ step, deadlineAt, isCalled }) => !isCalled && inFlight(step, deadlineAt, world));
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

  stateOf(kind: EntityKind, id: string): Entity['state'] | undefined {
    return this.#actor(kind, id)?.state;
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
    this.#giveUpSteps((step) => step.key === keyOf(actor.kind, actor.id) && !step.isCalled);
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
    const decision = definitions[actor.kind].decide(plantedState(actor.state, command, planted), command, now);
    if (decision.type === 'refuse') return answer({ type: 'refused', code: decision.refusal.code });
    const { stays } = decision.answer as Partial<AmphoraAnswer>;
    const ok = () => answer({ type: 'ok', ...(stays !== undefined && { stays }) });
    if (planted.has('answerBeforeCommit')) {
      ok();
      return this.#write(actor, decision.events, commandId, undefined);
    }
    this.#write(actor, decision.events, commandId, ok);
  }

  #write(
    actor: Actor,
    events: readonly Entity['event'][],
    commandId: string | undefined,
    answer: (() => void) | undefined,
  ): void {
    const { planted, now } = this.#with;
    const definition = plantedDefinition(actor.kind, planted);
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

  #goOnWriting(actor: Actor): void {
    const { writing } = actor;
    if (writing === undefined) return;
    if (!writing.isWritten) {
      const outcome = this.#append(actor);
      if (outcome === 'duplicate') {
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
    const isCancelled = (step: Step) =>
      step.key === keyOf(actor.kind, actor.id) && writing.next.cancel.includes(step.step.key);
    this.#giveUpSteps(isCancelled);
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
    if (isFaulty() && random.chance(0.15)) return this.#answerIs(actor, step, undefined);
    const isHeard = !isFaulty() || !random.chance(0.1);
    const hear = (result: { readonly type: string } | undefined) =>
      this.#answerIs(actor, step, isHeard ? result : undefined);
    step.next = undefined;
    this.#drivers.run(actor.kind, step.step, hear, (isReady, go) => Object.assign(step, { isReady, next: go }));
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
}

function isAwaiting({ next, isReady }: Step): boolean {
  return next === undefined || !isReady();
}
