// Journal entries of an entity. Pure.
import type { Advance, Entity, EntityDefinition } from '../../domain/entity.ts';
import type { AnsweredCommand, Entry, Fence } from '../../domain/journal.ts';
import type { RowChanges } from '../../domain/projection.ts';

export interface EntryFrame<E extends Entity> {
  readonly id: string;
  readonly definition: EntityDefinition<E>;
  readonly fence: Fence;
  readonly command?: AnsweredCommand | undefined;
  readonly rows: RowChanges;
}

/** Takes no number in the entity's journal: keeps a command's answer, or mends rows. */
export function entryWithoutEvents<E extends Entity>({ id, definition, ...frame }: EntryFrame<E>): Entry {
  const { kind, schemaVersion } = definition;
  return { ...frame, kind, id, schemaVersion, events: [], isOver: false, hasWork: false, work: null };
}

/** What a message has led to: events, work left, and when to wake. */
export function entryOf<E extends Entity>(
  { id, definition, ...frame }: EntryFrame<E>,
  seq: number,
  { state, events, wakeAt }: Advance<E>,
  { claims, addition }: Pick<Entry, 'claims' | 'addition'>,
): Entry {
  const { kind, schemaVersion } = definition;
  const steps = state?.steps;
  const hasWork = Object.keys(steps?.running ?? {}).length > 0;
  const hasFailures = Object.keys(steps?.retries ?? {}).length > 0;
  const isOver = state !== undefined && definition.isOver(state);
  const work = hasWork || hasFailures ? steps : null;
  return { ...frame, kind, id, schemaVersion, seq, events, claims, addition, isOver, hasWork, wakeAt, work };
}
