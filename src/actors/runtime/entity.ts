// A durable entity on nact's spawnPersistent. Glue: it receives, asks the domain what that means, has it written,
// answers, and starts the steps that are due. There is no decision in it.
import { setTimeout as wait } from 'node:timers/promises';
import { dispatch, spawnPersistent, stop } from 'nact';
import {
  AppendRejectedError,
  OutcomeUnknownError,
  SequenceConflictError,
  StaleEpochError,
} from '../../domain/journal.ts';
import type { AnsweredCommand, AppendResult, Entry, Fence } from '../../domain/journal.ts';
import { type Decision, refuse } from '../../domain/decision.ts';
import { quotaMet } from '../../domain/quota.ts';
import {
  type Advance,
  advance,
  afterEntry,
  type Entity,
  type EntityDefinition,
  type StepTimeouts,
} from '../../domain/entity.ts';
import { type RowChanges, rowChanges, type Rows } from '../../domain/projection.ts';
import type { RetryPolicy } from '../../domain/step.ts';
import { NewerVersionError } from '../../domain/upcast.ts';
import { type ActorSurroundings, begin, childPath, end, type NactRef, pause } from './actor.ts';
import { entryOf, type EntryFrame, entryWithoutEvents } from './entity-entries.ts';
import {
  type CommandIdentity,
  type CommandReply,
  type EntityMessage,
  giveBack,
  isLive,
  replyOf,
  storedReply,
} from './entity-messages.ts';
import {
  type JournalPersistenceEngine,
  keyOf,
  type ReplayedEntry,
  type SnapshotData,
  type Writing,
} from './persistence-engine.ts';
import type { ActorRecord } from './registry.ts';
import { startStep, type StepWorker } from './step-worker.ts';

export interface EntitySurroundings<E extends Entity> extends ActorSurroundings {
  readonly definition: EntityDefinition<E>;
  readonly rowsOf: (state: E['state'] | undefined) => Rows;
  readonly runStep: (step: E['step'], signal: AbortSignal) => Promise<E['result']>;
  readonly fenceOf: (id: string) => Fence;
  readonly engine: Pick<JournalPersistenceEngine, 'writeSnapshot'>;
  readonly leaseLost: () => AbortSignal;
  readonly now: () => number;
  readonly policy: RetryPolicy;
  readonly timeouts: StepTimeouts;
  readonly snapshotEvery: number;
  /** After every durable change. */
  readonly onChange: (id: string, before: E['state'] | undefined, after: E['state']) => void;
  /** It has come from the journal, where it may have become what no change has told: the outcome of a write was not known. */
  readonly onRecovered: (id: string, state: E['state']) => void;
  readonly onWakeAt: (id: string, at: number | undefined) => void;
  /** False while the entity is being handed over: whoever has it next starts the steps that the journal names. */
  readonly mayStart: (id: string) => boolean;
  /** The actor has stopped, or must be stopped: it is over, another node owns it, or it was given up. */
  readonly onEnd: (id: string, why: 'over' | 'stale' | { readonly fault: Error }) => void;
  /** Messages that a stopped actor has not handled, oldest first; nact would drop them in silence. */
  readonly onLeft: (id: string, messages: readonly EntityMessage<E>[]) => void;
}

export interface LiveEntity<E extends Entity> {
  readonly record: ActorRecord;
  /** Steps under way. */
  readonly steps: ReadonlyMap<string, StepWorker>;
  tell(message: EntityMessage<E>): void;
  /** Resolves when it has neither a message nor a step in hand, or is stopped. */
  settled(): Promise<void>;
  stop(): void;
}

interface Current<E extends Entity> {
  readonly seq: number;
  readonly state: E['state'] | undefined;
  /** What the tables show; undefined until the first change after a replay. */
  readonly rows: Rows | undefined;
  /** Replayed, and nothing received since. */
  readonly isFresh: boolean;
}

// oxlint-disable-next-line no-wrapper-object-types -- nact declares its symbols as objects
type NactVerdict = Symbol;
type Persist = (data: unknown, tags: readonly string[], writing: Writing) => Promise<void>;
interface Context {
  readonly recovering?: boolean;
  readonly persist: Persist;
}

const firstUnknownPauseMs = 20;
const longestUnknownPauseMs = 2_000;

export function spawnEntity<E extends Entity>(
  parent: NactRef,
  id: string,
  name: string,
  surroundings: EntitySurroundings<E>,
): LiveEntity<E> {
  return new EntityActor(parent, id, name, surroundings);
}

