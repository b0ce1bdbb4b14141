// Amphorae that the journal knows and the world does not: after a reboot of the host, say. Pure.
import type { AmphoraId } from '../ids.ts';
import type { AmphoraStatus } from '../statuses.ts';

export interface Listing {
  /** Amphorae whose status was READY or ALLOCATED before the world was listed. */
  readonly expected: readonly AmphoraId[];
  readonly instances: ReadonlySet<AmphoraId>;
}

/** Amphorae that ought to have an instance. */
export function expectedInstances(
  fleet: Iterable<readonly [AmphoraId, { readonly status: AmphoraStatus }]>,
): readonly AmphoraId[] {
  return [...fleet].filter(([, { status }]) => status === 'READY' || status === 'ALLOCATED').map(([id]) => id);
}

/** Missing in both of two listings: one may have been taken in the moment of a change. */
export function missingTwice(first: Listing, second: Listing): readonly AmphoraId[] {
  const isMissing = ({ expected, instances }: Listing, id: AmphoraId) => expected.includes(id) && !instances.has(id);
  return second.expected.filter((id) => isMissing(first, id) && isMissing(second, id));
}
