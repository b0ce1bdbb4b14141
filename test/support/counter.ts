// The smallest durable entity there is, and a node that runs it on the real runtime and a real database: a counter with
// one kind of step, which can be told to crash wherever the runtime must cope with that.
import { randomUUID } from 'node:crypto';
import { configurePersistence, spawnStateless, start, stop } from 'nact';
import pg from 'pg';
import { pino } from 'pino';
import type { CommandReply } from '../../src/actors/runtime/entity-messages.ts';
import { EntityManager } from '../../src/actors/runtime/entity-manager.ts';
import type { NactRef } from '../../src/actors/runtime/actor.ts';
import { Ownership } from '../../src/actors/runtime/ownership.ts';
import { JournalPersistenceEngine } from '../../src/actors/runtime/persistence-engine.ts';
import { Registry } from '../../src/actors/runtime/registry.ts';
import { Journal } from '../../src/db/journal.ts';
import { entityShards, openTestSession } from './registration.ts';
import { dueEntities } from '../../src/db/repositories/due.ts';
import { refuse } from '../../src/domain/decision.ts';
import type { Entity, EntityDefinition } from '../../src/domain/entity.ts';
import {
  dueSteps,
  endStep,
  evolveSteps,
  nextRetry,
  noSteps,
  type StepEvent,
  type StepsState,
} from '../../src/domain/step.ts';
import { loadBalancerRow } from './entries.ts';

interface State {
  readonly id: string;
  readonly count: number;
  /** A step `work` is wanted. */
  readonly wanted: boolean;
  readonly done: number;
  readonly isOver: boolean;
  readonly steps: StepsState;
}

type Command =
  | { readonly type: 'create'; readonly id: string }
  | { readonly type: 'add'; readonly amount: number }
  | { readonly type: 'work' }
  | { readonly type: 'delete' }
  | { readonly type: 'crash'; readonly where: 'decide' | 'evolve' };

type Event =
  | { readonly type: 'created'; readonly id: string }
  | { readonly type: 'added'; readonly amount: number }
  | { readonly type: 'wanted' }
  | { readonly type: 'done' }
  | { readonly type: 'poison' }
  | { readonly type: 'deleted' }
  | StepEvent;

export interface CounterEntity extends Entity {
  readonly state: State;
  readonly command: Command;
  readonly answer: number;
  readonly event: Event;
  readonly step: { readonly key: string; readonly type: 'work' };
  readonly result: { readonly type: 'worked' };
}

/** While set, journals with a `poison` event can't be replayed, and none of them can be decided on. */
export const poison = { isDeadly: true };

const counter: EntityDefinition<CounterEntity> = {
  kind: 'loadBalancer',
  schemaVersion: 1,
  decide(state, command) {
    if (command.type === 'create') {
      const created: Event = { type: 'created', id: command.id };
      return { type: 'accept', events: state === undefined ? [created] : [], answer: state?.count ?? 0 };
    }
    if (state === undefined) return refuse('notFound', 'not there');
    switch (command.type) {
      case 'add':
        return {
          type: 'accept',
          events: [{ type: 'added', amount: command.amount }],
          answer: state.count + command.amount,
        };
      case 'work':
        return { type: 'accept', events: [{ type: 'wanted' }], answer: state.count };
      case 'delete':
        return { type: 'accept', events: [{ type: 'deleted' }], answer: state.count };
      case 'crash':
        if (command.where === 'decide') throw new Error('decide was told to crash');
        return { type: 'accept', events: [{ type: 'poison' }], answer: 0 };
    }
  },
  decideStepEnded(state, { key, run, outcome }, at, policy) {
    const becomes = (...events: Event[]) => ({ type: 'accept', events, answer: null }) as const;
    if (state?.steps.running[key]?.run !== run) return becomes();
    if (outcome.ok) return becomes({ type: 'done' });
    if (outcome.isInterrupted === true) return becomes({ type: 'stepsInterrupted', keys: [key], at });
    return becomes({ type: 'stepFailed', key, retry: nextRetry(state.steps, key, outcome.failure, at, policy), at });
  },
  decideResumed(state, at) {
    const keys = Object.keys(state?.steps.running ?? {});
    return keys.length === 0 ? [] : [{ type: 'stepsInterrupted', keys, at }];
  },
  follow: () => undefined,
  evolve(state, event) {
    if (state === undefined) {
      if (event.type !== 'created') return undefined;
      return { id: event.id, count: 0, wanted: false, done: 0, isOver: false, steps: noSteps };
    }
    switch (event.type) {
      case 'created':
        return state;
      case 'added':
        return { ...state, count: state.count + event.amount };
      case 'wanted':
        return { ...state, wanted: true };
      case 'done':
        return { ...state, wanted: false, done: state.done + 1, steps: endStep(state.steps, 'work') };
      case 'deleted':
        return { ...state, isOver: true };
      case 'poison':
        if (poison.isDeadly) throw new Error('evolve was told to crash');
        return state;
      default:
        return { ...state, steps: evolveSteps(state.steps, event) };
    }
  },
  plan: (state, now) =>
    dueSteps(state.steps, state.wanted && !state.isOver ? [{ key: 'work', type: 'work' } as const] : [], now),
  isCreation: (command) => command.type === 'create',
  isGone: (state) => state.isOver,
  isOver: (state) => state.isOver,
  stepTimeoutMs: (_, { callMs }) => callMs,
};

