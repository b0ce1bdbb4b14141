// Housekeeping: what has to be done every now and then whoever asks. Today: the purge of what is older than the
// settings keep.
import type { Logger } from 'pino';
import { type ActorSurroundings, type LiveActor, type NactRef, neverGivenUp, spawnActor } from '../runtime/actor.ts';

export type HousekeepingMessage =
  | { readonly type: 'purge' }
  | { readonly type: 'purged'; readonly rows: number }
  | { readonly type: 'purgeFailed'; readonly reason: string };

export interface HousekeepingOptions {
  /** Purges one batch; gives the number of rows that went. */
  readonly purge: () => Promise<number>;
  readonly intervalMs: number;
  readonly log: Logger;
}

interface State {
  readonly timer: NodeJS.Timeout;
  isPurging: boolean;
  lastPurge: { readonly at: number; readonly rows: number } | undefined;
  lastFailure: string | undefined;
}

export function spawnHousekeeping(
  parent: NactRef,
  surroundings: ActorSurroundings,
  { purge, intervalMs, log }: HousekeepingOptions,
): LiveActor<HousekeepingMessage> {
  return spawnActor<State, HousekeepingMessage>(parent, surroundings, {
    name: 'housekeeping',
    kind: 'housekeeping',
    start: (self) => {
      const timer = setInterval(() => self.tell({ type: 'purge' }), intervalMs);
      return { timer, isPurging: false, lastPurge: undefined, lastFailure: undefined };
    },
    receive: (state, message, self) => {
      switch (message.type) {
        case 'purge':
          if (state.isPurging) return state;
          state.isPurging = true;
          purge().then(
            (rows) => self.tell({ type: 'purged', rows }),
            (error: unknown) => self.tell({ type: 'purgeFailed', reason: String(error) }),
          );
          return state;
        case 'purged':
          state.isPurging = false;
          state.lastPurge = { at: Date.now(), rows: message.rows };
          if (message.rows > 0) self.tell({ type: 'purge' });
          return state;
        case 'purgeFailed':
          state.isPurging = false;
          state.lastFailure = message.reason;
          log.warn({ reason: message.reason }, 'purge failed; it is tried again at its next time');
          return state;
      }
    },
    limits: neverGivenUp,
    describe: ({ isPurging, lastPurge, lastFailure }) => ({ isPurging, lastPurge, lastFailure }),
    release: (state) => clearInterval(state.timer),
  });
}
