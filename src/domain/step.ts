// Steps: the pieces of work that bring the world to what is desired. What is kept of a step in an entity's state, and
// when a failed one is tried again. The same for every kind of entity.
import { createHash } from 'node:crypto';

/** A step whose start is in the journal and whose outcome is not. */
export interface RunningStep {
  /** Counts from 1 and goes on after a success, so that an outcome that comes late is recognised. */
  readonly run: number;
  /** Milliseconds since the epoch, as all times in states and events. */
  readonly startedAt: number;
  readonly deadlineAt: number;
}

/** What a driver said when it failed; shown to operators by `amphi lb explain` and in the reason of an ERROR. */
export interface StepFailure {
  readonly message: string;
  /** Driver and call, such as `compute.local create`. */
  readonly call: string | null;
  readonly requestId: string | null;
  /** The driver knows that trying again will not help. */
  readonly permanent: boolean;
}

export type StepOutcome<Result> =
  | { readonly ok: true; readonly result: Result }
  | {
      readonly ok: false;
      readonly failure: StepFailure;
      /** It ended for our own sake, not for the driver's: this is not one of the tries that the budget counts. */
      readonly isInterrupted?: boolean | undefined;
    };

/** How a step's end comes back to its entity. `run` tells a late end of an earlier run apart. */
export interface StepEnded<Result> {
  readonly type: 'stepEnded';
  readonly key: string;
  readonly run: number;
  readonly outcome: StepOutcome<Result>;
}

/** A step that failed and waits to be tried again. */
export interface Retry {
  readonly failures: number;
  readonly retryAt: number;
  readonly lastFailure: StepFailure;
  /** The budget is spent: the entity is in ERROR, and goes on trying at a slow pace. */
  readonly spent: boolean;
}

export interface StepsState {
  readonly running: Readonly<Record<string, RunningStep>>;
  readonly retries: Readonly<Record<string, Retry>>;
  /** Number of the newest run of any step. */
  readonly runs: number;
  /** Ids of the commands whose work is under way, newest last; absent for none. */
  readonly causes?: readonly string[];
}

export const noSteps: StepsState = { running: {}, retries: {}, runs: 0 };

export interface RetryPolicy {
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** Failures in a row after which the entity is in ERROR. */
  readonly budget: number;
  /** Pace of further tries once the budget is spent. */
  readonly errorDelayMs: number;
}

export type StepEvent =
  | {
      readonly type: 'stepStarted';
      readonly key: string;
      readonly run: number;
      readonly at: number;
      readonly deadlineAt: number;
    }
  | { readonly type: 'stepFailed'; readonly key: string; readonly retry: Retry; readonly at: number }
  /** The process that carried the steps out is gone; what they did is not known. */
  | { readonly type: 'stepsInterrupted'; readonly keys: readonly string[]; readonly at: number };

export function evolveSteps(steps: StepsState, event: StepEvent): StepsState {
  switch (event.type) {
    case 'stepStarted': {
      const started = { run: event.run, startedAt: event.at, deadlineAt: event.deadlineAt };
      return { ...steps, runs: event.run, running: { ...steps.running, [event.key]: started } };
    }
    case 'stepFailed':
      return {
        ...steps,
        running: without(steps.running, [event.key]),
        retries: { ...steps.retries, [event.key]: event.retry },
      };
    case 'stepsInterrupted':
      return { ...steps, running: without(steps.running, event.keys) };
  }
}

/** Commands that are remembered while there is work: a busy load balancer may never come to rest. */
const mostCauses = 8;

/** Once an entry of the journal is whole: whose work is under way. Nobody's when nothing is left to do. */
export function withCause(steps: StepsState, commandId: string | undefined): StepsState {
  const { causes, ...rest } = steps;
  const isAtRest = Object.keys(steps.running).length === 0 && Object.keys(steps.retries).length === 0;
  if (isAtRest) return causes === undefined ? steps : rest;
  return commandId === undefined ? steps : { ...rest, causes: [...(causes ?? []), commandId].slice(-mostCauses) };
}

/** Forgets a step and its failures: it succeeded, or is not wanted any more. */
export function endStep(steps: StepsState, key: string): StepsState {
  return { ...steps, running: without(steps.running, [key]), retries: without(steps.retries, [key]) };
}

/** Forgets failures, so that what waits is tried at once and with a full budget. */
export function forgetFailures(steps: StepsState, concerns: (key: string) => boolean): StepsState {
  return { ...steps, retries: without(steps.retries, Object.keys(steps.retries).filter(concerns)) };
}

/** Forgets all steps but these, and their failures. */
export function onlySteps(steps: StepsState, keys: readonly string[]): StepsState {
  const others = (record: object) => Object.keys(record).filter((key) => !keys.includes(key));
  const { running, retries } = steps;
  return { ...steps, running: without(running, others(running)), retries: without(retries, others(retries)) };
}

/** The failure that put the entity in ERROR, when there is one. */
export function spentRetry(steps: StepsState): { readonly key: string; readonly retry: Retry } | undefined {
  for (const [key, retry] of Object.entries(steps.retries)) if (retry.spent) return { key, retry };
  return undefined;
}

/**
 * When to try again: exponential back-off with a jitter of up to a quarter, taken from the key so that it needs no
 * randomness. A permanent failure spends the budget at once.
 */
export function nextRetry(
  steps: StepsState,
  key: string,
  lastFailure: StepFailure,
  now: number,
  policy: RetryPolicy,
): Retry {
  const failures = (steps.retries[key]?.failures ?? 0) + 1;
  const spent = lastFailure.permanent || failures >= policy.budget;
  const exponential = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** Math.min(failures - 1, 30));
  const delay = spent ? policy.errorDelayMs : exponential;
  return { failures, retryAt: Math.round(now + delay * (1 + jitter(key, failures) / 4)), lastFailure, spent };
}

/** From 0 to 1, the same for the same key and number. */
function jitter(key: string, number: number): number {
  return createHash('sha1').update(`${key}#${number}`).digest().readUInt32BE(0) / 0xffffffff;
}

export interface DueSteps<Step> {
  readonly start: readonly Step[];
  /** Keys of running steps that nobody wants any more. */
  readonly cancel: readonly string[];
  /** When to ask again though nothing has happened; undefined when there is no such time. */
  readonly wakeAt: number | undefined;
}

/** Of the steps that are wanted, those that are neither running nor waiting for their next try. */
export function dueSteps<Step extends { readonly key: string }>(
  steps: StepsState,
  wanted: readonly Step[],
  now: number,
): DueSteps<Step> {
  const start: Step[] = [];
  let wakeAt: number | undefined;
  for (const step of wanted) {
    if (steps.running[step.key] !== undefined) continue;
    const retryAt = steps.retries[step.key]?.retryAt ?? 0;
    if (retryAt <= now) start.push(step);
    else wakeAt = Math.min(wakeAt ?? retryAt, retryAt);
  }
  const wantedKeys = new Set(wanted.map((step) => step.key));
  const cancel = Object.keys(steps.running).filter((key) => !wantedKeys.has(key));
  return { start, cancel, wakeAt };
}

function without<T>(record: Readonly<Record<string, T>>, keys: readonly string[]): Readonly<Record<string, T>> {
  if (!keys.some((key) => key in record)) return record;
  const rest = { ...record };
  for (const key of keys) delete rest[key];
  return rest;
}
