// The spares pool: keeps booted amphorae at hand, points load balancers to them, and boots for those that wait. Its
// state is what amphorae tell; it is learnt anew from their rows at the start.
import type { Logger } from 'pino';
import type { AmphoraKind, Apart } from '../../domain/amphora/kind.ts';
import type { AmphoraFacts } from '../../domain/amphora/facts.ts';
import type { Elsewhere, SuggestionMessage } from '../../domain/cluster/messages.ts';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import {
  apartFrom,
  bootPauseMs,
  emptyPool,
  findGranted,
  findSpare,
  type KnownAmphora,
  overview,
  type PoolLimits,
  type PoolState,
  planPool,
} from '../../domain/spares/pool.ts';
import type { AmphoraStatus } from '../../domain/statuses.ts';
import { type ActorSurroundings, type LiveActor, type NactRef, neverGivenUp, spawnActor } from '../runtime/actor.ts';
import type { ReplyTo } from '../runtime/reply.ts';

export interface SparesView {
  readonly size: number;
  readonly ready: number;
  readonly booting: number;
  readonly waiting: number;
  readonly failedBoots: number;
  readonly notBefore: number | null;
}

export type SparesPoolMessage =
  | {
      readonly type: 'suggest';
      readonly request: number;
      readonly loadBalancerId: LoadBalancerId;
      readonly kind: AmphoraKind;
      /** Amphorae the load balancer counts as its own already, or that did not grant themselves. */
      readonly excluded: readonly AmphoraId[];
      /** Told `elsewhere` when the pool ends or starts anew: to be asked again. */
      readonly replyTo: ReplyTo<SuggestionMessage | Elsewhere>;
    }
  | { readonly type: 'withdraw'; readonly request: number }
  | { readonly type: 'amphoraChanged'; readonly id: AmphoraId; readonly now: AmphoraFacts }
  | { readonly type: 'plan' }
  | { readonly type: 'view'; readonly replyTo: ReplyTo<SparesView> };

export interface SparesPoolOptions {
  readonly limits: PoolLimits;
  readonly known: () => Iterable<readonly [AmphoraId, AmphoraFacts]>;
  /** Both come back as `amphoraChanged`, also when nothing comes of them. */
  readonly boot: (id: AmphoraId, kind: AmphoraKind, apartFrom: Apart) => void;
  readonly remove: (id: AmphoraId) => void;
  readonly newId: () => AmphoraId;
  readonly now: () => number;
  readonly log: Logger;
}

/** Of an amphora that has not told anything itself. */
const unheard = { loadBalancerId: null, bootFailure: null, controllers: [] } as const;

interface Waiter {
  readonly replyTo: ReplyTo<SuggestionMessage | Elsewhere>;
}

interface State {
  readonly pool: PoolState;
  readonly waiters: Map<number, Waiter>;
  timer: NodeJS.Timeout | undefined;
}

export function spawnSparesPool(
  parent: NactRef,
  surroundings: ActorSurroundings,
  options: SparesPoolOptions,
): LiveActor<SparesPoolMessage> {
  return spawnActor<State, SparesPoolMessage>(parent, surroundings, {
    name: 'spares-pool',
    kind: 'sparesPool',
    start: (self) => {
      const pool = emptyPool();
      for (const [id, facts] of options.known()) learn(pool, id, facts);
      self.tell({ type: 'plan' });
      return { pool, waiters: new Map(), timer: undefined };
    },
    receive: (state, message, self) => {
      receive(state, message, options);
      carryOut(state, options, () => self.tell({ type: 'plan' }));
      return state;
    },
    limits: neverGivenUp,
    describe: (state) => view(state, options.limits),
    release: (state) => {
      clearTimeout(state.timer);
      for (const { replyTo } of state.waiters.values()) replyTo.tell({ type: 'elsewhere' });
    },
  });
}

function receive(state: State, message: SparesPoolMessage, options: SparesPoolOptions): void {
  const { pool, waiters } = state;
  switch (message.type) {
    case 'suggest': {
      const { request, loadBalancerId, kind, excluded, replyTo } = message;
      const granted = findGranted(pool, loadBalancerId, excluded);
      if (granted !== undefined) return replyTo.tell({ type: 'amphora', amphoraId: granted });
      pool.waiting.set(request, { id: request, loadBalancerId, kind });
      waiters.set(request, { replyTo });
      return serveWaiting(state, options);
    }
    case 'withdraw':
      pool.waiting.delete(message.request);
      waiters.delete(message.request);
      return;
    case 'amphoraChanged':
      return onAmphoraChanged(state, message.id, message.now, options);
    case 'plan':
      return serveWaiting(state, options);
    case 'view':
      return message.replyTo.tell(view(state, options.limits));
  }
}

