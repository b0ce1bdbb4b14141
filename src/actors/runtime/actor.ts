// A supervised actor on nact: what nact lacks is added here once. References are typed, mailboxes are counted and
// bounded, a crash is logged once and paid from a restart budget, and a message to a stopped actor is a dead letter
// rather than silence.
import { dispatch, type Ref, spawn, stop } from 'nact';
import type { Logger } from 'pino';
import { type ActorRecord, type Registry } from './registry.ts';
import { defaultRestartLimits, judgeCrash, type RestartLimits } from './restart-budget.ts';

/** nact's references, untyped: only this folder touches them. */
// oxlint-disable-next-line no-explicit-any -- nact's own types need the parent's message type, which nobody uses
export type NactRef = Ref<any>;

export interface ActorSurroundings {
  readonly registry: Registry;
  readonly log: Logger;
  readonly mailboxLimit: number;
}

/** A typed reference. */
export interface ActorRef<Message> {
  readonly path: string;
  /** Puts a message into the mailbox. A stopped actor's messages are counted as dead letters. */
  tell(message: Message): void;
}

export interface ActorOptions<State, Message> {
  readonly name: string;
  readonly kind: string;
  /** The state to begin with, and to begin again with after a crash. */
  readonly start: (self: ActorRef<Message>) => State;
  /** Must not wait for slow work: start it, and let its end come back as a message. */
  readonly receive: (state: State, message: Message, self: ActorRef<Message>) => State | Promise<State>;
  readonly describe?: ((state: State) => unknown) | undefined;
  readonly limits?: RestartLimits | undefined;
  /** The budget is spent: the actor has been stopped for good. */
  readonly onGivenUp?: ((error: Error) => void) | undefined;
  /** Lets go of what the state holds, such as timers: after a stop, and before a new start. */
  readonly release?: ((state: State) => void) | undefined;
}

export interface LiveActor<Message> extends ActorRef<Message> {
  readonly nact: NactRef;
  readonly record: ActorRecord;
  stop(): void;
}

export function spawnActor<State, Message extends { readonly type: string }>(
  parent: NactRef,
  surroundings: ActorSurroundings,
  options: ActorOptions<State, Message>,
): LiveActor<Message> {
  const path = childPath(parent, options.name);
  const record = surroundings.registry.add(path, options.kind);
  const crashes: number[] = [];
  let current: State | undefined;
  const actor: LiveActor<Message> = {
    path,
    record,
    get nact() {
      if (nactRef === undefined) throw new Error(`actor ${path} has not started yet`);
      return nactRef;
    },
    tell(message) {
      if (isStopped) return surroundings.registry.addDeadLetter(path, message.type);
      record.pending++;
      if (nactRef === undefined) early.push(message);
      else dispatch(nactRef, message);
    },
    stop() {
      if (!isStopped && nactRef !== undefined) stop(nactRef);
      markStopped();
    },
  };
  let isStopped = false;
  let nactRef: NactRef | undefined;
  /** What the actor tells itself while it starts, before nact has a reference of it. */
  const early: Message[] = [];
  const markStopped = () => {
    if (isStopped) return;
    isStopped = true;
    surroundings.registry.remove(record);
    release();
  };
  const release = () => {
    if (current !== undefined) options.release?.(current);
    current = undefined;
  };
  nactRef = spawn(
    parent,
    async (state: State, message: Message) => {
      begin(record, message);
      current = await options.receive(state, message, actor);
      end(record);
      return current;
    },
    options.name,
    {
      initialStateFunc: () => (current = options.start(actor)),
      onCrash: async (message, error, ctx) => {
        end(record);
        release();
        const verdict = await pause(record, crashes, error, options.limits, surroundings.log, message);
        if (isStopped) return ctx.stop;
        if (verdict === 'restart') return ctx.reset;
        markStopped();
        options.onGivenUp?.(error ?? new Error('unknown'));
        return ctx.stop;
      },
      // nact may stop it as the child of a stopped parent.
      afterStop: markStopped,
    },
  ) as NactRef;
  for (const message of early) dispatch(nactRef, message);
  record.describe = () => (current === undefined ? undefined : options.describe?.(current));
  return actor;
}

export function begin(record: ActorRecord, message: { readonly type: string }): void {
  record.handling = message.type;
  record.lastActiveAt = Date.now();
}

export function end(record: ActorRecord): void {
  record.handling = undefined;
  record.pending = Math.max(0, record.pending - 1);
  record.processed++;
}

/** For actors that the node cannot do without: after many crashes they start again every half minute or so, for ever. */
export const neverGivenUp: RestartLimits = {
  restarts: Number.POSITIVE_INFINITY,
  windowMs: 300_000,
  firstDelayMs: 50,
  longestDelayMs: 30_000,
};

/** Judges a crash, logs it once, and waits for the time that the budget demands. */
export async function pause(
  record: ActorRecord,
  crashes: number[],
  error: Error | undefined,
  limits: RestartLimits | undefined,
  log: Logger,
  message: unknown,
): Promise<'restart' | 'giveUp'> {
  const now = Date.now();
  record.lastError = { message: error?.message ?? 'unknown', at: now };
  const verdict = judgeCrash(crashes, now, limits ?? defaultRestartLimits, Math.random());
  const type = (message as { readonly type?: string } | undefined)?.type;
  log.error({ err: error, actor: record.path, message: type, verdict }, 'actor crashed');
  if (verdict.type === 'giveUp') return 'giveUp';
  crashes.push(now);
  if (crashes.length > 100) crashes.shift();
  record.restarts++;
  await new Promise((resolve) => setTimeout(resolve, verdict.delayMs).unref());
  return 'restart';
}

export function childPath(parent: NactRef, name: string): string {
  // nact keeps a reference's path to itself.
  const parts = (parent as unknown as { readonly path?: { readonly parts: readonly string[] } }).path?.parts ?? [];
  return [...parts, name].join('/');
}
