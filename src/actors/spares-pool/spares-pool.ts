// The spares pool: keeps booted amphorae at hand, points load balancers to them, and boots for those that wait. Its
// state is what amphorae tell; it is learnt anew from their rows at the start.
import type { Logger } from 'pino';
import type { AmphoraKind, Apart } from '../../domain/amphora/kind.ts';
import type { WantedAmphora } from '../../domain/amphora/wanted.ts';
import type { AmphoraFacts } from '../../domain/amphora/facts.ts';
import type { Elsewhere, SuggestionMessage } from '../../domain/cluster/messages.ts';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import { apartFrom, bootPauseMs, planPool } from '../../domain/spares/plan.ts';
import {
  emptyPool,
  findGranted,
  type KnownAmphora,
  notePointed,
  type PoolLimits,
  type PoolState,
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
      readonly wanted: WantedAmphora;
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
const unheard = { loadBalancerIds: [], bootFailure: null, controllers: [] } as const;

interface Waiter {
  readonly replyTo: ReplyTo<SuggestionMessage | Elsewhere>;
}

interface State {
  readonly pool: PoolState;
  readonly waiters: Map<number, Waiter>;
  timer: NodeJS.Timeout | undefined;
  /** A `plan` is in the mailbox. */
  isPlanDue: boolean;
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
      return { pool, waiters: new Map(), timer: undefined, isPlanDue: true };
    },
    receive: (state, message, self) => {
      const plan = () => self.tell({ type: 'plan' });
      if (message.type === 'plan') {
        state.isPlanDue = false;
        carryOut(state, options, plan);
        return state;
      }
      receive(state, message, options);
      // Once for all messages that have come meanwhile: to plan is to look at every amphora.
      if (!state.isPlanDue) plan();
      state.isPlanDue = true;
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

function receive(
  state: State,
  message: Exclude<SparesPoolMessage, { type: 'plan' }>,
  options: SparesPoolOptions,
): void {
  const { pool, waiters } = state;
  switch (message.type) {
    case 'suggest': {
      const { request, loadBalancerId, wanted, excluded, replyTo } = message;
      const granted = findGranted(pool, loadBalancerId, excluded);
      if (granted !== undefined) return replyTo.tell({ type: 'amphora', amphoraId: granted });
      pool.waiting.set(request, { id: request, loadBalancerId, ...wanted, excluded });
      waiters.set(request, { replyTo });
      return;
    }
    case 'withdraw':
      pool.waiting.delete(message.request);
      waiters.delete(message.request);
      return;
    case 'amphoraChanged':
      return onAmphoraChanged(state, message.id, message.now, options);
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
  } else if (before?.status === 'BOOTING' && facts.bootFailure !== null) {
    pool.notBefore = options.now() + bootPauseMs(pool.failedBoots);
    pool.failedBoots++;
    refuseWaiting(state, `no spare amphora, and booting one failed: ${facts.bootFailure}`);
  }
}

function learn(pool: PoolState, id: AmphoraId, facts: AmphoraFacts): void {
  const { status, loadBalancerIds, kind, host } = facts;
  if (status === 'DELETED') {
    pool.amphorae.delete(id);
    return;
  }
  const known: KnownAmphora | undefined = pool.amphorae.get(id);
  const suggestedAt = known?.status === status ? known.suggestedAt : Number.NEGATIVE_INFINITY;
  const { sharing: meant, ...before } = known ?? {};
  const sharing = status === 'ALLOCATED' ? facts.sharing : meant;
  const told = {
    ...(kind !== undefined && { kind }),
    ...(host !== undefined && { host }),
    ...(sharing !== undefined && { sharing }),
  };
  pool.amphorae.set(id, { ...before, ...told, status, loadBalancerIds, suggestedAt });
}

function refuseWaiting({ pool, waiters }: State, reason: string): void {
  for (const { replyTo } of waiters.values()) replyTo.tell({ type: 'none', reason });
  waiters.clear();
  pool.waiting.clear();
}

function carryOut(state: State, options: SparesPoolOptions, planAgain: () => void): void {
  const now = options.now();
  const plan = planPool(state.pool, options.limits, now);
  for (const pointing of plan.point) {
    notePointed(state.pool, pointing, now);
    state.waiters.get(pointing.request.id)?.replyTo.tell({ type: 'amphora', amphoraId: pointing.amphoraId });
    state.waiters.delete(pointing.request.id);
  }
  for (const boot of plan.boot) {
    const id = options.newId();
    const { kind, meantFor, sharing } = boot;
    const apart = apartFrom(state.pool, boot, options.limits, now);
    const known: KnownAmphora = { status: 'BOOTING', loadBalancerIds: [], suggestedAt: Number.NEGATIVE_INFINITY, kind };
    const shared = sharing === undefined ? {} : { sharing };
    state.pool.amphorae.set(id, meantFor === null ? known : { ...known, meantFor, ...shared });
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
