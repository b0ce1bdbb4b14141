// Events and snapshots of earlier versions, brought to the version of today when they are read. The journal itself is
// never rewritten.
import type { EntityKind } from './entity.ts';

/** One step from a version to the next. */
export interface Upcaster {
  readonly kind: EntityKind;
  readonly from: number;
  /** Events may become several, or none. */
  readonly events: (event: unknown) => readonly unknown[];
  /** Undefined where a snapshot can't be brought forward: entities that have one can't be recovered by this version. */
  readonly snapshot: ((state: unknown) => unknown) | undefined;
  /** A command that a node of that version sent; absent where commands are the same. */
  readonly command?: (command: unknown) => unknown;
}

/** In order of version. */
export const upcasters: readonly Upcaster[] = [
  {
    // Amphorae know whom they report to.
    kind: 'amphora',
    from: 1,
    events: (event) => {
      const { type } = event as { readonly type: string };
      return [type === 'amphoraBooted' ? { ...(event as object), controllers: [] } : event];
    },
    snapshot: (state) => ({ ...(state as object), controllers: [], wantedControllers: null }),
  },
  {
    // Listeners let everybody in, pools have no session persistence, and there are no L7 policies.
    kind: 'loadBalancer',
    from: 1,
    events: (event) => {
      const { changes } = event as { readonly changes?: readonly ObjectOfVersion1[] };
      if (changes === undefined) return [event];
      const completed = changes.map((change) => ({ ...change, form: completedForm(change.kind, change.form) }));
      return [{ ...(event as object), changes: completed }];
    },
    snapshot: (state) => {
      const { objects } = state as { readonly objects: Readonly<Record<string, TrackedOfVersion1>> };
      const entries = Object.entries(objects).map(([id, object]) => [id, completedObject(object)] as const);
      return { ...(state as object), objects: Object.fromEntries(entries) };
    },
    command: (command) => {
      const { listener, listeners, pool, pools } = command as CommandOfVersion1;
      return {
        ...(command as object),
        ...(listener && { listener: completedNew('listener', listener) }),
        ...(listeners && { listeners: listeners.map((each) => completedNew('listener', each)) }),
        ...(pool && { pool: completedNew('pool', pool) }),
        ...(pools && { pools: pools.map((each) => completedNew('pool', each)) }),
      };
    },
  },
];

type Form = object | null;

interface ObjectOfVersion1 {
  readonly kind: string;
  readonly form: Form;
}

interface TrackedOfVersion1 {
  readonly kind: string;
  readonly desired: Form;
  readonly accepted: Form;
  readonly pushed: { readonly form: Form } | null;
}

interface NewOfVersion1 {
  readonly attributes: object;
}

interface CommandOfVersion1 {
  readonly listener?: NewOfVersion1;
  readonly listeners?: readonly NewOfVersion1[];
  readonly pool?: NewOfVersion1;
  readonly pools?: readonly NewOfVersion1[];
}

function completedForm(kind: string, form: Form): Form {
  if (form === null) return null;
  if (kind === 'listener') return { allowedCidrs: [], ...form };
  return kind === 'pool' ? { sessionPersistence: null, ...form } : form;
}

function completedObject(object: TrackedOfVersion1): object {
  const { kind, desired, accepted, pushed } = object;
  return {
    ...object,
    desired: completedForm(kind, desired),
    accepted: completedForm(kind, accepted),
    pushed: pushed && { form: completedForm(kind, pushed.form) },
  };
}

function completedNew(kind: string, given: NewOfVersion1): object {
  return { ...given, attributes: completedForm(kind, given.attributes) };
}

/** Of all that is kept: rises with every kind's schema version. A node takes no work from one that knows a later one. */
export const dataVersion = 4;

/** This process is older than what it reads. */
export class NewerVersionError extends Error {
  constructor(kind: EntityKind, found: number, known: number) {
    super(`${kind} journal has version ${found}, ${olderProgram} ${known}: run the newer program`);
    this.name = 'NewerVersionError';
  }
}

/** In the message above, and in faults that programs before version 2 recorded for it. Must not change. */
export const olderProgram = 'this program knows up to';

/** Whether a fault says no more than that the program that recorded it was too old. */
export function isOlderProgramsFault(fault: string): boolean {
  return fault.includes(olderProgram);
}

/** @throws NewerVersionError */
export function upcastEvents(
  kind: EntityKind,
  from: number,
  to: number,
  events: readonly unknown[],
  chain: readonly Upcaster[] = upcasters,
): readonly unknown[] {
  return path(kind, from, to, chain).reduce((current, { events: next }) => current.flatMap(next), events);
}

/** Undefined when the snapshot can't be brought forward. @throws NewerVersionError */
export function upcastSnapshot(
  kind: EntityKind,
  from: number,
  to: number,
  state: unknown,
  chain: readonly Upcaster[] = upcasters,
): unknown {
  let current = state;
  for (const { snapshot } of path(kind, from, to, chain)) {
    if (snapshot === undefined) return undefined;
    current = snapshot(current);
  }
  return current;
}

/** A command that came from another node, in the form of today. @throws NewerVersionError */
export function upcastCommand(
  kind: EntityKind,
  from: number,
  to: number,
  command: unknown,
  chain: readonly Upcaster[] = upcasters,
): unknown {
  return path(kind, from, to, chain).reduce((current, { command: next }) => next?.(current) ?? current, command);
}

function path(kind: EntityKind, from: number, to: number, chain: readonly Upcaster[]): readonly Upcaster[] {
  if (from > to) throw new NewerVersionError(kind, from, to);
  return chain.filter((upcaster) => upcaster.kind === kind && upcaster.from >= from && upcaster.from < to);
}
