// What becomes of those who wait for an amphora.
import { type AmphoraKind, type AntiAffinity, plainKind } from '../amphora/kind.ts';
import { mayJoin, type Sharing } from '../amphora/sharing.ts';
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import { findSpare, isOfKind, type Overview } from './overview.ts';
import {
  antiAffinityOf,
  type KnownAmphora,
  type Pointing,
  type PoolLimits,
  type PoolState,
  type Request,
  suggestionMs,
} from './pool.ts';

export interface Boot {
  readonly kind: AmphoraKind;
  /** Who waits for it; null for a spare. */
  readonly meantFor: LoadBalancerId | null;
  /** Who may join that one; nobody when absent. */
  readonly sharing?: Sharing;
  /** As the settings say when absent. */
  readonly antiAffinity?: AntiAffinity;
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
export function assign(
  pool: PoolState,
  seen: Overview,
  limits: PoolLimits,
  now: number,
): { readonly point: readonly Pointing[]; readonly boots: readonly Boot[] } {
  const [point, boots, joinable]: [Pointing[], Boot[], Joinable[]] = [[], [], joinables(seen, now)];
  for (const request of pool.waiting.values()) {
    const { loadBalancerId: meantFor, kind = plainKind, sharing, antiAffinity } = request;
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
    else {
      const more = { ...(sharing !== undefined && { sharing }), ...(antiAffinity !== undefined && { antiAffinity }) };
      boots.push({ kind, meantFor, ...more });
    }
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
function findBooting({ booting }: Overview, request: Request, limits: PoolLimits): AmphoraId | undefined {
  const isOff = antiAffinityOf(request, limits) === 'off';
  for (const [id, known] of booting) {
    if (isOfKind(known, request) && (isOff || known.meantFor === request.loadBalancerId)) return id;
  }
  return undefined;
}

/** Those that have it, and those that were pointed to it lately. */
function countOn({ loadBalancerIds, joining }: KnownAmphora, now: number): number {
  let count = loadBalancerIds.length;
  for (const [id, at] of joining ?? []) if (now - at < suggestionMs && !loadBalancerIds.includes(id)) count++;
  return count;
}
