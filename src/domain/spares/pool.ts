// How many amphorae the spares pool boots or lets go, of which kind, and which one it suggests to whom. The pool only suggests:
// the amphora's own journal grants. It keeps spares of one kind; for others it boots on demand. Pure.
import { type AmphoraKind, type Apart, kindKey, plainKind } from '../amphora/kind.ts';
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import type { AmphoraStatus } from '../statuses.ts';

export interface KnownAmphora {
  readonly status: AmphoraStatus;
  readonly loadBalancerId: LoadBalancerId | null;
  /** When it was suggested last; it is not suggested again before somebody could have taken it. */
  readonly suggestedAt: number;
  /** For whom it boots, or to whom it was suggested last; absent for a spare like others. */
  readonly meantFor?: LoadBalancerId;
  /** Plain when absent. */
  readonly kind?: AmphoraKind;
  /** The machine it runs on; null or absent where compute does not tell. */
  readonly host?: string | null;
}

export interface Request {
  readonly id: number;
  readonly loadBalancerId: LoadBalancerId;
  /** Plain when absent. */
  readonly kind?: AmphoraKind;
}

export interface PoolState {
  readonly amphorae: Map<AmphoraId, KnownAmphora>;
  readonly waiting: Map<number, Request>;
  /** Boots that failed since the last that did not. */
  failedBoots: number;
  notBefore: number;
}

/** Whether the two amphorae of a pair must, or should, be on different machines. */
export type AntiAffinity = 'off' | 'soft' | 'hard';

export interface PoolLimits {
  readonly size: number;
  readonly maxBooting: number;
  /** Of spares; plain when absent. */
  readonly kind?: AmphoraKind;
  /** `off` when absent. */
  readonly antiAffinity?: AntiAffinity;
}

export interface Boot {
  readonly kind: AmphoraKind;
  /** Who waits for it; null for a spare. */
  readonly meantFor: LoadBalancerId | null;
}

export interface PoolPlan {
  readonly boot: readonly Boot[];
  readonly remove: readonly AmphoraId[];
  /** When to plan again though nothing has changed. */
  readonly againAt: number | undefined;
}

/** How long a suggestion is honoured before the amphora is offered to somebody else. */
export const suggestionMs = 10_000;

export function emptyPool(): PoolState {
  return { amphorae: new Map(), waiting: new Map(), failedBoots: 0, notBefore: 0 };
}

function isOfKind({ kind = plainKind }: KnownAmphora, { kind: wanted = plainKind }: Pick<Request, 'kind'>): boolean {
  return kind === wanted || kindKey(kind) === kindKey(wanted);
}

type Amphorae = Map<AmphoraId, KnownAmphora>;

/** The pool seen once, because many may wait and many may be there. */
export interface Overview {
  /** Nobody has been pointed to them lately. */
  readonly spares: Amphorae;
  readonly suggested: Amphorae;
  readonly booting: Amphorae;
  /** Amphorae that load balancers have or are about to have, where machines matter. */
  readonly byOwner: ReadonlyMap<LoadBalancerId, Amphorae>;
}

export function overview(
  pool: PoolState,
  { antiAffinity = 'off' }: Pick<PoolLimits, 'antiAffinity'>,
  now: number,
): Overview {
  const [spares, suggested, booting]: [Amphorae, Amphorae, Amphorae] = [new Map(), new Map(), new Map()];
  const byOwner = new Map<LoadBalancerId, Amphorae>();
  for (const [id, known] of pool.amphorae) {
    const { status, suggestedAt } = known;
    const isSpare = status === 'READY' && now - suggestedAt >= suggestionMs;
    if (isSpare) spares.set(id, known);
    else if (status === 'READY') suggested.set(id, known);
    else if (status === 'BOOTING') booting.set(id, known);
    if (antiAffinity === 'off' || isSpare) continue;
    const owner = status === 'ALLOCATED' ? known.loadBalancerId : (known.meantFor ?? null);
    if (owner === null || !['ALLOCATED', 'READY', 'BOOTING'].includes(status)) continue;
    const others = byOwner.get(owner);
    if (others === undefined) byOwner.set(owner, new Map([[id, known]]));
    else others.set(id, known);
  }
  return { spares, suggested, booting, byOwner };
}

/**
 * A spare of the kind that nobody else has been pointed to lately, on a machine where the load balancer has none: one where it
 * has, when that need not be. Undefined when there is none.
 */
