// The health watchdog: looks at the table of heartbeats at every tick and asks for the failover of amphorae that have
// been silent too long. It judges from heartbeats alone.
import type { Logger } from 'pino';
import type { HeartbeatTable } from '../../domain/health/table.ts';
import { judge, startWatching, type WatchdogLimits, type WatchdogState } from '../../domain/health/watchdog.ts';
import type { AmphoraId } from '../../domain/ids.ts';
import { type ActorSurroundings, type LiveActor, type NactRef, neverGivenUp, spawnActor } from '../runtime/actor.ts';
import type { AmphoraFacts } from '../spares-pool/spares-pool.ts';

export type WatchdogMessage =
  | { readonly type: 'tick' }
  | { readonly type: 'amphoraChanged'; readonly id: AmphoraId; readonly now: AmphoraFacts };

export interface WatchdogOptions {
  readonly limits: WatchdogLimits;
  readonly table: HeartbeatTable;
  readonly fleet: () => ReadonlyMap<AmphoraId, AmphoraFacts>;
  /** Whether this node can't know: no database, or no lease. */
  readonly isBlind: () => boolean;
  readonly failOver: (id: AmphoraId, facts: AmphoraFacts, reason: string) => void;
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number;
  readonly log: Logger;
}

interface State {
  readonly watch: WatchdogState;
  readonly timer: NodeJS.Timeout;
  holdReason: string | undefined;
}

export function spawnHealthWatchdog(
  parent: NactRef,
  surroundings: ActorSurroundings,
  options: WatchdogOptions,
): LiveActor<WatchdogMessage> {
  const { limits, table, log } = options;
  return spawnActor<State, WatchdogMessage>(parent, surroundings, {
    name: 'health-watchdog',
    kind: 'healthWatchdog',
    start: (self) => {
      const watch = startWatching(options.now());
      for (const [id, facts] of options.fleet()) expect(watch, id, facts, options.now());
      const timer = setInterval(() => self.tell({ type: 'tick' }), limits.tickMs);
      return { watch, timer, holdReason: undefined };
    },
    receive: (state, message) => {
      if (message.type === 'amphoraChanged') {
        expect(state.watch, message.id, message.now, options.now());
        if (message.now.status === 'DELETED') table.forget(message.id);
        return state;
      }
      tick(state, options);
      return state;
    },
    limits: neverGivenUp,
    describe: ({ watch, holdReason }) => ({
      expected: watch.expected.size,
      failoversAskedFor: Object.fromEntries(watch.asked),
      holdReason: holdReason ?? null,
    }),
    release: (state) => clearInterval(state.timer),
  });

  function tick(state: State, { now, isBlind, fleet, failOver }: WatchdogOptions): void {
    const lastSeen = (id: AmphoraId) => table.lastSeen(id);
    const verdict = judge(state.watch, lastSeen, now(), isBlind(), limits);
    if (verdict.holdReason !== state.holdReason) {
      state.holdReason = verdict.holdReason;
      if (verdict.holdReason !== undefined)
        log.warn({ held: verdict.held.length }, `failovers held: ${verdict.holdReason}`);
    }
    for (const { id, silentMs } of verdict.failover) {
      const facts = fleet().get(id);
      if (facts !== undefined) failOver(id, facts, `no heartbeat for ${(silentMs / 1000).toFixed(1)} s`);
    }
  }
}

/** Amphorae that are up ought to be heard; one that just came up has its whole time-out before it. */
function expect(watch: WatchdogState, id: AmphoraId, { status }: AmphoraFacts, now: number): void {
  if (status === 'READY' || status === 'ALLOCATED') {
    if (!watch.expected.has(id)) watch.expected.set(id, now);
  } else {
    watch.expected.delete(id);
    watch.asked.delete(id);
  }
}
