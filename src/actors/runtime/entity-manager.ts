// All live entities of a kind: finds or recovers the actor a message is for, bounds what waits, wakes entities at
// their time, and lets idle ones go. Routing is synchronous, so no message can fall between a look-up and a stop.
import type { Refusal } from '../../domain/decision.ts';
import type { Entity } from '../../domain/entity.ts';
import type { NactRef } from './actor.ts';
import {
  type CommandIdentity,
  type CommandReply,
  type EntityMessage,
  type EntitySurroundings,
  type LiveEntity,
  spawnEntity,
} from './entity.ts';
import { type JournalPersistenceEngine, keyOf } from './persistence-engine.ts';
import { ask, nobody } from './reply.ts';

export interface EntityManagerOptions<E extends Entity>
  extends Omit<EntitySurroundings<E>, 'onWakeAt' | 'onEnd' | 'onChange'> {
  readonly parent: NactRef;
  /** Actors are called `<prefix>-<id>`. */
  readonly prefix: string;
  readonly engine: JournalPersistenceEngine;
  readonly idleMs: number;
  readonly isOwned: (id: string) => boolean;
  /** How to say that there is none of that id. */
  readonly notFound: (id: string) => Refusal;
  readonly recordFault: (id: string, fault: string | null) => Promise<void>;
}

type Change<E extends Entity> = (id: string, before: E['state'] | undefined, after: E['state']) => void;

interface Waiting<E extends Entity> {
  readonly messages: EntityMessage<E>[];
}

const maxTimeoutMs = 2_147_483_647;

export class EntityManager<E extends Entity> {
  readonly #options: EntityManagerOptions<E>;
  readonly #live = new Map<string, LiveEntity<E>>();
  readonly #loading = new Map<string, Waiting<E>>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #faults = new Map<string, string>();
  readonly #listeners = new Set<Change<E>>();
  readonly #goneListeners = new Map<string, Set<() => void>>();
  readonly #sweep: NodeJS.Timeout;
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