function onAmphoraChanged(state: State, id: AmphoraId, facts: AmphoraFacts, options: SparesPoolOptions): void {
  const { pool } = state;
  const before = pool.amphorae.get(id);
  learn(pool, id, facts);
  if (facts.status === 'READY') {
    pool.failedBoots = 0;
    pool.notBefore = 0;
    serveWaiting(state, options);
  } else if (before?.status === 'BOOTING' && facts.bootFailure !== null) {
    pool.notBefore = options.now() + bootPauseMs(pool.failedBoots);
    pool.failedBoots++;
    refuseWaiting(state, `no spare amphora, and booting one failed: ${facts.bootFailure}`);
  }
}

function learn(pool: PoolState, id: AmphoraId, { status, loadBalancerId, kind, host }: AmphoraFacts): void {
  if (status === 'DELETED') {
    pool.amphorae.delete(id);
    return;
  }
  const known: KnownAmphora | undefined = pool.amphorae.get(id);
  const suggestedAt = known?.status === status ? known.suggestedAt : Number.NEGATIVE_INFINITY;
  const before = known === undefined ? {} : meaningOf(known);
  const facts = { ...(kind !== undefined && { kind }), ...(host !== undefined && { host }) };
  pool.amphorae.set(id, { ...before, ...facts, status, loadBalancerId, suggestedAt });
}

/** What the amphora does not tell. */
function meaningOf({ meantFor, kind, host }: KnownAmphora): Partial<KnownAmphora> {
  return {
    ...(meantFor !== undefined && { meantFor }),
    ...(kind !== undefined && { kind }),
    ...(host !== undefined && { host }),
  };
}

function serveWaiting({ pool, waiters }: State, options: SparesPoolOptions): void {
  if (waiters.size === 0) return;
  const now = options.now();
  let seen = overview(pool, options.limits, now);
  for (const [id, waiter] of waiters) {
    if (seen.spares.size === 0) return;
    const request = pool.waiting.get(id);
    const amphoraId = request && findSpare(seen, request, options.limits);
    if (amphoraId === undefined) continue;
    const known = pool.amphorae.get(amphoraId);
    const meantFor = request?.loadBalancerId;
    if (known !== undefined && meantFor !== undefined)
      pool.amphorae.set(amphoraId, { ...known, meantFor, suggestedAt: now });
    pool.waiting.delete(id);
    waiters.delete(id);
    waiter.replyTo.tell({ type: 'amphora', amphoraId });
    seen = overview(pool, options.limits, now);
  }
}

function refuseWaiting({ pool, waiters }: State, reason: string): void {
  for (const { replyTo } of waiters.values()) replyTo.tell({ type: 'none', reason });
  waiters.clear();
  pool.waiting.clear();
}

function carryOut(state: State, options: SparesPoolOptions, planAgain: () => void): void {
  const now = options.now();
  const plan = planPool(state.pool, options.limits, now);
  for (const boot of plan.boot) {
    const id = options.newId();
    const { kind, meantFor } = boot;
    const apart = apartFrom(state.pool, boot, options.limits, now);
    const known = { status: 'BOOTING', loadBalancerId: null, suggestedAt: Number.NEGATIVE_INFINITY, kind } as const;
    state.pool.amphorae.set(id, meantFor === null ? known : { ...known, meantFor });
    options.boot(id, kind, apart);
  }
  for (const id of plan.remove) {
    learn(state.pool, id, { ...unheard, status: 'PENDING_DELETE' });
    options.remove(id);
  }
  clearTimeout(state.timer);
  if (plan.againAt !== undefined) state.timer = setTimeout(planAgain, plan.againAt - now);
}

function view({ pool }: State, { size }: PoolLimits): SparesView {
  const count = (status: AmphoraStatus) =>
    [...pool.amphorae.values()].filter((known) => known.status === status).length;
  return {
    size,
    ready: count('READY'),
    booting: count('BOOTING'),
    waiting: pool.waiting.size,
    failedBoots: pool.failedBoots,
    notBefore: pool.notBefore === 0 ? null : pool.notBefore,
  };
}
