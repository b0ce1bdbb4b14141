// Who may serve a VIP beside whom: nobody beside an amphora that stands alone; of a pair, one for each role, and nobody starts
// whom the other one, which serves, does not speak to: it would take the VIP as well.
import type { Pairing } from '../../src/domain/load-balancer/steps.ts';

export interface Server {
  readonly amphoraId: string;
  /** As it was told last; null for one that stands alone. */
  readonly pairing: Pairing | null;
}

/** What is wrong with the newcomer beside those that serve the same VIP, as a sentence; undefined when nothing is. */
export function wrongBeside(
  others: Iterable<Server>,
  { amphoraId, pairing }: Server,
  isNew: boolean,
): string | undefined {
  for (const other of others) {
    if (other.amphoraId === amphoraId) continue;
    if (pairing === null || other.pairing === null) return 'two amphorae serve the VIP at once';
    if (other.pairing.role === pairing.role) return `two amphorae have the role ${pairing.role} at once`;
    const spokenTo = other.pairing.peer?.address ?? null;
    if (isNew && spokenTo !== null && spokenTo !== pairing.address) return 'one of a pair starts that nobody speaks to';
  }
  return undefined;
}
