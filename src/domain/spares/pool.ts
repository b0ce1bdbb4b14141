// What the spares pool knows: amphorae that are there or boot, and who waits for one. The pool only suggests: the amphora's own
// journal grants. Pure.
import type { AmphoraKind, AntiAffinity } from '../amphora/kind.ts';
import type { Sharing } from '../amphora/sharing.ts';
import type { WantedAmphora } from '../amphora/wanted.ts';
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

/** The kind is plain when absent. */
export interface Request extends Partial<WantedAmphora> {
  readonly id: number;
  readonly loadBalancerId: LoadBalancerId;
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

export interface PoolLimits {
  readonly size: number;
  readonly maxBooting: number;
  /** Of spares; plain when absent. */
  readonly kind?: AmphoraKind;
  /** Of those who do not say; `off` when absent. */
  readonly antiAffinity?: AntiAffinity;
}

/** What is asked for in a request, or by a boot for one. */
export function antiAffinityOf(
  { antiAffinity }: { readonly antiAffinity?: AntiAffinity | undefined },
  limits: Pick<PoolLimits, 'antiAffinity'>,
): AntiAffinity {
  return antiAffinity ?? limits.antiAffinity ?? 'off';
}

/** Somebody who waits is told of an amphora. */
export interface Pointing {
  readonly request: Request;
  readonly amphoraId: AmphoraId;
}

/** How long a suggestion is honoured before the amphora is offered to somebody else. */
export const suggestionMs = 10_000;

export function emptyPool(): PoolState {
  return { amphorae: new Map(), waiting: new Map(), failedBoots: 0, notBefore: 0 };
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
