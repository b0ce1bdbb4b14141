// What every durable entity is made of, and the one loop that all of them run: events → state → plan → steps.
// Whatever a message brings, the events that follow from it and the steps that are due after it go into the journal
// together, in one entry, before anything is answered or any driver is called.
import type { Decision } from './decision.ts';
import { type DueSteps, type RetryPolicy, type StepEvent, type StepsState, type StepEnded, withCause } from './step.ts';
import type { Addition } from './quota.ts';

export type EntityKind = 'loadBalancer' | 'amphora';

export interface Entity {
  readonly state: { readonly steps: StepsState };
  readonly command: { readonly type: string };
  readonly answer: unknown;
  readonly event: { readonly type: string };
  readonly step: { readonly key: string; readonly type: string };
  readonly result: { readonly type: string };
}

/** All functions are pure and total; times are milliseconds since the epoch. */
export interface EntityDefinition<E extends Entity> {
  readonly kind: EntityKind;
  /** Version of events and snapshots; see `upcast.ts`. */
  readonly schemaVersion: number;
  readonly decide: (
    state: E['state'] | undefined,
    command: E['command'],
    now: number,
  ) => Decision<E['event'], E['answer']>;
  readonly decideStepEnded: (
    state: E['state'] | undefined,
    ended: StepEnded<E['result']>,
    now: number,
    policy: RetryPolicy,
  ) => Decision<E['event'], null>;
  /** The events of taking over after a replay. */
  readonly decideResumed: (state: E['state'] | undefined, now: number) => readonly E['event'][];
  /** The next event that follows from the state alone, without a message; undefined when there is none. */
  readonly follow: (state: E['state'], now: number) => E['event'] | undefined;
  readonly evolve: (state: E['state'] | undefined, event: E['event'] | StepEvent) => E['state'] | undefined;
  readonly plan: (state: E['state'], now: number) => DueSteps<E['step']>;
  /** Whether a command may bring the entity into being. */
  readonly isCreation: (command: E['command']) => boolean;
  /** Deleted: nothing of it is left in the world, and nobody need wait for it. */
  readonly isGone: (state: E['state']) => boolean;
  /** Gone, and nothing will ever happen to it again. */
  readonly isOver: (state: E['state']) => boolean;
  /** What quotas count of a change; absent for what no quota is for. */
  readonly additionOf?: (before: E['state'] | undefined, after: E['state'] | undefined) => Addition | undefined;
  /** How long a step may take. */
  readonly stepTimeoutMs: (step: E['step'], timeouts: StepTimeouts) => number;
}

export interface StepTimeouts {
  /** A call to a driver. */
  readonly callMs: number;
  /** Waiting for an amphora to come up. */
  readonly bootMs: number;
}

export interface StartedStep<Step> {
  readonly step: Step;
  readonly run: number;
  readonly deadlineAt: number;
}

/** What an entity has become, and what is to be done about it. */
export interface Advance<E extends Entity> {
  readonly state: E['state'] | undefined;
  readonly events: readonly (E['event'] | StepEvent)[];
  readonly start: readonly StartedStep<E['step']>[];
  readonly cancel: readonly string[];
  /** The durable timer: when to be woken though nothing has happened. */
  readonly wakeAt: number | undefined;
}

/** A journal that follows from the state for ever would be a bug in `follow`. */
const followLimit = 100;

/** The state after an entry of the journal, which came from that command. */
export function afterEntry<E extends Entity>(
  definition: EntityDefinition<E>,
  before: E['state'] | undefined,
  events: readonly E['event'][],
  commandId: string | undefined,
): E['state'] | undefined {
  const state = events.reduce<E['state'] | undefined>((from, event) => definition.evolve(from, event), before);
  return state && attributed<E>(state, commandId);
}

function attributed<E extends Entity>(state: E['state'], commandId: string | undefined): E['state'] {
  const steps = withCause(state.steps, commandId);
  return steps === state.steps ? state : { ...state, steps };
}

/** @param commandId of the command that brings the events; undefined when none does */
export function advance<E extends Entity>(
  definition: EntityDefinition<E>,
  before: E['state'] | undefined,
  given: readonly E['event'][],
  now: number,
  timeouts: StepTimeouts,
  commandId?: string,
): Advance<E> {
  const events: (E['event'] | StepEvent)[] = [...given];
  let state = given.reduce<E['state'] | undefined>((from, event) => definition.evolve(from, event), before);
  if (state === undefined) return { state, events, start: [], cancel: [], wakeAt: undefined };
  for (let count = 0; ; count++) {
    const next = definition.follow(state, now);
    if (next === undefined) break;
    if (count === followLimit)
      throw new Error(`${definition.kind}: more than ${followLimit} events follow: ${next.type}`);
    events.push(next);
    state = definition.evolve(state, next) ?? state;
  }
  const due = definition.plan(state, now);
  const start: StartedStep<E['step']>[] = [];
  for (const step of due.start) {
    const run: number = state.steps.runs + 1;
    const deadlineAt = now + definition.stepTimeoutMs(step, timeouts);
    const started: StepEvent = { type: 'stepStarted', key: step.key, run, at: now, deadlineAt };
    events.push(started);
    state = definition.evolve(state, started) ?? state;
    start.push({ step, run, deadlineAt });
  }
  return { state: attributed<E>(state, commandId), events, start, cancel: due.cancel, wakeAt: due.wakeAt };
}