export type Reply = CommandReply<number>;

export interface CounterNode {
  readonly manager: EntityManager<CounterEntity>;
  readonly registry: Registry;
  readonly ownership: Ownership;
  readonly journal: Journal;
  readonly pool: pg.Pool;
  /** Every run of a step, as it begins. */
  readonly runs: { readonly key: string; readonly signal: AbortSignal }[];
  /** Every reply that anybody got, by command id. */
  readonly replies: Map<string, Reply[]>;
  send(id: string, command: Command, commandId?: string): Promise<Reply>;
  /** Sends and does not wait; the reply shows in `replies`. */
  post(id: string, command: Command, commandId: string): void;
  /** Once is enough; again does nothing. */
  close(): Promise<void>;
}

export interface CounterOptions {
  readonly url: string;
  /** What a step does. */
  readonly run?: (signal: AbortSignal, runs: number) => Promise<void>;
  readonly leaseMs?: number;
  readonly stepMs?: number;
  readonly idleMs?: number;
  readonly mailboxLimit?: number;
  readonly retryMs?: number;
}

export async function startCounterNode(options: CounterOptions): Promise<CounterNode> {
  const { url, leaseMs = 10_000, retryMs = 20 } = options;
  const log = pino({ level: process.env['AMPHI_TEST_LOG'] ?? 'silent' });
  const pool = new pg.Pool({ connectionString: url, max: 3 });
  pool.on('error', () => undefined);
  const journal = new Journal(pool);
  const registry = new Registry();
  const nodeId = randomUUID();
  const closing = new AbortController();
  const runs: CounterNode['runs'] = [];
  const replies: CounterNode['replies'] = new Map();
  const ownership: Ownership = new Ownership({
    nodeId,
    leaseMs,
    log,
    openSession: () => openTestSession(url, { id: nodeId, leaseMs }),
    onGained: (shards) => {
      dueEntities(pool, entityShards(shards)).then(
        (all) => {
          for (const { id, hasWork, wakeAt } of all) {
            if (hasWork || wakeAt === undefined) manager.wake(id);
            else manager.wakeAt(id, wakeAt);
          }
        },
        () => undefined,
      );
    },
    onLost: () => manager.dropForeign(),
  });
  const engine = new JournalPersistenceEngine({
    journal,
    schemaVersions: { loadBalancer: 1, amphora: 1 },
    fenceOf: (id) => ownership.fenceOf(id),
    onStale: (fence) => ownership.disown(fence),
    onSnapshotFailed: () => undefined,
    closing: closing.signal,
  });
  const system = start(configurePersistence(engine)) as NactRef;
  const manager: EntityManager<CounterEntity> = new EntityManager<CounterEntity>({
    parent: spawnStateless(system, () => undefined, 'counters') as NactRef,
    prefix: 'counter',
    definition: counter,
    registry,
    log,
    engine,
    mailboxLimit: options.mailboxLimit ?? 100,
    idleMs: options.idleMs ?? 60_000,
    policy: { firstDelayMs: retryMs, longestDelayMs: retryMs, budget: 50, errorDelayMs: 60_000 },
    timeouts: { callMs: options.stepMs ?? 5_000, bootMs: 5_000 },
    snapshotEvery: 10,
    now: Date.now,
    isOwned: (id) => ownership.owns(id),
    accepts: (id) => ownership.accepts(id),
    fenceOf: (id) => ownership.fenceOf(id),
    leaseLost: () => ownership.leaseLost,
    rowsOf: (state) =>
      state === undefined || state.isOver ? {} : { loadBalancers: [loadBalancerRow(state.id, `count ${state.count}`)] },
    notFound: (id) => ({ code: 'notFound', message: `${id} is not there` }),
    recordFault: async (id, fault) => journal.recordFault('loadBalancer', id, fault, ownership.fenceOf(id)),
    runStep: async (step, signal) => {
      runs.push({ key: step.key, signal });
      await options.run?.(signal, runs.length);
      return { type: 'worked' };
    },
  });
  await ownership.start();
  const post: CounterNode['post'] = (id, command, commandId) => {
    const tell = (reply: Reply) => replies.set(commandId, [...(replies.get(commandId) ?? []), reply]);
    manager.command(id, command, { tell }, { id: commandId, digest: JSON.stringify(command) });
  };
  let closed: Promise<void> | undefined;
  const close = async () => {
    closing.abort();
    manager.stop();
    stop(system);
    await ownership.stop();
    await pool.end();
  };
  return {
    manager,
    registry,
    ownership,
    journal,
    pool,
    runs,
    replies,
    post,
    send: (id, command, commandId = randomUUID()) =>
      manager.ask(id, command, AbortSignal.timeout(20_000), { id: commandId, digest: JSON.stringify(command) }),
    close: () => (closed ??= close()),
  };
}
