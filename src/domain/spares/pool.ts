// How many amphorae the spares pool boots or lets go, of which kind, and which one it suggests to whom. The pool only suggests:
// the amphora's own journal grants. It keeps spares of one kind; for others it boots on demand. Load balancers that share fill
// what their project has before they take another one. Pure.
import { type AmphoraKind, type Apart, kindKey, plainKind } from '../amphora/kind.ts';
import { mayJoin, type Sharing } from '../amphora/sharing.ts';
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import type { AmphoraStatus } from '../statuses.ts';

export interface KnownAmphora {
  readonly status: AmphoraStatus;
  readonly loadBalancerIds: readonly LoadBalancerId[];
  /** When it was suggested last; it is not suggested again before somebody could have taken it. */
  readonly suggestedAt: number;
  /** For whom it boots, or to whom it was suggested last; absent for a spare like others. */
  readonly meantFor?: LoadBalancerId;
  /** Who may join those that have it; while nobody has it, what the one it is meant for says. Absent when nobody may. */
  readonly sharing?: Sharing;
  /** Who was pointed to it, to join others → when. */
  readonly joining?: ReadonlyMap<LoadBalancerId, number>;
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
  /** With nobody when absent. */
  readonly sharing?: Sharing;
  /** Not to be joined; none when absent. */
  readonly excluded?: readonly AmphoraId[];
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
  /** Who may join that one; nobody when absent. */
  readonly sharing?: Sharing;
}

/** Somebody who waits is told of an amphora. */
export interface Pointing {
  readonly request: Request;
  readonly amphoraId: AmphoraId;
}

export interface PoolPlan {
  readonly point: readonly Pointing[];
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

function isOfKind(
  { kind = plainKind }: { readonly kind?: AmphoraKind | undefined },
  { kind: wanted = plainKind }: Pick<Request, 'kind'>,
): boolean {
  return kind === wanted || kindKey(kind) === kindKey(wanted);
}

type Amphorae = Map<AmphoraId, KnownAmphora>;

/** The pool seen once, because many may wait and many may be there. */
export interface Overview {
  /** Nobody has been pointed to them lately. */
  readonly spares: Amphorae;
  readonly suggested: Amphorae;
  readonly booting: Amphorae;
  /** Those who have them, and were pointed to them, would have others join them. */
  readonly open: Amphorae;
  /** Amphorae that load balancers have or are about to have, where machines matter. */
  readonly byOwner: Map<LoadBalancerId, Amphorae>;
}

export function overview(
  pool: PoolState,
  { antiAffinity = 'off' }: Pick<PoolLimits, 'antiAffinity'>,
  now: number,
): Overview {
  const [spares, suggested, booting, open] = [new Map(), new Map(), new Map(), new Map()] as [
    Amphorae,
    Amphorae,
    Amphorae,
    Amphorae,
  ];
  const byOwner = new Map<LoadBalancerId, Amphorae>();
  for (const [id, known] of pool.amphorae) {
    const { status, suggestedAt } = known;
    const isSpare = status === 'READY' && now - suggestedAt >= suggestionMs;
    if (isSpare) spares.set(id, known);
    else if (status === 'READY') suggested.set(id, known);
    else if (status === 'BOOTING') booting.set(id, known);
    else if (status === 'ALLOCATED' && known.sharing !== undefined) open.set(id, known);
    if (antiAffinity === 'off' || isSpare || !['ALLOCATED', 'READY', 'BOOTING'].includes(status)) continue;
    const owners = status === 'ALLOCATED' || known.meantFor === undefined ? known.loadBalancerIds : [known.meantFor];
    for (const owner of owners) {
      const others = byOwner.get(owner);
      if (others === undefined) byOwner.set(owner, new Map([[id, known]]));
      else others.set(id, known);
    }
  }
  return { spares, suggested, booting, open, byOwner };
}

/** Those that have it, and those that were pointed to it lately. */
function countOn({ loadBalancerIds, joining }: KnownAmphora, now: number): number {
  let count = loadBalancerIds.length;
  for (const [id, at] of joining ?? []) if (now - at < suggestionMs && !loadBalancerIds.includes(id)) count++;
  return count;
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
    if (known.status === 'ALLOCATED' && known.loadBalancerIds.includes(loadBalancerId) && !claimed.includes(id))
      return id;
  }
  return undefined;
}

