import type { Context } from './context.ts';

/** Makes an action for commander of what a command does with its context, its arguments and its own options. */
export type Act = (
  work: (context: Context, args: readonly string[], options: Readonly<Record<string, unknown>>) => Promise<void>,
) => (...given: unknown[]) => Promise<void>;
