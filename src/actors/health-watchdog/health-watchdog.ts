// The health watchdog: looks at the table of heartbeats at every tick and asks for the failover of amphorae that have
// been silent too long. It judges from heartbeats alone.
import type { Logger } from 'pino';
import type { HeartbeatTable } from '../../domain/health/table.ts';
import {
  planReporting,
  type ReportingState,
  silenceCountsFrom,
  startReporting,
} from '../../domain/health/reporting.ts';
import {
  expectFrom,
  judge,
  startWatching,
  type WatchdogLimits,
  type WatchdogState,
} from '../../domain/health/watchdog.ts';
import type { AmphoraFacts } from '../../domain/amphora/facts.ts';
import { maintenanceOf, type Order, orderSentence } from '../../domain/cluster/orders.ts';
import type { AmphoraId } from '../../domain/ids.ts';
import type { Fleet } from '../cluster/fleet.ts';
import { type ActorSurroundings, type LiveActor, type NactRef, neverGivenUp, spawnActor } from '../runtime/actor.ts';

export type WatchdogMessage =
  | { readonly type: 'tick' }
  /** This node judges other amphorae than before. */
  | { readonly type: 'ownedChanged' }
  | { readonly type: 'amphoraChanged'; readonly id: AmphoraId; readonly now: AmphoraFacts };

export interface WatchdogOptions {
  /** For the cluster as a whole. */
  readonly limits: WatchdogLimits;
  /** Nodes that judge, this one included: they share the failovers of a minute. */
  readonly judges: () => number;
  /** Between two heartbeats of an amphora, milliseconds. */
  readonly intervalMs: number;
  readonly table: HeartbeatTable;
  readonly fleet: Fleet;
  /** Whether this node judges an amphora. */
  readonly isJudge: (id: AmphoraId) => boolean;
  /** Whether this node can't know: no database, or no lease. */
  readonly isBlind: () => boolean;
  /** host:port of every node that amphorae shall report to. */
  readonly controllers: () => readonly string[];
  /** Of these and others, those that listen just now. */
  readonly listening: () => ReadonlySet<string>;
  readonly reportTo: (id: AmphoraId, controllers: readonly string[]) => void;
  /** What operators have told the cluster. */
  readonly orders: () => readonly Order[];
  readonly failOver: (id: AmphoraId, facts: AmphoraFacts, reason: string) => void;
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number;
  readonly log: Logger;
}

interface State {
  readonly watch: WatchdogState;
  readonly reporting: ReportingState;
  readonly timer: NodeJS.Timeout;
  holdReason: string | undefined;
  /** What all amphorae were last compared with: while neither changes, there is nobody to tell. */
  advisedList: string;
  advisedChanges: number;
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
      const state: State = {
        watch: startWatching(options.now()),
        reporting: startReporting(),
        timer: setInterval(() => self.tell({ type: 'tick' }), limits.tickMs),
        holdReason: undefined,
        advisedList: '',
        advisedChanges: -1,
      };
      expectOwned(state, options);
      return state;
    },
    receive: (state, message) => {
      switch (message.type) {
        case 'amphoraChanged':
          expect(state.watch, message.id, message.now, options);
          if (message.now.status === 'DELETED') {
            state.reporting.advised.delete(message.id);
          }
          return state;
        case 'ownedChanged':
          expectOwned(state, options);
          return state;
        case 'tick':
          adviseReporting(state, options);
          tick(state, options);
          return state;
      }
    },
    limits: neverGivenUp,
    describe: ({ watch, holdReason }) => ({
      expected: watch.expected.size,
      failoversAskedFor: Object.fromEntries(watch.asked),
      holdReason: holdReason ?? null,
    }),
    release: (state) => clearInterval(state.timer),
  });

  function tick(state: State, { now, isBlind, fleet, failOver, intervalMs }: WatchdogOptions): void {
    const listening = options.listening();
    const heardOrExcused = (id: AmphoraId) => {
      const controllers = fleet.get(id)?.controllers ?? [];
      return silenceCountsFrom(state.reporting, id, controllers, listening, table.lastSeen(id), now(), intervalMs);
    };
    const failoversPerMinute = Math.ceil(limits.failoversPerMinute / Math.max(1, options.judges()));
    const orders = options.orders();
    const maintenance = (id: AmphoraId) => {
      const order = maintenanceOf(orders, fleet.get(id)?.zone ?? null);
      return order && orderSentence(order);
    };
    const paced = { ...limits, failoversPerMinute };
    const verdict = judge(state.watch, heardOrExcused, now(), isBlind(), paced, maintenance);
    if (verdict.holdReason !== state.holdReason) {
      state.holdReason = verdict.holdReason;
      if (verdict.holdReason !== undefined)
        log.warn({ held: verdict.held.length }, `failovers held: ${verdict.holdReason}`);
    }
    for (const { id, silentMs } of verdict.failover) {
      const facts = fleet.get(id);
      if (facts !== undefined) failOver(id, facts, `no heartbeat for ${(silentMs / 1000).toFixed(1)} s`);
    }
  }
}

/** Amphorae that are up ought to be heard; one that just came up, or to this node, has its whole time-out before it. */
function expect(
  watch: WatchdogState,
  id: AmphoraId,
  { status }: AmphoraFacts,
  { now, isJudge }: Pick<WatchdogOptions, 'now' | 'isJudge'>,
): void {
  if ((status === 'READY' || status === 'ALLOCATED') && isJudge(id)) {
    expectFrom(watch, id, now());
  } else {
    watch.expected.delete(id);
    watch.asked.delete(id);
  }
}

function expectOwned({ watch }: State, options: WatchdogOptions): void {
  for (const [id, facts] of options.fleet) expect(watch, id, facts, options);
}

/** Tells amphorae, a few at a time, when nodes have come or gone. */
function adviseReporting(state: State, { fleet, controllers, now, reportTo }: WatchdogOptions): void {
  const { watch, reporting } = state;
  const wanted = controllers();
  const list = wanted.join();
  if (list === state.advisedList && fleet.changes === state.advisedChanges && reporting.advised.size === 0) return;
  state.advisedList = list;
  state.advisedChanges = fleet.changes;
  const told = (id: AmphoraId) => fleet.get(id)?.controllers;
  for (const id of planReporting(reporting, watch.expected.keys(), told, wanted, now())) reportTo(id, wanted);
}
