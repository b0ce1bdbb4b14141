// All live entities of a kind: finds or recovers the actor a message is for, bounds what waits, wakes entities at
// their time, and lets idle ones go. Routing is synchronous, so no message can fall between a look-up and a stop.
import type { Refusal } from '../../domain/decision.ts';
import type { Entity } from '../../domain/entity.ts';
import { isOlderProgramsFault, NewerVersionError } from '../../domain/upcast.ts';
import type { NactRef } from './actor.ts';
import { type EntitySurroundings, type LiveEntity, spawnEntity } from './entity.ts';
import type { CommandIdentity, CommandReply, EntityMessage } from './entity-messages.ts';
import { type JournalPersistenceEngine, keyOf } from './persistence-engine.ts';
import { ask, nobody, type ReplyTo } from './reply.ts';

export interface EntityManagerOptions<E extends Entity>
  extends Omit<EntitySurroundings<E>, 'onWakeAt' | 'onEnd' | 'onLeft' | 'onChange' | 'onRecovered' | 'mayStart'> {
  readonly parent: NactRef;
  /** Actors are called `<prefix>-<id>`. */
  readonly prefix: string;
  readonly engine: JournalPersistenceEngine;
  readonly idleMs: number;
  readonly isOwned: (id: string) => boolean;
  /** Owned, and not being handed over. */
  readonly accepts: (id: string) => boolean;
  /** How to say that there is none of that id. */
  readonly notFound: (id: string) => Refusal;
  readonly recordFault: (id: string, fault: string | null) => Promise<void>;
}

type Change<E extends Entity> = (id: string, before: E['state'] | undefined, after: E['state']) => void;

const maxTimeoutMs = 2_147_483_647;

/** Somebody who waits for an entity to be in some state. */
interface Waiter<E extends Entity> {
  readonly isSo: (state: E['state'] | undefined) => boolean;
  /** False when it has got another owner first. */
  readonly tell: (wasSo: boolean) => void;
}

