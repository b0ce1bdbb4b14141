// What entities are told, and what they answer.
import type { Decision, Refusal } from '../../domain/decision.ts';
import type { Entity } from '../../domain/entity.ts';
import type { AppendResult } from '../../domain/journal.ts';
import type { StepEnded } from '../../domain/step.ts';
import type { ReplyTo } from './reply.ts';

export type CommandReply<Answer> =
  | { readonly type: 'ok'; readonly answer: Answer }
  | { readonly type: 'refused'; readonly refusal: Refusal }
  /** The mailbox is full. */
  | { readonly type: 'busy'; readonly retryAfterMs: number }
  /** Another node owns it, or will in a moment. Nothing has happened. */
  | { readonly type: 'elsewhere' }
  /** Nobody takes commands for now, and why. */
  | { readonly type: 'unavailable'; readonly reason: string }
  /** Its actor was given up. */
  | { readonly type: 'faulted'; readonly reason: string };

/** Who sent a command; absent where entities command each other, whose commands are idempotent by themselves. */
export interface CommandIdentity {
  readonly id: string;
  readonly digest: string;
}

export type EntityMessage<E extends Entity> =
  | {
      readonly type: 'command';
      readonly command: E['command'];
      readonly identity: CommandIdentity | undefined;
      readonly replyTo: ReplyTo<CommandReply<E['answer']>>;
    }
  | StepEnded<E['result']>
  /** A time has come, or the entity has just been recovered. */
  | { readonly type: 'wake' }
  /** The rows for reading may not show what the journal holds. */
  | { readonly type: 'rewriteRows' }
  /** Entries it is recovered from are about to go. */
  | { readonly type: 'writeSnapshot'; readonly written: () => void; readonly fail: (error: Error) => void }
  | {
      readonly type: 'read';
      /** Does not throw. */
      readonly read: (state: E['state'] | undefined) => void;
      /** The state can't be told. */
      readonly fail: (error: Error) => void;
    };

/** Journal entries, which nact passes through the same function, have no type. */
export function isLive<E extends Entity>(message: unknown): message is EntityMessage<E> {
  return typeof (message as { readonly type?: unknown } | undefined)?.type === 'string';
}

/** Nobody will carry it out. */
export function giveBack<E extends Entity>(message: EntityMessage<E> | undefined, fault: Error): void {
  if (message?.type === 'command') message.replyTo.tell({ type: 'faulted', reason: fault.message });
  if (message?.type === 'read' || message?.type === 'writeSnapshot') message.fail(fault);
}

export function replyOf<Answer>(decision: Decision<unknown, Answer>): CommandReply<Answer> {
  return decision.type === 'accept'
    ? { type: 'ok', answer: decision.answer }
    : { type: 'refused', refusal: decision.refusal };
}

/** The answer of the first time, or a refusal when the same id was used for something else. */
export function storedReply<Answer>(
  { digest, answer }: Extract<AppendResult, { type: 'duplicate' }>,
  identity: CommandIdentity | undefined,
): CommandReply<Answer> {
  if (digest === identity?.digest) return answer as CommandReply<Answer>;
  const message = `commandId ${identity?.id} was used before with other parameters`;
  return { type: 'refused', refusal: { code: 'commandIdReused', message, field: 'commandId' } };
}
