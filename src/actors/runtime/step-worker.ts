// A step's worker: a short-lived child of its entity that carries out one step through drivers and sends its end back
// as a message. It ends when the step does, when its deadline passes, when the entity does not want it any more, and
// when this node loses its lease.
import { setTimeout as wait } from 'node:timers/promises';
import { dispatch, spawn, stop } from 'nact';
import type { StartedStep } from '../../domain/entity.ts';
import type { StepEnded, StepOutcome, StepFailure } from '../../domain/step.ts';
import type { Logger } from 'pino';
import { makeFor } from '../../domain/causes.ts';
import { begin, childPath, end, type NactRef } from './actor.ts';
import type { Registry } from './registry.ts';

export interface StepWorkerOptions<Step extends { readonly key: string; readonly type: string }, Result> {
  readonly parent: NactRef;
  readonly registry: Registry;
  readonly started: StartedStep<Step>;
  readonly now: number;
  /** Aborted when this node must not touch the world any more. */
  readonly leaseLost: AbortSignal;
  /** Ids of the commands it is for. */
  readonly causes: readonly string[];
  readonly log: Pick<Logger, 'info' | 'debug'>;
  readonly run: (step: Step, signal: AbortSignal) => Promise<Result>;
  readonly onEnd: (ended: StepEnded<Result>) => void;
}

export interface StepWorker {
  readonly key: string;
  readonly run: number;
  /** The end still comes: as a failure. */
  cancel(): void;
  /** Nobody wants to hear of its end. nact does not stop children with their parent, so the parent does. */
  stop(): void;
}

class StepAbortedError extends Error {}
/** This node must not go on; the step will be started again, here or elsewhere. */
class StepInterruptedError extends StepAbortedError {}

/** So that a node without a lease does not start and interrupt the same step over and over. */
const interruptionPauseMs = 500;

export function startStep<Step extends { readonly key: string; readonly type: string }, Result>(
  options: StepWorkerOptions<Step, Result>,
): StepWorker {
  const { parent, registry, started, leaseLost } = options;
  const { step, run, deadlineAt } = started;
  const controller = new AbortController();
  makeFor(controller.signal, options.causes);
  const beganAt = performance.now();
  const abort = (why: string) => controller.abort(new StepAbortedError(why));
  const onLeaseLost = () => controller.abort(new StepInterruptedError('this node lost its lease'));
  leaseLost.addEventListener('abort', onLeaseLost, { once: true });
  const timeoutMs = Math.max(0, deadlineAt - options.now);
  const timer = setTimeout(() => abort(`no answer within ${Math.round(timeoutMs / 100) / 10} s`), timeoutMs);
  const name = `step-${run}`;
  const record = registry.add(childPath(parent, name), `step ${step.type}`);
  record.describe = () => ({ step, deadlineAt });
  let isStopped = false;
  const tellEnd = (outcome: StepOutcome<Result>) => {
    tellLog(options, record.path, performance.now() - beganAt, outcome);
    if (!isStopped) options.onEnd({ type: 'stepEnded', key: step.key, run, outcome });
  };
  const cleanUp = () => {
    clearTimeout(timer);
    leaseLost.removeEventListener('abort', onLeaseLost);
    registry.remove(record);
  };
  const worker = spawn(
    parent,
    async () => {
      begin(record, { type: step.type });
      if (leaseLost.aborted) onLeaseLost();
      const outcome = await outcomeOf(() => options.run(step, controller.signal), controller.signal);
      if (!outcome.ok && outcome.isInterrupted === true) await wait(interruptionPauseMs, undefined, { ref: false });
      end(record);
      cleanUp();
      stop(worker);
      tellEnd(outcome);
    },
    name,
    {
      onCrash: (_message, error, ctx) => {
        cleanUp();
        tellEnd({ ok: false, failure: failureOf(error) });
        return ctx.stop;
      },
      afterStop: () => {
        cleanUp();
        abort('its entity stopped');
      },
    },
  ) as NactRef;
  dispatch(worker, {});
  return {
    key: step.key,
    run,
    cancel: () => abort('it is not wanted any more'),
    stop: () => {
      if (isStopped) return;
      isStopped = true;
      cleanUp();
      abort('its entity stopped');
      stop(worker);
    },
  };
}

/** What somebody asked for is told; what happens by itself is for those who look closely. */
function tellLog<Step extends { readonly type: string }>(
  {
    causes,
    log,
    started: { step },
  }: Pick<StepWorkerOptions<Step & { readonly key: string }, never>, 'causes' | 'log' | 'started'>,
  actor: string,
  ms: number,
  outcome: StepOutcome<unknown>,
): void {
  const failure = outcome.ok ? undefined : outcome.failure.message;
  const data = {
    actor,
    step: step.type,
    ms: Math.round(ms),
    ...(failure !== undefined && { failure }),
    commands: causes,
  };
  if (causes.length > 0) log.info(data, 'a step has ended');
  else log.debug(data, 'a step has ended');
}

/** Does not wait for a driver that ignores its signal. */
async function outcomeOf<Result>(start: () => Promise<Result>, signal: AbortSignal): Promise<StepOutcome<Result>> {
  try {
    signal.throwIfAborted();
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(asError(signal.reason)), { once: true });
    });
    // What starts and throws at once must not leave `aborted` without anybody who handles it.
    const started = (async () => start())();
    return { ok: true, result: storable(await Promise.race([started, aborted])) };
  } catch (error) {
    const cause: unknown = signal.aborted ? signal.reason : error;
    return { ok: false, failure: failureOf(cause), isInterrupted: cause instanceof StepInterruptedError };
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** What drivers throw, and anything else, as it is kept and shown. Drivers' failures are known by their fields. */
function failureOf(error: unknown): StepFailure {
  const fields = (error ?? {}) as { readonly call?: unknown; readonly requestId?: unknown; readonly name?: unknown };
  return {
    message: storable(error instanceof Error ? error.message : String(error)),
    call: typeof fields.call === 'string' ? fields.call : null,
    requestId: typeof fields.requestId === 'string' ? storable(fields.requestId) : null,
    permanent: fields.name === 'PermanentFailure',
  };
}

/** The same without what PostgreSQL cannot keep in JSON: the other side may have answered any bytes. */
function storable<T>(value: T): T {
  if (typeof value === 'string') return Buffer.from(value, 'utf8').toString('utf8').replaceAll('\0', '\u{fffd}') as T;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(storable) as T;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, storable(inner)])) as T;
}
