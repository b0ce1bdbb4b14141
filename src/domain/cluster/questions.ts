// What nodes ask about an entity of another node, and how its state answers. Pure.
import type { AmphoraState } from '../amphora/state.ts';
import type { AmphoraId } from '../ids.ts';
import { claimOf } from '../load-balancer/decide.ts';
import { isPlaced } from '../load-balancer/plan.ts';
import type { LoadBalancerState } from '../load-balancer/state.ts';
import { stepKeys } from '../load-balancer/steps.ts';

export type LoadBalancerQuestion =
  /** Whether it counts an amphora as its own. */
  | { readonly type: 'claimOf'; readonly amphoraId: AmphoraId }
  /** Amphorae that it counts as its own. */
  | { readonly type: 'claimedAmphorae' }
  /** Whether its VIP has its address, or has none to wait for. */
  | { readonly type: 'isPlaced' }
  /** Whether it brings a configuration to its amphorae just now. */
  | { readonly type: 'isPushing' };

/** Whether there is no such amphora, or not any more. */
export interface AmphoraQuestion {
  readonly type: 'isGone';
}

export type Question = LoadBalancerQuestion | AmphoraQuestion;

export interface Answers {
  readonly claimOf: 'claimed' | 'undecided' | 'unclaimed';
  readonly claimedAmphorae: readonly AmphoraId[];
  readonly isPlaced: boolean;
  readonly isPushing: boolean;
  readonly isGone: boolean;
}

export function answerOfLoadBalancer(
  state: LoadBalancerState | undefined,
  question: LoadBalancerQuestion,
): Answers[LoadBalancerQuestion['type']] {
  switch (question.type) {
    case 'claimOf':
      return claimOf(state, question.amphoraId);
    case 'claimedAmphorae':
      return state?.slots.map((slot) => slot.amphoraId) ?? [];
    case 'isPlaced':
      return state === undefined || isPlaced(state);
    case 'isPushing':
      // Not while a push that failed waits for its next try: that may be for as long as what it lacks is missing.
      return Object.keys(state?.steps.running ?? {}).some(stepKeys.isDeploy);
  }
}

export function answerOfAmphora(state: AmphoraState | undefined): Answers['isGone'] {
  return state === undefined || state.deletion?.done === true;
}
