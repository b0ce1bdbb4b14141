// What planted bugs make of the deciding and planning of entities. Those of the runtime and of steps stand where they bite.
import type { AmphoraState } from '../../src/domain/amphora/state.ts';
import type { Entity, EntityDefinition, EntityKind } from '../../src/domain/entity.ts';
import type { LoadBalancerState } from '../../src/domain/load-balancer/state.ts';
import type { Bug } from './bugs.ts';
import { definitions } from './replay.ts';

type State = Entity['state'];

type Definition = EntityDefinition<Entity>;

const bends: Partial<Record<Bug, readonly [EntityKind, (definition: Definition) => Partial<Definition>]>> = {
  forgetsSharers: ['amphora', ({ plan }) => ({ plan: (state, at) => withoutTells(plan(state, at)) })],
  leavesEarly: ['loadBalancer', ({ plan }) => ({ plan: (state, at) => plan(settled(state), at) })],
  greetsLate: ['loadBalancer', ({ plan }) => ({ plan: (state, at) => plan(withoutPeers(state), at) })],
  neverConfirms: ['loadBalancer', ({ follow }) => ({ follow: (state, at) => follow(unconfirmed(state), at) })],
  movesVipEarly: ['loadBalancer', ({ follow }) => ({ follow: (state, at) => follow(withoutLeavers(state), at) })],
};

/** The entity's definition, with what is planted in its planning. */
export function plantedDefinition(kind: EntityKind, planted: ReadonlySet<Bug>): Definition {
  let definition = definitions[kind];
  for (const bug of planted) {
    const [bent, bend] = bends[bug] ?? [];
    if (bent === kind && bend !== undefined) definition = { ...definition, ...bend(definition) };
  }
  return definition;
}

/** What a planted bug makes of an amphora that belongs to somebody already, for whoever asks for it. */
export function plantedState(
  state: State | undefined,
  command: { readonly type: string },
  planted: ReadonlySet<Bug>,
): State | undefined {
  if (command.type !== 'allocateAmphora' || state === undefined) return state;
  if (planted.has('overfills')) return overfull(state as AmphoraState);
  return planted.has('doubleAllocation') ? ({ ...state, allocations: [] } as State) : state;
}

/** As if everybody on it would share it with any number of others. */
export function overfull(state: AmphoraState): AmphoraState {
  const allocations = state.allocations.map((one) =>
    one.sharing === undefined ? one : { ...one, sharing: { ...one.sharing, most: 100 } },
  );
  return { ...state, allocations };
}

function withoutTells(due: ReturnType<Definition['plan']>): typeof due {
  return { ...due, start: due.start.filter(({ type }) => type !== 'tellFarewell') };
}

/** As if no push could come late. */
function settled(state: State): State {
  const { slots } = state as LoadBalancerState;
  return { ...state, slots: slots.map(({ unsettledUntil: _, ...slot }) => slot) } as State;
}

/** As if no amphora had been told of another one. */
function withoutPeers(state: State): State {
  const { slots } = state as LoadBalancerState;
  return { ...state, slots: slots.map(({ knownPeer: _, ...slot }) => slot) } as State;
}

/** As if nothing had to be confirmed. */
function unconfirmed(state: State): State {
  return { ...state, confirmAt: null } as State;
}

/** As if amphorae that are leaving were gone. */
function withoutLeavers(state: State): State {
  const { slots } = state as LoadBalancerState;
  return { ...state, slots: slots.filter((slot) => slot.leaving === null) } as State;
}