class EntityActor<E extends Entity> implements LiveEntity<E> {
  readonly record: ActorRecord;
  readonly steps = new Map<string, StepWorker>();
  readonly #id: string;
  readonly #ref: NactRef;
  readonly #with: EntitySurroundings<E>;
  readonly #crashes: number[] = [];
  /** Told and not begun. */
  readonly #waiting = new Set<EntityMessage<E>>();
  /** Writes in a row whose outcome is not known. */
  #unknowns = 0;
  #current: Current<E> = nothing();
  #isStopped = false;
  /** Made when somebody waits: most actors are never waited for. */
  #settleListeners: (() => void)[] | undefined;

  constructor(parent: NactRef, id: string, name: string, surroundings: EntitySurroundings<E>) {
    this.#id = id;
    this.#with = surroundings;
    const { definition, registry } = surroundings;
    this.record = registry.add(childPath(parent, name), definition.kind);
    this.record.describe = () => this.#current.state;
    this.#ref = spawnPersistent(
      parent,
      (current: Current<E>, message: unknown, ctx: unknown) => this.#receive(current, message, ctx as Context),
      keyOf(definition.kind, id),
      name,
      {
        initialState: nothing<E>(),
        snapshotEvery: surroundings.snapshotEvery,
        snapshotEncoder: ({ seq, state }: Current<E>): SnapshotData => ({ seq, state }),
        snapshotDecoder: (json: unknown) => recovered<E>(json as SnapshotData),
        onCrash: (message, error, ctx) => this.#onCrash(message, error, ctx),
        afterStop: () => this.#afterStop(),
      },
    ) as NactRef;
  }

  tell(message: EntityMessage<E>): void {
    if (this.#isStopped) return this.#with.onLeft(this.#id, [message]);
    this.record.pending++;
    this.#waiting.add(message);
    dispatch(this.#ref, message);
  }

  settled(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => (this.#settleListeners ??= []).push(resolve));
  }

  get #isSettled(): boolean {
    return this.#isStopped || (this.record.pending === 0 && this.steps.size === 0);
  }

  #tellSettled(): void {
    if (this.#settleListeners === undefined || !this.#isSettled) return;
    const listeners = this.#settleListeners;
    this.#settleListeners = undefined;
    for (const tell of listeners) tell();
  }

  stop(): void {
    // By its path, where another actor may live once this one is stopped.
    if (!this.#isStopped) stop(this.#ref);
    this.#afterStop();
  }

  /** `inHand` is a message that was begun and not brought to an end. */
  #afterStop(inHand: readonly EntityMessage<E>[] = []): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#stopSteps();
    this.#with.registry.remove(this.record);
    const left = [...inHand, ...this.#waiting];
    this.#waiting.clear();
    this.#tellSettled();
    if (left.length > 0) this.#with.onLeft(this.#id, left);
  }

  #stopSteps(): void {
    for (const worker of this.steps.values()) worker.stop();
    this.steps.clear();
  }

  async #receive(current: Current<E>, message: unknown, ctx: Context): Promise<Current<E>> {
    if (ctx.recovering === true) {
      const { seq, events, commandId } = message as ReplayedEntry;
      const given = events as readonly E['event'][];
      const state = afterEntry(this.#with.definition, current.state, given, commandId ?? undefined);
      this.#current = { seq, state, rows: undefined, isFresh: true };
      return this.#current;
    }
    const live = message as EntityMessage<E>;
    this.#waiting.delete(live);
    begin(this.record, live);
    this.#current = current;
    if (current.isFresh && current.state !== undefined) this.#with.onRecovered(this.#id, current.state);
    this.#current = await this.#handle(current, live, ctx.persist);
    end(this.record);
    this.#tellSettled();
    return this.#current;
  }

  async #handle(current: Current<E>, message: EntityMessage<E>, persist: Persist): Promise<Current<E>> {
    const { definition, policy, now } = this.#with;
    switch (message.type) {
      case 'command':
        return this.#handleCommand(current, message, persist);
      case 'stepEnded': {
        if (this.steps.get(message.key)?.run === message.run) this.steps.delete(message.key);
        const decision = definition.decideStepEnded(current.state, message, now(), policy);
        return this.#carryOut(current, decision, persist);
      }
      case 'wake':
        return this.#carryOut(current, { type: 'accept', events: [], answer: null }, persist);
      case 'rewriteRows':
        await this.#write(entryWithoutEvents(this.#frame(rowChanges({}, this.#with.rowsOf(current.state)))), persist);
        return this.#carryOut(current, { type: 'accept', events: [], answer: null }, persist);
      case 'writeSnapshot':
        // Nobody waits for it here: a snapshot that is overtaken by a newer one is not written.
        this.#with.engine
          .writeSnapshot(keyOf(definition.kind, this.#id), { seq: current.seq, state: current.state })
          .then(message.written, message.fail);
        return current;
      case 'read':
        message.read(current.state);
        return current;
    }
  }

  async #handleCommand(
    current: Current<E>,
    { command, identity, replyTo }: Extract<EntityMessage<E>, { type: 'command' }>,
    persist: Persist,
  ): Promise<Current<E>> {
    const decision = this.#with.definition.decide(current.state, command, this.#with.now());
    try {
      return await this.#carryOut(current, decision, persist, identity, (reply) => replyTo.tell(reply));
    } catch (error) {
      if (!(error instanceof AppendRejectedError)) throw error;
      // The command's fault, not the actor's: it must not cost the restart budget.
      this.#with.log.warn({ err: error, actor: this.record.path }, 'a command was refused by the database');
      replyTo.tell({ type: 'refused', refusal: { code: 'invalid', message: error.message } });
      return current;
    }
  }

  /** Writes what a decision means, then does what the plan says. */
  async #carryOut(
    current: Current<E>,
    decision: Decision<E['event'], E['answer']>,
    persist: Persist,
    identity?: CommandIdentity,
    answer: (reply: CommandReply<E['answer']>) => void = () => undefined,
  ): Promise<Current<E>> {
    const { definition, now, timeouts } = this.#with;
    const reply = replyOf(decision);
    if (decision.type === 'refuse') {
      answer(await this.#keepAnswer(reply, identity, persist));
      return current;
    }
    const at = now();
    const given = [...(current.isFresh ? definition.decideResumed(current.state, at) : []), ...decision.events];
    const next = advance(definition, current.state, given, at, timeouts, identity?.id);
    if (next.events.length === 0) {
      answer(await this.#keepAnswer(reply, identity, persist));
      if (!this.#isStopped) this.#with.onWakeAt(this.#id, next.wakeAt);
      return { ...current, isFresh: false };
    }
    const rows = this.#with.rowsOf(next.state);
    const changes = rowChanges(current.rows ?? this.#with.rowsOf(current.state), rows);
    const frame = this.#frame(changes, identity === undefined ? undefined : { ...identity, answer: reply });
    const addition = definition.additionOf?.(current.state, next.state);
    const asked = { claims: decision.claims, addition };
    const result = await this.#write(entryOf(frame, current.seq + 1, next, asked), persist);
    switch (result.type) {
      case 'duplicate':
        answer(storedReply(result, identity));
        return current;
      case 'claimed': {
        const instead = decision.whenClaimed?.(result.claim);
        if (instead === undefined)
          throw new Error(`nothing is decided for a claim that others hold: ${result.claim.value}`);
        return this.#carryOut(current, instead, persist, identity, answer);
      }
      case 'quotaMet':
        return this.#carryOut(current, refuse('quota', quotaMet(result.kind)), persist, identity, answer);
      case 'written':
        answer(reply);
        this.#takeEffect(current, next, at);
        return { seq: current.seq + 1, state: next.state, rows, isFresh: false };
    }
  }

  /** Refusals, and acceptances that change nothing, are kept for repeats all the same. */
  async #keepAnswer(
    reply: CommandReply<E['answer']>,
    identity: CommandIdentity | undefined,
    persist: Persist,
  ): Promise<CommandReply<E['answer']>> {
    if (identity === undefined) return reply;
    const frame = this.#frame({ upserts: {}, deletes: {} }, { ...identity, answer: reply });
    const result = await this.#write(entryWithoutEvents(frame), persist);
    return result.type === 'duplicate' ? storedReply(result, identity) : reply;
  }

  #frame(rows: RowChanges, command?: AnsweredCommand): EntryFrame<E> {
    const { definition, fenceOf } = this.#with;
    return { id: this.#id, definition, fence: fenceOf(this.#id), rows, command };
  }

  async #write(entry: Entry, persist: Persist): Promise<AppendResult> {
    const writing: Writing = { entry, result: undefined };
    await persist({ seq: entry.seq, events: entry.events }, [], writing);
    if (writing.result === undefined) throw new Error('the journal gave no result');
    this.#unknowns = 0;
    return writing.result;
  }

  #takeEffect(current: Current<E>, next: Advance<E>, at: number): void {
    const { registry, leaseLost, runStep, definition, onChange, onWakeAt, onEnd } = this.#with;
    for (const key of next.cancel) this.steps.get(key)?.cancel();
    // Stopped while it wrote: whoever has it next finds the steps in the journal.
    for (const started of this.#isStopped || !this.#with.mayStart(this.#id) ? [] : next.start) {
      const worker = startStep<E['step'], E['result']>({
        parent: this.#ref,
        registry,
        started,
        now: at,
        leaseLost: leaseLost(),
        causes: next.state?.steps.causes ?? [],
        log: this.#with.log,
        run: runStep,
        onEnd: (ended) => this.tell(ended),
      });
      this.steps.set(worker.key, worker);
    }
    if (!this.#isStopped) onWakeAt(this.#id, next.wakeAt);
    if (next.state === undefined) return;
    onChange(this.#id, current.state, next.state);
    if (definition.isOver(next.state) && !this.#isStopped) onEnd(this.#id, 'over');
  }

  /** nact asks here what to do after a throw; symbols of its context are the possible answers. */
  async #onCrash(
    given: unknown,
    error: Error | undefined,
    ctx: { readonly stop: NactVerdict; readonly reset: NactVerdict },
  ): Promise<NactVerdict> {
    const fault = error ?? new Error('unknown');
    const message = isLive<E>(given) ? given : undefined;
    if (message !== undefined) end(this.record);
    this.#stopSteps();
    const inHand = message === undefined ? [] : [message];
    if (this.#isStopped) {
      this.#with.onLeft(this.#id, inHand);
      return ctx.stop;
    }
    if (fault instanceof StaleEpochError) {
      this.#with.onEnd(this.#id, 'stale');
      this.#afterStop(inHand);
      return ctx.stop;
    }
    const isReplay = (given !== undefined && message === undefined) || fault instanceof NewerVersionError;
    const canRecover = await this.#canRecover(fault, message, isReplay);
    if (this.#isStopped) return ctx.stop;
    if (canRecover) return ctx.reset;
    this.#with.onEnd(this.#id, { fault });
    this.#afterStop();
    return ctx.stop;
  }

  /** Settles what becomes of the message, and waits for as long as the next start has to wait. */
  async #canRecover(fault: Error, message: EntityMessage<E> | undefined, isReplay: boolean): Promise<boolean> {
    const { log } = this.#with;
    if (fault instanceof OutcomeUnknownError) {
      // Recover first, then take the message up again: a command is known by its id, a step's end by its run.
      this.record.lastError = { message: fault.message, at: Date.now() };
      this.#tellAgain(message);
      // The database's fault: it costs no budget, but a database that can be read and not written must not be pestered.
      const pauseMs = Math.min(longestUnknownPauseMs, firstUnknownPauseMs * 2 ** Math.min(this.#unknowns++, 10));
      await wait(pauseMs, undefined, { ref: false });
      return true;
    }
    const isConflict = fault instanceof SequenceConflictError;
    if (isConflict) this.#tellAgain(message);
    else giveBack(message, fault);
    // A journal that cannot be replayed today cannot be replayed in a second either.
    const verdict = isReplay ? 'giveUp' : await pause(this.record, this.#crashes, fault, undefined, log, message);
    if (isReplay) log.error({ err: fault, actor: this.record.path }, 'journal cannot be replayed');
    if (verdict === 'restart' && !isConflict) this.#tellAgain(undefined);
    return verdict === 'restart';
  }

  /** To itself, with a wake behind it: whatever the message is, what has work left goes on. */
  #tellAgain(message: EntityMessage<E> | undefined): void {
    if (message !== undefined) this.tell(message);
    for (const waiting of this.#waiting) if (waiting.type === 'wake') return;
    this.tell({ type: 'wake' });
  }
}

function nothing<E extends Entity>(): Current<E> {
  return { seq: 0, state: undefined, rows: undefined, isFresh: true };
}

function recovered<E extends Entity>({ seq, state }: SnapshotData): Current<E> {
  return { seq, state: state as E['state'], rows: undefined, isFresh: true };
}