  /** Sends a command. The reply comes once, unless this process stops first. */
  command(
    id: string,
    command: E['command'],
    replyTo: { tell(reply: CommandReply<E['answer']>): void } = nobody,
    identity?: CommandIdentity,
  ): void {
    this.#route(id, { type: 'command', command, identity, replyTo });
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

  /** Reads from an entity's state after all messages before this one; undefined when there is no such entity. */
  read<T>(id: string, read: (state: E['state'] | undefined) => T): Promise<T> {
    return new Promise((resolve) => {
      this.#route(id, { type: 'read', read: (state) => resolve(read(state)) });
    });
  }

  /** Has an entity look whether it has something to do. */
  wake(id: string): void {
    this.#route(id, { type: 'wake' });
  }

  /** Sets, moves or removes the time at which an entity is woken. */
  wakeAt(id: string, at: number | undefined): void {
    clearTimeout(this.#timers.get(id));
    if (at === undefined) {
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

  /** Resolves when the entity is over; at once when there is none. @throws when the signal aborts first */
  async whenOver(id: string, signal: AbortSignal): Promise<void> {
    const isThere = await this.read(id, (state) => state !== undefined && !this.#options.definition.isOver(state));
    if (!isThere) return;
    await ask<void>((replyTo) => {
      const listeners = this.#goneListeners.get(id) ?? new Set();
      const tell = () => replyTo.tell();
      listeners.add(tell);
      this.#goneListeners.set(id, listeners);
      signal.addEventListener('abort', () => listeners.delete(tell), { once: true });
    }, signal);
  }

  /** Tries again what was given up. */
  async restart(id: string): Promise<void> {
    this.#faults.delete(id);
    await this.#options.recordFault(id, null);
    this.#live.get(id)?.stop();
    this.#live.delete(id);
    this.wake(id);
  }

  #route(id: string, message: EntityMessage<E>): void {
    if (this.#isStopped) return this.#turnAway(id, message);
    const live = this.#live.get(id);
    if (live !== undefined) {
      if (message.type === 'command' && live.record.pending >= this.#options.mailboxLimit) {
        return message.replyTo.tell({ type: 'busy', retryAfterMs: 1_000 });
      }
      return live.tell(message);
    }
    const fault = this.#faults.get(id);
    if (fault !== undefined) return this.#turnAway(id, message, { type: 'faulted', reason: fault });
    const waiting = this.#loading.get(id);
    if (waiting === undefined) {
      this.#loading.set(id, { messages: [message] });
      void this.#recover(id);
    } else if (message.type === 'command' && waiting.messages.length >= this.#options.mailboxLimit) {
      message.replyTo.tell({ type: 'busy', retryAfterMs: 1_000 });
    } else {
      waiting.messages.push(message);
    }
  }

  async #recover(id: string): Promise<void> {
    const { engine, definition, log } = this.#options;
    const key = keyOf(definition.kind, id);
    try {
      const loaded = await engine.load(key);
      const messages = this.#loading.get(id)?.messages ?? [];
      this.#loading.delete(id);
      if (this.#isStopped) return messages.forEach((message) => this.#turnAway(id, message));
      if (loaded?.fault !== undefined && loaded.fault !== null) this.#faults.set(id, loaded.fault);
      const reply: CommandReply<E['answer']> | undefined =
        loaded?.fault === undefined || loaded.fault === null ? undefined : { type: 'faulted', reason: loaded.fault };
      if (reply !== undefined || loaded?.isOver === true)
        return messages.forEach((message) => this.#turnAway(id, message, reply));
      // Only a create makes an entity: what comes before one finds nothing.
      const isCreation = (message: EntityMessage<E>) =>
        message.type === 'command' && definition.isCreation(message.command);
      const first = loaded === undefined ? messages.findIndex(isCreation) : 0;
      const early = first === -1 ? messages : messages.slice(0, first);
      for (const message of early) this.#turnAway(id, message);
      if (first === -1) return;
      engine.prime(key, loaded);
      const entity = this.#spawn(id);
      if (loaded !== undefined) entity.tell({ type: 'wake' });
      for (const message of messages.slice(first)) entity.tell(message);
    } catch (error) {
      log.error({ err: error, kind: definition.kind, id }, 'entity could not be loaded');
      const messages = this.#loading.get(id)?.messages ?? [];
      this.#loading.delete(id);
      const reason = error instanceof Error ? error.message : String(error);
      for (const message of messages) this.#turnAway(id, message, { type: 'faulted', reason });
    }
  }

  #spawn(id: string): LiveEntity<E> {
    const entity = spawnEntity<E>(this.#options.parent, id, `${this.#options.prefix}-${id}`, {
      ...this.#options,
      onChange: (entityId, before, after) => {
        for (const listener of this.#listeners) listener(entityId, before, after);
      },
      onWakeAt: (entityId, at) => this.wakeAt(entityId, at),
      onEnd: (entityId, why) => this.#onEnd(entityId, why),
    });
    this.#live.set(id, entity);
    return entity;
  }

  #onEnd(id: string, why: 'over' | 'stale' | { readonly fault: Error }): void {
    const entity = this.#live.get(id);
    this.#live.delete(id);
    this.wakeAt(id, undefined);
    if (why === 'over') {
      for (const tell of this.#goneListeners.get(id) ?? []) tell();
      this.#goneListeners.delete(id);
    } else if (why !== 'stale') {
      const reason = `its actor was given up after repeated crashes: ${why.fault.message}`;
      this.#faults.set(id, reason);
      this.#options.recordFault(id, reason).catch((error: unknown) => {
        this.#options.log.error({ err: error, id }, 'a fault could not be recorded');
      });
    }
    // Not from within its own message: it stops once that is done.
    setImmediate(() => entity?.stop());
  }

  /** Nobody is there for the message. */
  #turnAway(id: string, message: EntityMessage<E>, reply?: CommandReply<E['answer']>): void {
    switch (message.type) {
      case 'command':
        return message.replyTo.tell(reply ?? { type: 'refused', refusal: this.#options.notFound(id) });
      case 'read':
        return message.read(undefined);
      case 'wake':
        return;
      case 'stepEnded':
        return this.#options.registry.addDeadLetter(`${this.#options.prefix}-${id}`, message.type);
    }
  }

  #passivateIdle(): void {
    const before = Date.now() - this.#options.idleMs;
    for (const [id, entity] of this.#live) {
      if (entity.record.pending > 0 || entity.steps.size > 0 || entity.record.lastActiveAt > before) continue;
      this.#live.delete(id);
      entity.stop();
    }
  }

  /** Lets go of entities that this node does not own any more. */
  dropForeign(): void {
    for (const [id, entity] of this.#live) {
      if (this.#options.isOwned(id)) continue;
      this.#live.delete(id);
      this.wakeAt(id, undefined);
      entity.stop();
    }
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#sweep);
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    for (const entity of this.#live.values()) entity.stop();
    this.#live.clear();
  }
}
