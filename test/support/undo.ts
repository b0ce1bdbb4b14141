// What a test has started and has to end, whether it passes or not.
import { afterEach } from '@jest/globals';

export type Undo = () => unknown;

/**
 * A list of what is to be undone after each test, newest first. Every step is taken, also after one that fails; then the
 * test fails with the first. Call it at the top level.
 */
export function undoAfterEach(): Undo[] {
  const steps: Undo[] = [];
  afterEach(() => undoAll(steps));
  return steps;
}

/** Undoes what has been done so far. */
export async function undoAll(steps: Undo[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps.splice(0).reverse()) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