export class EntityManager<E extends Entity> {
  readonly #options: EntityManagerOptions<E>;
  readonly #live = new Map<string, LiveEntity<E>>();
  /** Messages for entities that are being loaded. */
  readonly #loading = new Map<string, EntityMessage<E>[]>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #faults = new Map<string, string>();
  readonly #listeners = new Set<Change<E>>();
  readonly #waiters = new Map<string, Set<Waiter<E>>>();
  readonly #sweep: NodeJS.Timeout;
  /** Faults are written one after the other: the newest must be the last. */
  #faultWrites: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: EntityManagerOptions<E>) {
    this.#options = options;
    this.#sweep = setInterval(() => this.#passivateIdle(), Math.max(1_000, options.idleMs / 4));
    this.#sweep.unref();
  }

  get liveCount(): number {
    return this.#live.size;
  }

  /** Calls `listener` after every durable change of any entity of the kind. Returns how to stop that. */
  onChange(listener: Change<E>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sends a command. The reply comes, and comes once. */
  command(
    id: string,
    command: E['command'],
    replyTo: { tell(reply: CommandReply<E['answer']>): void } = nobody,
    identity?: CommandIdentity,
  ): void {
    this.#route(id, { type: 'command', command, identity, replyTo: once(replyTo) });
  }

  /** Sends a command and waits for its reply. @throws when the signal aborts first */
  ask(
    id: string,
    command: E['command'],
    signal: AbortSignal,
    identity?: CommandIdentity,
  ): Promise<CommandReply<E['answer']>> {
    return ask((replyTo) => this.command(id, command, replyTo, identity), signal);
  }

  /**
   * Reads from an entity's state after all messages before this one; undefined when there is no such entity.
   *
   * @throws when the state can't be told here and now, and what `read` throws
   */
  read<T>(id: string, read: (state: E['state'] | undefined) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const tell = (state: E['state'] | undefined) => {
        try {
          resolve(read(state));
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      this.#route(id, { type: 'read', read: tell, fail: reject });
    });
  }

  /** Writes a snapshot of what an entity is after all messages before. @throws when it can't be written here and now */
  writeSnapshot(id: string): Promise<void> {
    return new Promise((written, fail) => this.#route(id, { type: 'writeSnapshot', written, fail }));
  }

  /** Has an entity look whether it has something to do. */
  wake(id: string): void {
    this.#route(id, { type: 'wake' });
  }

  /** Sets, moves or removes the time at which an entity is woken. */
  wakeAt(id: string, at: number | undefined): void {
    clearTimeout(this.#timers.get(id));
    if (at === undefined || this.#isStopped) {
      this.#timers.delete(id);
      return;
    }
    const delay = Math.min(Math.max(0, at - this.#options.now()), maxTimeoutMs);
    const timer = setTimeout(() => {
      this.#timers.delete(id);
      this.wake(id);
    }, delay);
    this.#timers.set(id, timer);
  }

  /**
   * Resolves when the state is so, with true, at once when it is; with false when the entity has got another owner first. `isSo` is
   * told undefined when there is no such entity, or not any more.
   *
   * @throws when the signal aborts first, or the entity is elsewhere already
   */
  async when(id: string, isSo: (state: E['state'] | undefined) => boolean, signal: AbortSignal): Promise<boolean> {
    if (await this.read(id, isSo)) return true;
    return ask<boolean>((replyTo) => {
      const waiters = this.#waiters.get(id) ?? new Set();
      this.#waiters.set(id, waiters);
      const leave = () => {
        signal.removeEventListener('abort', leave);
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#waiters.get(id) === waiters) this.#waiters.delete(id);
      };
      const waiter: Waiter<E> = {
        isSo,
        tell: (wasSo) => {
          leave();
          replyTo.tell(wasSo);
        },
      };
      waiters.add(waiter);
      signal.addEventListener('abort', leave, { once: true });
    }, signal);
  }

  /** The same for its end. */
  whenGone(id: string, signal: AbortSignal): Promise<boolean> {
    return this.when(id, (state) => state === undefined || this.#options.definition.isGone(state), signal);
  }

  /** Resolves when none of those entities has a message or a step in hand, and after that time at the latest. */
  async settled(isMeant: (id: string) => boolean, withinMs: number): Promise<void> {
    const meant = [...this.#live].filter(([id]) => isMeant(id)).map(([, entity]) => entity);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)));
    await Promise.race([Promise.all(meant.map((entity) => entity.settled())), late]);
    clearTimeout(timer);
  }

  /** Tries again what was given up. A sound actor starts again too. */
  async restart(id: string): Promise<void> {
    await this.#recordFault(id, null);
    this.#faults.delete(id);
    const live = this.#live.get(id);
    this.#live.delete(id);
    live?.stop();
    this.#route(id, { type: 'rewriteRows' });
  }

  #recordFault(id: string, fault: string | null): Promise<void> {
    const written = this.#faultWrites.then(() => this.#options.recordFault(id, fault));
    this.#faultWrites = written.catch(() => undefined);
    return written;
  }

  #route(id: string, message: EntityMessage<E>): void {
    if (this.#isStopped || !this.#options.accepts(id)) return this.#turnAway(message, notHere);
    const live = this.#live.get(id);
    if (live !== undefined) {
      if (message.type === 'command' && live.record.pending >= this.#options.mailboxLimit) {
        return this.#turnAway(message, busy);
      }
      return live.tell(message);
    }
    const fault = this.#faults.get(id);
    if (fault !== undefined) return this.#turnAway(message, { type: 'faulted', reason: fault });
    const waiting = this.#loading.get(id);
    if (waiting === undefined) {
      this.#loading.set(id, [message]);
      void this.#recover(id);
    } else if (message.type === 'command' && waiting.length >= this.#options.mailboxLimit) {
      this.#turnAway(message, busy);
    } else {
      waiting.push(message);
    }
  }

  async #recover(id: string): Promise<void> {
    const { engine, definition, log } = this.#options;
    const key = keyOf(definition.kind, id);
    let messages: readonly EntityMessage<E>[] = [];
    try {
      const loaded = await engine.load(key);
      messages = this.#takeLoading(id);
      // Lost meanwhile, or stopping: routed again, they are turned away.
      if (this.#isStopped || !this.#options.accepts(id)) return messages.forEach((message) => this.#route(id, message));
      const fault = loaded?.fault ?? undefined;
      const isMended = fault !== undefined && isOlderProgramsFault(fault);
      if (fault !== undefined && !isMended) {
        this.#faults.set(id, fault);
        return messages.forEach((message) => this.#turnAway(message, { type: 'faulted', reason: fault }));
      }
      const isCreation = (message: EntityMessage<E>) =>
        message.type === 'command' && definition.isCreation(message.command);
      // Only a create makes an entity: what comes before one finds nothing.
      const first = loaded === undefined ? messages.findIndex(isCreation) : loaded.isOver ? -1 : 0;
      const early = first === -1 ? messages : messages.slice(0, first);
      for (const message of early) this.#turnAway(message, this.#none(id));
      if (first === -1) return;
      engine.prime(key, loaded);
      const entity = this.#spawn(id);
      if (isMended) {
        this.#recordFault(id, null).catch((error: unknown) => {
          log.warn({ err: error, id }, 'the fault of an older program could not be cleared');
        });
        entity.tell({ type: 'rewriteRows' });
      }
      if (loaded !== undefined) entity.tell({ type: 'wake' });
      for (const message of messages.slice(first)) entity.tell(message);
    } catch (error) {
      if (!this.#isStopped) log.error({ err: error, kind: definition.kind, id }, 'entity could not be loaded');
      const reason = error instanceof Error ? error.message : String(error);
      const reply: CommandReply<never> = this.#isStopped ? notHere : { type: 'faulted', reason };
      for (const message of [...messages, ...this.#takeLoading(id)]) this.#turnAway(message, reply);
    }
  }

  #takeLoading(id: string): readonly EntityMessage<E>[] {
    const messages = this.#loading.get(id) ?? [];
    this.#loading.delete(id);
    return messages;
  }

  #spawn(id: string): LiveEntity<E> {
    const entity = spawnEntity<E>(this.#options.parent, id, `${this.#options.prefix}-${id}`, {
      ...this.#options,
      mayStart: this.#options.accepts,
      onChange: (entityId, before, after) => {
        for (const listener of this.#listeners) listener(entityId, before, after);
        this.#tellWaiters(entityId, after);
      },
      onRecovered: (entityId, state) => this.#tellWaiters(entityId, state),
      onWakeAt: (entityId, at) => this.wakeAt(entityId, at),
      onEnd: (entityId, why) => this.#onEnd(entityId, why),
      onLeft: (entityId, messages) => this.#onLeft(entityId, messages),
    });
    this.#live.set(id, entity);
    return entity;
  }

  #tellWaiters(id: string, state: E['state']): void {
    for (const { isSo, tell } of this.#waiters.get(id) ?? []) if (isSo(state)) tell(true);
  }

  #onEnd(id: string, why: 'over' | 'stale' | { readonly fault: Error }): void {
    const entity = this.#live.get(id);
    this.#live.delete(id);
    this.wakeAt(id, undefined);
    if (why !== 'over' && why !== 'stale') {
      const isOutdated = why.fault instanceof NewerVersionError;
      const reason = isOutdated
        ? `this node is to be upgraded: ${why.fault.message}`
        : `its actor was given up after repeated crashes: ${why.fault.message}`;
      this.#faults.set(id, reason);
      // It is this program that is at fault: one that is newer will have it.
      if (isOutdated) return;
      this.#recordFault(id, reason).catch((error: unknown) => {
        this.#options.log.error({ err: error, id }, 'a fault could not be recorded');
      });
    }
    // Not from within its own message: it stops once that is done.
    setImmediate(() => entity?.stop());
  }

  /** Its actor stopped before it came to them: the next one may, where there is one. */
  #onLeft(id: string, messages: readonly EntityMessage<E>[]): void {
    const { registry, prefix } = this.#options;
    for (const message of messages) {
      // The next actor starts the step anew.
      if (message.type === 'stepEnded') registry.addDeadLetter(`${prefix}-${id}`, message.type);
      else this.#route(id, message);
    }
  }

  /** Nobody is there for the message. */
  #turnAway(message: EntityMessage<E>, reply: CommandReply<never>): void {
    switch (message.type) {
      case 'command':
        return message.replyTo.tell(reply);
      case 'read':
        if (reply.type === 'refused') return message.read(undefined);
        return message.fail(reply.type === 'faulted' ? new Error(reply.reason) : new ElsewhereError(reply.type));
      case 'writeSnapshot':
        return message.fail(new Error(`no snapshot was written: the entity is ${reply.type}`));
      case 'wake':
      case 'rewriteRows':
      case 'stepEnded':
        return;
    }
  }

  #none(id: string): CommandReply<never> {
    return { type: 'refused', refusal: this.#options.notFound(id) };
  }

  #passivateIdle(): void {
    const before = Date.now() - this.#options.idleMs;
    for (const [id, entity] of this.#live) {
      if (entity.record.pending > 0 || entity.steps.size > 0 || entity.record.lastActiveAt > before) continue;
      this.#live.delete(id);
      entity.stop();
    }
  }

  /** Lets go of what this node does not own any more. */
  dropForeign(): void {
    this.drop((id) => !this.#options.isOwned(id));
  }

  /** Lets go of those entities. What they have in hand is theirs who has them next. */
  drop(isMeant: (id: string) => boolean): void {
    for (const id of [...this.#timers.keys()].filter(isMeant)) this.wakeAt(id, undefined);
    for (const id of [...this.#faults.keys()].filter(isMeant)) this.#faults.delete(id);
    for (const [id, entity] of [...this.#live].filter(([candidate]) => isMeant(candidate))) {
      this.#live.delete(id);
      entity.stop();
    }
    for (const [, waiters] of [...this.#waiters].filter(([id]) => isMeant(id))) {
      for (const { tell } of waiters) tell(false);
    }
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#sweep);
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    const live = [...this.#live.values()];
    this.#live.clear();
    for (const entity of live) entity.stop();
  }
}

/** The state can't be told here and now: another node owns the entity, or too much is waiting. */
export class ElsewhereError extends Error {
  constructor(why: string) {
    super(`it is not to be had here just now (${why})`);
    this.name = 'ElsewhereError';
  }
}

const busy = { type: 'busy', retryAfterMs: 1_000 } as const;
/** Another node owns it, or will in a moment. */
const notHere = { type: 'elsewhere' } as const;

/** A command that is taken up again after a crash may have been answered before it. */
function once<T>(replyTo: ReplyTo<T>): ReplyTo<T> {
  let isAnswered = false;
  return {
    tell(answer) {
      if (isAnswered) return;
      isAnswered = true;
      replyTo.tell(answer);
    },
  };
}
