// How many amphorae the spares pool boots or lets go, of which kind, and which one it suggests to whom. The pool only suggests:
// the amphora's own journal grants. It keeps spares of one kind; for others it boots on demand. Pure.
import { type AmphoraKind, kindKey, plainKind } from '../amphora/kind.ts';
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

function isSpare({ status, suggestedAt }: KnownAmphora, now: number): boolean {
  return status === 'READY' && now - suggestedAt >= suggestionMs;
}

function isOfKind({ kind = plainKind }: KnownAmphora, { kind: wanted = plainKind }: Request): boolean {
  return kindKey(kind) === kindKey(wanted);
}

/** Amphorae that the load balancer has, or is about to have. */
function siblings(pool: PoolState, loadBalancerId: LoadBalancerId, now: number): readonly [AmphoraId, KnownAmphora][] {
  return [...pool.amphorae].filter(
    ([, known]) =>
      (known.loadBalancerId === loadBalancerId && known.status === 'ALLOCATED') ||
      (known.meantFor === loadBalancerId && (known.status === 'BOOTING' || !isSpare(known, now))),
  );
}

/**
 * A spare of the kind that nobody else has been pointed to lately, on a machine where the load balancer has none: one where it
 * has, when that need not be. Undefined when there is none.
 */
export function findSpare(
  pool: PoolState,
  request: Request,
  { antiAffinity = 'off' }: Pick<PoolLimits, 'antiAffinity'>,
  now: number,
  except: ReadonlySet<AmphoraId> = new Set(),
): AmphoraId | undefined {
  const fitting = [...pool.amphorae].filter(
    ([id, known]) => !except.has(id) && isSpare(known, now) && isOfKind(known, request),
  );
  if (antiAffinity === 'off') return fitting[0]?.[0];
  const taken = new Set(siblings(pool, request.loadBalancerId, now).flatMap(([, { host }]) => host ?? []));
  const apart = fitting.find(([, { host }]) => host === null || host === undefined || !taken.has(host));
  return (apart ?? (antiAffinity === 'soft' ? fitting[0] : undefined))?.[0];
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
  const all = [...pool.amphorae];
  const spares = all.filter(([, known]) => isSpare(known, now)).map(([id]) => id);
  const isSuggested = all.some(([, known]) => known.status === 'READY' && !isSpare(known, now));
  const { unmet, taken } = matched(pool, limits, now);
  const rest = spares.filter((id) => !taken.has(id));
  const missing = missingSpares(pool, limits, rest, taken);
  const wanted = unmet.map(({ loadBalancerId, kind = plainKind }) => ({ kind, meantFor: loadBalancerId }));
  const boots = [...wanted, ...missing];
  if (boots.length === 0) {
    const isCalm = pool.waiting.size === 0 && !isSuggested;
    return { boot: [], remove: isCalm ? surplus(pool, limits, rest) : [], againAt: undefined };
  }
  if (pool.notBefore > now) return { boot: [], remove: [], againAt: pool.notBefore };
  const booting = all.filter(([, { status }]) => status === 'BOOTING').length;
  return { boot: boots.slice(0, Math.max(0, limits.maxBooting - booting)), remove: [], againAt: undefined };
}

/** Who waits, each with a spare or with an amphora that boots; `unmet` are those for whom there is neither. */
function matched(pool: PoolState, limits: PoolLimits, now: number) {
  const taken = new Set<AmphoraId>();
  const unmet: Request[] = [];
  for (const request of pool.waiting.values()) {
    const id = findSpare(pool, request, limits, now, taken) ?? findBooting(pool, request, limits, taken);
    if (id === undefined) unmet.push(request);
    else taken.add(id);
  }
  return { unmet, taken };
}

/** Where machines matter, one that boots for the load balancer itself: only that is kept apart. */
function findBooting(
  pool: PoolState,
  request: Request,
  { antiAffinity = 'off' }: PoolLimits,
  taken: ReadonlySet<AmphoraId>,
): AmphoraId | undefined {
  return [...pool.amphorae].find(
    ([id, known]) =>
      known.status === 'BOOTING' &&
      !taken.has(id) &&
      isOfKind(known, request) &&
      (antiAffinity === 'off' || known.meantFor === request.loadBalancerId),
  )?.[0];
}

/** Amphorae whose machine one that is about to boot is not to share. */
export function apartFrom(
  pool: PoolState,
  { meantFor }: Boot,
  { antiAffinity = 'off' }: Pick<PoolLimits, 'antiAffinity'>,
  now: number,
): readonly AmphoraId[] {
  if (meantFor === null || antiAffinity === 'off') return [];
  return siblings(pool, meantFor, now).map(([id]) => id);
}

function missingSpares(
  pool: PoolState,
  { size, kind = plainKind }: PoolLimits,
  rest: readonly AmphoraId[],
  taken: ReadonlySet<AmphoraId>,
): readonly Boot[] {
  const isDefault = (known: KnownAmphora | undefined) => kindKey(known?.kind ?? plainKind) === kindKey(kind);
  const ready = rest.filter((id) => isDefault(pool.amphorae.get(id))).length;
  const booting = [...pool.amphorae].filter(
    ([id, known]) => known.status === 'BOOTING' && !taken.has(id) && isDefault(known),
  ).length;
  return Array.from({ length: Math.max(0, size - ready - booting) }, () => ({ kind, meantFor: null }));
}

/** More than the size, and all of kinds that nobody waits for. */
function surplus(
  pool: PoolState,
  { size, kind = plainKind }: PoolLimits,
  rest: readonly AmphoraId[],
): readonly AmphoraId[] {
  const isDefault = (id: AmphoraId) => kindKey(pool.amphorae.get(id)?.kind ?? plainKind) === kindKey(kind);
  const usual = rest.filter(isDefault);
  return [...rest.filter((id) => !isDefault(id)), ...usual.slice(0, Math.max(0, usual.length - size))];
}

/** After a boot that failed: the pause doubles up to a minute. */
export function bootPauseMs(failedBoots: number): number {
  return Math.min(60_000, 500 * 2 ** Math.min(failedBoots, 20));
}
