// Events and snapshots of earlier versions, brought to the version of today when they are read. The journal itself is
// never rewritten.
import type { EntityKind } from './entity.ts';
import { noListenerTls, noPoolTls } from './load-balancer/tls.ts';

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
    // Amphorae get other certificates.
    kind: 'amphora',
    from: 2,
    events: (event) => [event],
    snapshot: (state) => state,
  },
  {
    // Load balancers share amphorae.
    kind: 'amphora',
    from: 3,
    events: (event) => [event],
    snapshot: (state) => {
      const { allocation, ...rest } = state as { readonly allocation: object | null };
      return { ...rest, allocations: allocation === null ? [] : [allocation] };
    },
  },
  // Listeners let everybody in, pools have no session persistence, and there are no L7 policies.
  completion(1, { listener: { allowedCidrs: [] }, pool: { sessionPersistence: null } }),
  // Nothing speaks TLS.
  completion(3, { listener: noListenerTls, pool: noPoolTls }),
  {
    // Load balancers share amphorae.
    kind: 'loadBalancer',
    from: 4,
    events: (event) => [event],
    snapshot: (state) => state,
  },
];

type Form = object | null;

interface EarlierObject {
  readonly kind: string;
  readonly form: Form;
}

interface EarlierTracked {
  readonly kind: string;
  readonly desired: Form;
  readonly accepted: Form;
  readonly pushed: { readonly form: Form } | null;
}

interface EarlierNew {
  readonly attributes: object;
}

interface EarlierCommand {
  readonly listener?: EarlierNew;
  readonly listeners?: readonly EarlierNew[];
  readonly pool?: EarlierNew;
  readonly pools?: readonly EarlierNew[];
}

/** A load balancer's version that lacks attributes of some kinds of object: `added` are the values they have meant since. */
function completion(from: number, added: Readonly<Record<string, object>>): Upcaster {
  const completed = (kind: string, form: Form): Form => form && { ...added[kind], ...form };
  const completedNew = (kind: string, given: EarlierNew) => ({
    ...given,
    attributes: completed(kind, given.attributes),
  });
  const completedObject = (object: EarlierTracked) => ({
    ...object,
    desired: completed(object.kind, object.desired),
    accepted: completed(object.kind, object.accepted),
    pushed: object.pushed && { form: completed(object.kind, object.pushed.form) },
  });
  return {
    kind: 'loadBalancer',
    from,
    events: (event) => {
      const { changes } = event as { readonly changes?: readonly EarlierObject[] };
      if (changes === undefined) return [event];
      const complete = changes.map((change) => ({ ...change, form: completed(change.kind, change.form) }));
      return [{ ...(event as object), changes: complete }];
    },
    snapshot: (state) => {
      const { objects } = state as { readonly objects: Readonly<Record<string, EarlierTracked>> };
      const entries = Object.entries(objects).map(([id, object]) => [id, completedObject(object)] as const);
      return { ...(state as object), objects: Object.fromEntries(entries) };
    },
    command: (command) => {
      const { listener, listeners, pool, pools } = command as EarlierCommand;
      return {
        ...(command as object),
        ...(listener && { listener: completedNew('listener', listener) }),
        ...(listeners && { listeners: listeners.map((each) => completedNew('listener', each)) }),
        ...(pool && { pool: completedNew('pool', pool) }),
        ...(pools && { pools: pools.map((each) => completedNew('pool', each)) }),
      };
    },
  };
}

/** Of all that is kept: rises with every kind's schema version. A node takes no work from one that knows a later one. */
export const dataVersion = 8;

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