export function findSpare(
  { spares, byOwner }: Overview,
  request: Request,
  { antiAffinity = 'off' }: Pick<PoolLimits, 'antiAffinity'>,
): AmphoraId | undefined {
  const taken = new Set(Array.from(byOwner.get(request.loadBalancerId)?.values() ?? [], ({ host }) => host));
  let shared: AmphoraId | undefined;
  for (const [id, known] of spares) {
    if (!isOfKind(known, request)) continue;
    const { host } = known;
    if (antiAffinity === 'off' || host === null || host === undefined || !taken.has(host)) return id;
    shared ??= id;
  }
  return antiAffinity === 'soft' ? shared : undefined;
}

/** An amphora that was granted to the load balancer before, though the grant never reached its journal. */
export function findGranted(
  pool: PoolState,
  loadBalancerId: LoadBalancerId,
  claimed: readonly AmphoraId[],
): AmphoraId | undefined {
  for (const [id, known] of pool.amphorae) {
    if (known.status === 'ALLOCATED' && known.loadBalancerId === loadBalancerId && !claimed.includes(id)) return id;
  }
  return undefined;
}

export function planPool(pool: PoolState, limits: PoolLimits, now: number): PoolPlan {
  const seen = overview(pool, limits, now);
  const mayBoot = Math.max(0, limits.maxBooting - seen.booting.size);
  const unmet = withoutAmphora(pool, seen, limits);
  const wanted = unmet.map(({ loadBalancerId, kind = plainKind }) => ({ kind, meantFor: loadBalancerId }));
  const boots = [...wanted, ...missingSpares(seen, limits)];
  if (boots.length === 0) {
    const isCalm = pool.waiting.size === 0 && seen.suggested.size === 0;
    return { boot: [], remove: isCalm ? surplus(seen, limits) : [], againAt: undefined };
  }
  if (pool.notBefore > now) return { boot: [], remove: [], againAt: pool.notBefore };
  return { boot: boots.slice(0, mayBoot), remove: [], againAt: undefined };
}

/** Who waits and has neither a spare nor an amphora that boots. Takes from what was seen what the others have. */
function withoutAmphora(pool: PoolState, seen: Overview, limits: PoolLimits): readonly Request[] {
  return [...pool.waiting.values()].filter((request) => {
    const spare = findSpare(seen, request, limits);
    if (spare !== undefined) return !seen.spares.delete(spare);
    const booting = findBooting(seen, request, limits);
    return booting === undefined || !seen.booting.delete(booting);
  });
}

/** Where machines matter, one that boots for the load balancer itself: only that is kept apart. */
function findBooting(
  { booting }: Overview,
  request: Request,
  { antiAffinity = 'off' }: PoolLimits,
): AmphoraId | undefined {
  for (const [id, known] of booting) {
    if (isOfKind(known, request) && (antiAffinity === 'off' || known.meantFor === request.loadBalancerId)) return id;
  }
  return undefined;
}

/** Amphorae whose machine one that is about to boot must not share, or should not. */
export function apartFrom(
  pool: PoolState,
  { meantFor }: Boot,
  limits: Pick<PoolLimits, 'antiAffinity'>,
  now: number,
): Apart {
  const isHard = limits.antiAffinity === 'hard';
  if (meantFor === null || (limits.antiAffinity ?? 'off') === 'off') return { amphorae: [], isHard };
  return { amphorae: [...(overview(pool, limits, now).byOwner.get(meantFor)?.keys() ?? [])], isHard };
}

function missingSpares({ spares, booting }: Overview, { size, kind = plainKind }: PoolLimits): readonly Boot[] {
  const there = [...spares.values(), ...booting.values()].filter((known) => isOfKind(known, { kind })).length;
  return Array.from({ length: Math.max(0, size - there) }, () => ({ kind, meantFor: null }));
}

/** More than the size, and all of kinds that nobody waits for. */
function surplus({ spares }: Overview, { size, kind = plainKind }: PoolLimits): readonly AmphoraId[] {
  const usual = [...spares].filter(([, known]) => isOfKind(known, { kind }));
  const others = [...spares].filter(([, known]) => !isOfKind(known, { kind }));
  return [...others, ...usual.slice(0, Math.max(0, usual.length - size))].map(([id]) => id);
}

/** After a boot that failed: the pause doubles up to a minute. */
export function bootPauseMs(failedBoots: number): number {
  return Math.min(60_000, 500 * 2 ** Math.min(failedBoots, 20));
}
