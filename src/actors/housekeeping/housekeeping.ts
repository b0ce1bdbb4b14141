// Housekeeping: chores that come round whoever asks, each at its own pace, none twice at a time.
import type { Logger } from 'pino';
import {
  type ActorRef,
  type ActorSurroundings,
  type LiveActor,
  type NactRef,
  neverGivenUp,
  spawnActor,
} from '../runtime/actor.ts';

export interface Chore {
  readonly name: string;
  readonly firstAfterMs: number;
  /** Undefined: only once. */
  readonly everyMs: number | undefined;
  /** Gives how much was done, and whether to go on at once. The signal aborts when another node keeps house from now on. */
  readonly run: (signal: AbortSignal) => Promise<{ readonly done: number; readonly isMore: boolean }>;
}

export type HousekeepingMessage =
  | { readonly type: 'do'; readonly chore: Chore }
  | { readonly type: 'done'; readonly chore: Chore; readonly done: number; readonly isMore: boolean }
  | { readonly type: 'failed'; readonly chore: Chore; readonly reason: string };

interface Progress {
  isRunning: boolean;
  lastRun: { readonly at: number; readonly done: number } | undefined;
  lastFailure: { readonly at: number; readonly reason: string } | undefined;
}

interface State {
  readonly progress: Map<string, Progress>;
  readonly timers: Set<NodeJS.Timeout>;
  /** Aborts with the actor: nobody waits for chores that are under way. */
  readonly ending: AbortController;
}

export function spawnHousekeeping(
  parent: NactRef,
  surroundings: ActorSurroundings,
  { chores, log }: { readonly chores: readonly Chore[]; readonly log: Logger },
): LiveActor<HousekeepingMessage> {
  return spawnActor<State, HousekeepingMessage>(parent, surroundings, {
    name: 'housekeeping',
    kind: 'housekeeping',
    start: (self) => {
      const state: State = { progress: new Map(), timers: new Set(), ending: new AbortController() };
      for (const chore of chores) {
        state.progress.set(chore.name, { isRunning: false, lastRun: undefined, lastFailure: undefined });
        callAgain(state, chore, chore.firstAfterMs, self);
      }
      return state;
    },
    receive: (state, message, self) => {
      const { chore } = message;
      const progress = state.progress.get(chore.name);
      if (progress === undefined) return state;
      switch (message.type) {
        case 'do':
          if (progress.isRunning) return state;
          progress.isRunning = true;
          run(state, chore, self);
          return state;
        case 'done':
          progress.isRunning = false;
          progress.lastRun = { at: Date.now(), done: message.done };
          callAgain(state, chore, message.isMore ? 0 : chore.everyMs, self);
          return state;
        case 'failed':
          progress.isRunning = false;
          progress.lastFailure = { at: Date.now(), reason: message.reason };
          log.warn({ chore: chore.name, reason: message.reason }, 'a chore failed; it is tried again at its next time');
          callAgain(state, chore, chore.everyMs, self);
          return state;
      }
    },
    limits: neverGivenUp,
    describe: ({ progress }) => Object.fromEntries(progress),
    release: ({ timers, ending }) => {
      ending.abort(new Error('housekeeping has ended'));
      for (const timer of timers) clearTimeout(timer);
    },
  });
}

type Self = Pick<ActorRef<HousekeepingMessage>, 'tell'>;

function run({ ending: { signal } }: State, chore: Chore, self: Self): void {
  const tell = (message: HousekeepingMessage) => {
    if (!signal.aborted) self.tell(message);
  };
  chore.run(signal).then(
    (outcome) => tell({ type: 'done', chore, ...outcome }),
    (error: unknown) => tell({ type: 'failed', chore, reason: String(error) }),
  );
}

function callAgain({ timers }: State, chore: Chore, afterMs: number | undefined, self: Self): void {
  if (afterMs === undefined) return;
  const timer = setTimeout(() => {
    timers.delete(timer);
    self.tell({ type: 'do', chore });
  }, afterMs);
  timers.add(timer);
}