export function planPool(pool: PoolState, limits: PoolLimits, now: number): PoolPlan {
  const seen = overview(pool, limits, now);
  const mayBoot = Math.max(0, limits.maxBooting - seen.booting.size);
  const { point, boots: wanted } = assign(pool, seen, limits, now);
  const boots = [...wanted, ...missingSpares(seen, limits)];
  const againAt = pool.waiting.size > point.length ? nextLapse(seen) : undefined;
  if (boots.length === 0) {
    const isCalm = pool.waiting.size === 0 && seen.suggested.size === 0;
    return { point, boot: [], remove: isCalm ? surplus(seen, limits) : [], againAt };
  }
  if (pool.notBefore > now) return { point, boot: [], remove: [], againAt: pool.notBefore };
  return { point, boot: boots.slice(0, mayBoot), remove: [], againAt };
}

/** Notes who was pointed where, so that others are pointed elsewhere. */
export function notePointed({ amphorae, waiting }: PoolState, { request, amphoraId }: Pointing, now: number): void {
  waiting.delete(request.id);
  const known = amphorae.get(amphoraId);
  if (known === undefined) return;
  const { loadBalancerId: meantFor, sharing } = request;
  if (known.status === 'ALLOCATED') {
    const recent = [...(known.joining ?? [])].filter(([, at]) => now - at < suggestionMs);
    amphorae.set(amphoraId, { ...known, joining: new Map([...recent, [meantFor, now]]) });
  } else {
    const { sharing: _, ...rest } = known;
    amphorae.set(amphoraId, { ...rest, ...(sharing !== undefined && { sharing }), meantFor, suggestedAt: now });
  }
}

/** When one that was suggested to somebody whom others would join counts as not taken; undefined without such. */
function nextLapse({ suggested }: Overview): number | undefined {
  let next: number | undefined;
  for (const { sharing, suggestedAt } of suggested.values()) {
    if (sharing !== undefined) next = Math.min(next ?? Number.POSITIVE_INFINITY, suggestedAt + suggestionMs);
  }
  return next;
}

/** An amphora of others that one who waits may join: at once when `isThere`, else when they have it. */
interface Joinable {
  /** Undefined for one that boots, or is to. */
  readonly id: AmphoraId | undefined;
  readonly isThere: boolean;
  readonly kind: AmphoraKind | undefined;
  readonly sharing: Sharing;
  count: number;
}

/**
 * What becomes of those who wait, in their order: whoever shares joins others, of those there are the most of; else there is a
 * spare, or one that boots, or one is to be booted. Takes from what was seen what they get.
 */
function assign(
  pool: PoolState,
  seen: Overview,
  limits: PoolLimits,
  now: number,
): { readonly point: readonly Pointing[]; readonly boots: readonly Boot[] } {
  const [point, boots, joinable]: [Pointing[], Boot[], Joinable[]] = [[], [], joinables(seen, now)];
  for (const request of pool.waiting.values()) {
    const { loadBalancerId: meantFor, kind = plainKind, sharing } = request;
    const joined = sharing === undefined ? undefined : fullest(joinable, request);
    if (joined !== undefined) {
      joined.count++;
      if (joined.isThere && joined.id !== undefined) point.push({ request, amphoraId: joined.id });
      continue;
    }
    if (sharing !== undefined) joinable.push({ id: undefined, isThere: false, kind, sharing, count: 1 });
    const spare = findSpare(seen, request, limits);
    const booting = spare === undefined ? findBooting(seen, request, limits) : undefined;
    if (spare !== undefined) {
      point.push({ request, amphoraId: spare });
      take(seen, spare, meantFor);
    } else if (booting !== undefined) seen.booting.delete(booting);
    else boots.push({ kind, meantFor, ...(sharing !== undefined && { sharing }) });
  }
  return { point, boots };
}

function joinables({ open, suggested }: Overview, now: number): Joinable[] {
  const found: Joinable[] = [];
  for (const [isThere, amphorae] of [[true, open] as const, [false, suggested] as const]) {
    for (const [id, known] of amphorae) {
      const { kind, sharing } = known;
      if (sharing !== undefined) found.push({ id, isThere, kind, sharing, count: isThere ? countOn(known, now) : 1 });
    }
  }
  return found;
}

function fullest(joinable: readonly Joinable[], request: Request): Joinable | undefined {
  let found: Joinable | undefined;
  for (const one of joinable) {
    if (!isOfKind(one, request) || !mayJoin(one.sharing, one.count, request.sharing)) continue;
    if (one.id !== undefined && request.excluded?.includes(one.id) === true) continue;
    if (found === undefined || one.count > found.count) found = one;
  }
  return found;
}

function take({ spares, byOwner }: Overview, id: AmphoraId, owner: LoadBalancerId): void {
  const known = spares.get(id);
  spares.delete(id);
  if (known !== undefined)
    byOwner.set(owner, (byOwner.get(owner) ?? new Map<AmphoraId, KnownAmphora>()).set(id, known));
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
