// Load balancers of an amphora that is lost, or to be replaced, are told to go on without it.
import type { AmphoraState } from './state.ts';
import { type AmphoraStep, stepKeys } from './steps.ts';

type FarewellStep = Extract<AmphoraStep, { type: 'tellFarewell' }>;

/** Those that have it and do not know yet that they have to go on without it. Whoever has it deleted knows. */
export function farewells({ id: amphoraId, allocations, deletion, vacating }: AmphoraState): readonly FarewellStep[] {
  const why = deletion === null ? 'replaced' : 'lost';
  const reason = deletion?.reason ?? vacating?.reason;
  if (reason === undefined) return [];
  return allocations
    .filter(({ loadBalancerId, told }) => told !== why && loadBalancerId !== deletion?.onBehalfOf)
    .map(({ loadBalancerId, confirmed }) => {
      const key = stepKeys.tell(loadBalancerId);
      return { type: 'tellFarewell', key, amphoraId, loadBalancerId, why, reason, isUnconfirmed: !confirmed };
    });
}
