// From what is in the journal back to states: as a node that takes over does it, and as rows for reading show them.
import { amphora } from '../../src/domain/amphora/amphora.ts';
import type { AmphoraState } from '../../src/domain/amphora/state.ts';
import type { Entity, EntityDefinition, EntityKind } from '../../src/domain/entity.ts';
import { loadBalancer } from '../../src/domain/load-balancer/load-balancer.ts';
import type { FakeJournal, Stored } from './journal.ts';

/** The two kinds behind one face: messages of a kind only ever reach actors of that kind. */
export const definitions = {
  loadBalancer: loadBalancer as unknown as EntityDefinition<Entity>,
  amphora: amphora as unknown as EntityDefinition<Entity>,
};

/** States are never changed, so what was replayed once serves until something is written. */
const replayed = new WeakMap<Stored, { readonly version: string; readonly state: Entity['state'] | undefined }>();

export function replay(kind: EntityKind, stored: Stored): Entity['state'] | undefined {
  const { snapshot, entries } = stored;
  const version = `${snapshot?.seq}/${entries.length}/${entries.at(-1)?.seq}`;
  const known = replayed.get(stored);
  if (known?.version === version) return known.state;
  let state = snapshot === undefined ? undefined : (JSON.parse(snapshot.state) as Entity['state']);
  for (const entry of entries) {
    for (const event of JSON.parse(entry.events) as readonly Entity['event'][]) {
      state = definitions[kind].evolve(state, event);
    }
  }
  replayed.set(stored, { version, state });
  return state;
}

/** Amphorae as their rows show them. */
export function fleetOf(journal: FakeJournal): readonly AmphoraState[] {
  const states: AmphoraState[] = [];
  for (const [key, stored] of journal.entities) {
    if (key.startsWith('amphora/') && !stored.isOver) states.push(replay('amphora', stored) as AmphoraState);
  }
  return states;
}
