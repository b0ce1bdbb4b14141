// The health watchdog: looks at the table of heartbeats at every tick and asks for the failover of amphorae that have
// been silent too long. It judges from heartbeats alone.
import type { Logger } from 'pino';
import type { HeartbeatTable } from '../../domain/health/table.ts';
import {
  type Listening,
  planReporting,
  type ReportingState,
  silenceCountsFrom,
  startReporting,
} from '../../domain/health/reporting.ts';
import { type Group, groupsOf } from '../../domain/health/groups.ts';
import { urgencies } from '../../domain/health/pace.ts';
import {
  type Circumstances,
  expectFrom,
  type Hold,
  holdKinds,
  judge,
  startWatching,
  type WatchdogLimits,
  type WatchdogState,
} from '../../domain/health/watchdog.ts';
import type { AmphoraFacts } from '../../domain/amphora/facts.ts';
import { maintenanceOf, type Order, orderSentence, releaseOf, whereaboutsOf } from '../../domain/cluster/orders.ts';
import type { AmphoraId } from '../../domain/ids.ts';
import type { Fleet } from '../cluster/fleet.ts';
import type { Failovers } from './failovers.ts';
import type { HeldFailovers } from './held-failovers.ts';
import { type ActorSurroundings, type LiveActor, type NactRef, neverGivenUp, spawnActor } from '../runtime/actor.ts';

export type WatchdogMessage =
  | { readonly type: 'tick' }
  /** This node judges other amphorae than before. */
  | { readonly type: 'ownedChanged' }
  | { readonly type: 'amphoraChanged'; readonly id: AmphoraId; readonly now: AmphoraFacts };

export interface WatchdogOptions {
  readonly limits: WatchdogLimits;
  /** What the nodes tell each other. */
  readonly failovers: Failovers;
  /** What is shown of failovers that are held. */
  readonly held: HeldFailovers;
  readonly table: HeartbeatTable;
  readonly fleet: Fleet;
  /** Whether this node judges an amphora. */
  readonly isJudge: (id: AmphoraId) => boolean;
  /** Whether this node can't know: no database, or no lease. */
  readonly isBlind: () => boolean;
  /** host:port of every node that amphorae shall report to. */
  readonly controllers: () => readonly string[];
  /** Of these and others, those that listen just now. */
  readonly listening: () => Listening;
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
  held: ReadonlyMap<AmphoraId, Hold>;
  /** Of all amphorae that ought to be heard, as of that number of changes of the fleet. */
  sizes: { readonly changes: number; readonly of: ReadonlyMap<Group, number> };
  /** What all amphorae were last compared with: while neither changes, there is nobody to tell. */
  advisedList: string;
  advisedChanges: number;
}

export function spawnHealthWatchdog(
  parent: NactRef,
  surroundings: ActorSurroundings,
  options: WatchdogOptions,
): LiveActor<WatchdogMessage> {
  const { limits, log } = options;
  return spawnActor<State, WatchdogMessage>(parent, surroundings, {
    name: 'health-watchdog',
    kind: 'healthWatchdog',
    start: (self) => {
      const state: State = {
        watch: startWatching(options.now()),
        reporting: startReporting(),
        timer: setInterval(() => self.tell({ type: 'tick' }), limits.tickMs),
        held: new Map(),
        sizes: { changes: -1, of: new Map() },
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
          options.held.forget();
          expectOwned(state, options);
          return state;
        case 'tick':
          adviseReporting(state, options);
          tick(state);
          return state;
      }
    },
    limits: neverGivenUp,
    describe: ({ watch, held }) => ({
      expected: watch.expected.size,
      failoversAskedFor: Object.fromEntries(watch.asked),
      held: Object.fromEntries(held),
      openBreakers: [...watch.open.keys()],
    }),
    release: (state) => {
      clearInterval(state.timer);
      options.failovers.rest();
    },
  });

  function tick(state: State): void {
    const { fleet, failovers, failOver, isBlind } = options;
    const blind = isBlind();
    const { failover, held, tally } = judge(state.watch, circumstancesOf(state, options, blind), limits);
    tellOfHolds(state.held, held, log);
    state.held = held;
    failovers.tell(tally, held, state.watch.open);
    if (!blind) options.held.update(held);
    for (const { id, silentMs } of failover) {
      const facts = fleet.get(id);
      if (facts !== undefined) failOver(id, facts, `no heartbeat for ${(silentMs / 1000).toFixed(1)} s`);
    }
  }
}

function circumstancesOf(state: State, options: WatchdogOptions, blind: boolean): Circumstances {
  const { fleet, table, failovers } = options;
  const { intervalMs, timeoutMs } = options.limits;
  const now = options.now();
  const listening = options.listening();
  const orders = options.orders();
  const lastSeen = (id: AmphoraId) => {
    const controllers = fleet.get(id)?.controllers ?? [];
    return silenceCountsFrom(state.reporting, id, controllers, listening, table.lastSeen(id), now, intervalMs);
  };
  return {
    lastSeen,
    now,
    blind,
    whereabouts: (id) => whereaboutsOf(fleet.get(id) ?? {}),
    tallies: failovers.tallies,
    sizes: () => sizesOf(state, fleet),
    maintenance: ({ zone }) => {
      const order = maintenanceOf(orders, zone);
      return order && orderSentence(order);
    },
    isReleased: (where) => releaseOf(orders, where) !== undefined,
    allowance: (recent) => failovers.allowance(recent),
    // Of one that is judged elsewhere, this node hears a part of what it says.
    urgencies: (lost) => urgencies(lost, fleet, (id) => now - (table.lastSeen(id) ?? 0) < timeoutMs),
  };
}

function sizesOf(state: State, fleet: Fleet): ReadonlyMap<Group, number> {
  if (state.sizes.changes === fleet.changes) return state.sizes.of;
  const sizes = new Map<Group, number>();
  for (const [, facts] of fleet) {
    if (!isUp(facts)) continue;
    for (const group of groupsOf(whereaboutsOf(facts))) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  }
  state.sizes = { changes: fleet.changes, of: sizes };
  return sizes;
}

/** When a reason comes or goes, not with every amphora. */
function tellOfHolds(before: ReadonlyMap<AmphoraId, Hold>, now: ReadonlyMap<AmphoraId, Hold>, log: Logger): void {
  if (before.size === 0 && now.size === 0) return;
  const kindsBefore = new Set([...before.values()].map(({ kind }) => kind));
  for (const kind of holdKinds) {
    const holds = [...now.values()].filter((hold) => hold.kind === kind);
    const [first] = holds;
    if (first !== undefined && !kindsBefore.has(kind)) {
      log.warn({ held: holds.length, kind }, `failovers held: ${first.why}`);
    } else if (first === undefined && kindsBefore.has(kind)) log.info({ kind }, 'failovers are not held any more');
  }
}

/** It ought to send heartbeats. */
function isUp({ status }: AmphoraFacts): boolean {
  return status === 'READY' || status === 'ALLOCATED';
}

/** Amphorae that are up ought to be heard; one that just came up, or to this node, has its whole time-out before it. */
function expect(
  watch: WatchdogState,
  id: AmphoraId,
  facts: AmphoraFacts,
  { now, isJudge }: Pick<WatchdogOptions, 'now' | 'isJudge'>,
): void {
  if (isUp(facts) && isJudge(id)) {
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
