import { describe, expect, test } from '@jest/globals';
import {
  dueSteps,
  endStep,
  evolveSteps,
  nextRetry,
  noSteps,
  type RetryPolicy,
  type StepsState,
  withCause,
} from '../../../src/domain/step.ts';

const policy: RetryPolicy = { firstDelayMs: 100, longestDelayMs: 1_000, budget: 3, errorDelayMs: 60_000 };
const failure = { message: 'no', call: null, requestId: null, permanent: false };

function failed(times: number): StepsState {
  let steps = noSteps;
  for (let count = 0; count < times; count++) {
    const retry = nextRetry(steps, 'key', failure, 0, policy);
    steps = evolveSteps(steps, { type: 'stepFailed', key: 'key', retry, at: 0 });
  }
  return steps;
}

describe('a step that fails', () => {
  test('is tried again after a pause that doubles, with a jitter of up to a quarter', () => {
    const pauses = [0, 1].map((times) => nextRetry(failed(times), 'key', failure, 0, policy).retryAt);
    expect(pauses[0]).toBeGreaterThanOrEqual(100);
    expect(pauses[0]).toBeLessThanOrEqual(125);
    expect(pauses[1]).toBeGreaterThanOrEqual(200);
    expect(pauses[1]).toBeLessThanOrEqual(250);
  });

  test('has spent its budget after so many failures, and goes on slowly', () => {
    const retry = nextRetry(failed(2), 'key', failure, 0, policy);
    expect(retry).toMatchObject({ failures: 3, spent: true });
    expect(retry.retryAt).toBeGreaterThanOrEqual(60_000);
  });

  test('has spent its budget at once when the driver knows that trying again is no use', () => {
    expect(nextRetry(noSteps, 'key', { ...failure, permanent: true }, 0, policy).spent).toBe(true);
  });

  test('is due again at its time, not before', () => {
    const steps = failed(1);
    const retryAt = steps.retries['key']?.retryAt ?? 0;
    expect(dueSteps(steps, [{ key: 'key' }], retryAt - 1)).toEqual({ start: [], cancel: [], wakeAt: retryAt });
    expect(dueSteps(steps, [{ key: 'key' }], retryAt)).toMatchObject({ start: [{ key: 'key' }] });
  });
});

test('a step that runs is not started twice, and is cancelled when nobody wants it', () => {
  const steps = evolveSteps(noSteps, { type: 'stepStarted', key: 'key', run: 1, at: 0, deadlineAt: 9 });
  expect(dueSteps(steps, [{ key: 'key' }], 1)).toEqual({ start: [], cancel: [], wakeAt: undefined });
  expect(dueSteps(steps, [], 1).cancel).toEqual(['key']);
});

describe('work', () => {
  const started = evolveSteps(noSteps, { type: 'stepStarted', key: 'key', run: 1, at: 0, deadlineAt: 9 });

  test('is for the commands that came while something was left to do', () => {
    const both = withCause(withCause(withCause(started, 'one'), undefined), 'two');
    expect(both.causes).toEqual(['one', 'two']);
    expect(withCause(endStep(both, 'key'), undefined)).not.toHaveProperty('causes');
    expect(withCause(endStep(both, 'key'), 'three')).not.toHaveProperty('causes');
    expect(withCause(failed(1), 'one').causes).toEqual(['one']);
  });

  test('is for the newest of them where it never ends', () => {
    let steps = started;
    for (let number = 1; number <= 100; number++) steps = withCause(steps, `command-${number}`);
    expect(steps.causes).toHaveLength(8);
    expect(steps.causes?.at(-1)).toBe('command-100');
  });
});
