// The pool seen once, because many may wait and many may be there: which amphorae are spares, which were suggested, which
// boot, and whose machines matter to whom.
import { type AmphoraKind, kindKey, plainKind } from '../amphora/kind.ts';
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import {
  antiAffinityOf,
  type KnownAmphora,
  type PoolLimits,
  type PoolState,
  type Request,
  suggestionMs,
} from './pool.ts';

type Amphorae = Map<AmphoraId, KnownAmphora>;

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

export function overview(pool: PoolState, limits: Pick<PoolLimits, 'antiAffinity'>, now: number): Overview {
  const isOff = [{}, ...pool.waiting.values()].every((one) => antiAffinityOf(one, limits) === 'off');
  const seen: Overview = {
    spares: new Map(),
    suggested: new Map(),
    booting: new Map(),
    open: new Map(),
    byOwner: new Map(),
  };
  const { spares, suggested, booting, open, byOwner } = seen;
  for (const [id, known] of pool.amphorae) {
    const { status, suggestedAt } = known;
    const isSpare = status === 'READY' && now - suggestedAt >= suggestionMs;
    if (isSpare) spares.set(id, known);
    else if (status === 'READY') suggested.set(id, known);
    else if (status === 'BOOTING') booting.set(id, known);
    else if (status === 'ALLOCATED' && known.sharing !== undefined) open.set(id, known);
    if (isOff || isSpare || !['ALLOCATED', 'READY', 'BOOTING'].includes(status)) continue;
    const owners = status === 'ALLOCATED' || known.meantFor === undefined ? known.loadBalancerIds : [known.meantFor];
    for (const owner of owners) {
      const others = byOwner.get(owner);
      if (others === undefined) byOwner.set(owner, new Map([[id, known]]));
      else others.set(id, known);
    }
  }
  return seen;
}

/**
 * A spare of the kind that nobody else has been pointed to lately, on a machine where the load balancer has none: one where it
 * has, when that need not be. Undefined when there is none.
 */
export function findSpare(
  { spares, byOwner }: Overview,
  request: Request,
  limits: Pick<PoolLimits, 'antiAffinity'>,
): AmphoraId | undefined {
  const antiAffinity = antiAffinityOf(request, limits);
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

export function isOfKind(
  { kind = plainKind }: { readonly kind?: AmphoraKind | undefined },
  { kind: wanted = plainKind }: Pick<Request, 'kind'>,
): boolean {
  return kind === wanted || kindKey(kind) === kindKey(wanted);
}
