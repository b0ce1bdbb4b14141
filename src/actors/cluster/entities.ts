// All entities of a kind, wherever their owner is: commands and questions go to this node's actors or over to another
// node's, and follow the entity when its owner changes.
import type { PeerCalls } from '../../domain/cluster/messages.ts';
import type { Question } from '../../domain/cluster/questions.ts';
import type { Entity, EntityKind } from '../../domain/entity.ts';
import { shardOf } from '../../domain/ids.ts';
import { ElsewhereError, type EntityManager } from '../runtime/entity-manager.ts';
import type { CommandIdentity, CommandReply } from '../runtime/entity-messages.ts';
import type { Ownership } from '../runtime/ownership.ts';
import { nobody, type ReplyTo } from '../runtime/reply.ts';
import type { Peers } from '../../domain/cluster/peers.ts';
import { askWherever, NodeStoppingError } from './wherever.ts';

export type Answered<E extends Entity> = Exclude<CommandReply<E['answer']>, { readonly type: 'elsewhere' }>;

export interface ClusterEntitiesOptions<E extends Entity, Q extends Question> {
  readonly kind: EntityKind;
  readonly schemaVersion: number;
  readonly local: EntityManager<E>;
  readonly answer: (state: E['state'] | undefined, question: Q) => unknown;
  readonly ownership: Ownership;
  readonly peers: Peers;
}

/** For commands that nobody waits for: whoever sends them asks again when they had no effect. */
const unattendedMs = 30_000;

export class ClusterEntities<E extends Entity, Q extends Question> {
  readonly #options: ClusterEntitiesOptions<E, Q>;

  constructor(options: ClusterEntitiesOptions<E, Q>) {
    this.#options = options;
  }

  /** Sends a command and waits for its reply. @throws when the signal aborts first; it may still happen then */
  ask(id: string, command: E['command'], signal: AbortSignal, identity?: CommandIdentity): Promise<Answered<E>> {
    const { kind, schemaVersion, local, peers, ownership } = this.#options;
    const { observing } = ownership.view;
    if (observing !== null) return Promise.resolve({ type: 'unavailable', reason: observing });
    return askWherever<Answered<E>>(
      ownership,
      { family: 'entities', shard: shardOf(id) },
      () => local.ask(id, command, signal, identity),
      async (node) => {
        const params = { kind, id, schemaVersion, command, identity: identity ?? null };
        return (await peers.call(node, 'entity.command', params, signal)) as CommandReply<E['answer']>;
      },
      signal,
    ).catch((error: unknown) => {
      if (error instanceof NodeStoppingError) return { type: 'unavailable', reason: error.message };
      throw error;
    });
  }

  /** Sends a command. The reply comes, and comes once. */
  command(id: string, command: E['command'], replyTo: ReplyTo<CommandReply<E['answer']>> = nobody): void {
    this.ask(id, command, AbortSignal.timeout(unattendedMs)).then(
      (reply) => replyTo.tell(reply),
      (error: unknown) =>
        replyTo.tell({ type: 'faulted', reason: error instanceof Error ? error.message : String(error) }),
    );
  }

  /** Asks about an entity's state, after all messages before. @throws when the signal aborts first */
  async query<A>(id: string, question: Q, signal: AbortSignal): Promise<A> {
    const { kind, peers, ownership } = this.#options;
    const found = await askWherever<{ readonly type: 'answer'; readonly answer: unknown }>(
      ownership,
      { family: 'entities', shard: shardOf(id) },
      () => this.answerHere(id, question),
      (node) => peers.call(node, 'entity.ask', { kind, id, question }, signal),
      signal,
    );
    return found.answer as A;
  }

  /** The answer of this node's actor. */
  async answerHere(id: string, question: Q): Promise<PeerCalls['entity.ask']['result']> {
    const { local, answer } = this.#options;
    try {
      return { type: 'answer', answer: await local.read(id, (state) => answer(state, question)) };
    } catch (error) {
      if (error instanceof ElsewhereError) return { type: 'elsewhere' };
      throw error;
    }
  }

  /** Resolves when the entity is gone; at once when there is none. @throws when the signal aborts first */
  async whenGone(id: string, signal: AbortSignal): Promise<void> {
    const { kind, peers, ownership } = this.#options;
    await askWherever<{ readonly type: 'over' }>(
      ownership,
      { family: 'entities', shard: shardOf(id) },
      () => this.whenGoneHere(id, signal),
      (node) => peers.call(node, 'entity.whenOver', { kind, id }, signal),
      signal,
    );
  }

  async whenGoneHere(id: string, signal: AbortSignal): Promise<PeerCalls['entity.whenOver']['result']> {
    const isGone = await notElsewhere(this.#options.local.whenGone(id, signal));
    return { type: isGone ? 'over' : 'elsewhere' };
  }

  /** Resolves when the question is answered with true. @throws when the signal aborts first */
  async when(id: string, question: Q, signal: AbortSignal): Promise<void> {
    const { kind, peers, ownership } = this.#options;
    await askWherever<{ readonly type: 'so' }>(
      ownership,
      { family: 'entities', shard: shardOf(id) },
      () => this.whenHere(id, question, signal),
      (node) => peers.call(node, 'entity.when', { kind, id, question }, signal),
      signal,
    );
  }

  async whenHere(id: string, question: Q, signal: AbortSignal): Promise<PeerCalls['entity.when']['result']> {
    const { local, answer } = this.#options;
    const isSo = await notElsewhere(local.when(id, (state) => answer(state, question) === true, signal));
    return { type: isSo ? 'so' : 'elsewhere' };
  }
}

/** False when the entity is on another node. */
async function notElsewhere(waiting: Promise<boolean>): Promise<boolean> {
  try {
    return await waiting;
  } catch (error) {
    if (error instanceof ElsewhereError) return false;
    throw error;
  }
}
