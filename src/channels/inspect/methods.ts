// The methods of the inspection channel, for operators and their tools.
import {
  type NewOrder,
  type Order,
  type OrderScope,
  orderScopes,
  type PastOrder,
} from '../../domain/cluster/orders.ts';
import { PeerUnreachableError } from '../../domain/cluster/peers.ts';
import type {
  ActorDetails,
  ActorView,
  DeadLetterView,
  HeldFailoverView,
  HistoryEntry,
  NodeView,
} from '../../domain/operator-views.ts';
import type { Difference } from '../../domain/restore/compare.ts';
import { type HandlersOf, reads, result } from '../rpc/method.ts';
import { maybe, needed, withDefault } from '../rpc/parameters.ts';
import { RpcError } from '../rpc/errors.ts';
import { flag, objectId, oneOf, text, wholeNumber } from '../rpc/values.ts';

const zone = maybe(text({ min: 1, max: 255 }), 'The availability zone, as compute calls it; the fleet without it.');
const by = withDefault(text({ min: 1, max: 255 }), 'somebody', 'Who asks, for the record.');

function ordersText(field: string): string {
  return `\`${field}\`: list of \`kind\`, \`scope\` (fleet, zone or host), \`name\`, \`reason\`, \`by\`, \`since\`, \`until\` and \`endedBy\`, newest first.`;
}

const releasedScope = needed(oneOf(orderScopes), 'What is released.');
const releasedName = maybe(text({ min: 1, max: 255 }), 'Name of the zone or machine; not for the fleet.');

const amphoraeText = '`amphorae`: how many there are just now that this is about.';

const path = needed(text({ min: 1, max: 500 }), 'Path of the actor, such as `load-balancers/lb-<id>`.');

export const inspectMethods = {
  'actors.tree': reads({
    summary: 'Every live actor of a node, or of all nodes.',
    params: {
      node: maybe(objectId<string>(), 'The node; the one that is asked without it.'),
      all: withDefault(flag(), false, 'Of every node that can be reached.'),
    },
    result: result<{ readonly actors: readonly ActorView[] }>('`actors`: list of Actor, sorted by node and path.'),
    errors: ['unavailable'],
  }),
  'actors.show': reads({
    summary: 'A live actor with its state, wherever it lives.',
    params: { path, node: maybe(objectId<string>(), 'The node, for actors that every node has.') },
    result: result<ActorDetails>('Actor, and `state` as the actor tells it.'),
    errors: ['notFound', 'unavailable'],
  }),
  'actors.history': reads({
    summary: 'The newest entries of an entity’s journal.',
    params: {
      kind: needed(oneOf(['loadBalancer', 'amphora']), 'What it is.'),
      id: needed(objectId<string>(), 'Its id.'),
      limit: withDefault(wholeNumber({ min: 1, max: 1_000 }), 100, 'Most entries.'),
    },
    result: result<{ readonly entries: readonly HistoryEntry[] }>('`entries`: list of HistoryEntry, newest first.'),
  }),
  'actors.restart': reads({
    summary: 'Stops a durable actor and recovers it from its journal. The way to go on after it was given up.',
    params: { path },
    result: result<{ readonly restarted: string }>('`restarted`: the path.'),
    errors: ['notFound'],
  }),
  'deadLetters.list': reads({
    summary: 'The newest messages that found no actor.',
    params: {},
    result: result<{ readonly deadLetters: readonly DeadLetterView[] }>(
      '`deadLetters`: list of DeadLetter, oldest first.',
    ),
  }),
  'housekeeping.sweep': reads({
    summary: 'Looks for instances that no amphora knows, and removes those that are due.',
    params: { dryRun: withDefault(flag(), false, 'Only look.') },
    result: result<SweepView>(
      '`instances`: how many there are. `removed`, `due`: ids of amphorae. `waiting`: list of `amphoraId` and `seenAt`, seen for the first time not long enough ago. `stopped`: why nothing is removed, or null.',
    ),
    errors: ['unavailable'],
  }),
  'restore.check': reads({
    summary: 'Compares the world with the journal, after a restore from an older backup.',
    params: { accept: withDefault(flag(), false, 'Then let nodes work again.') },
    result: result<RestoreView>(
      '`observing`: why nodes only look, or null. `accepted`: whether they work again now. `instances`, `amphorae`, `loadBalancers`: how many there are. `differences`: list of `kind`, `amphoraId`, `loadBalancerId`, `computeId` and `sentence`.',
    ),
    errors: ['unavailable'],
  }),
  'maintenance.list': reads({
    summary: 'Maintenance that is in force: what the controller does not touch unasked.',
    params: { history: withDefault(flag(), false, 'What was in force before, too.') },
    result: result<{ readonly maintenance: readonly PastOrder[] }>(ordersText('maintenance')),
  }),
  'maintenance.on': reads({
    summary: 'Has the whole cluster leave a zone, or the fleet, alone: no failovers, rotations and sweeps unasked.',
    params: { zone, reason: withDefault(text({ max: 1_000 }), '', 'Why.'), by },
    result: result<{ readonly maintenance: readonly PastOrder[]; readonly amphorae: number }>(
      `${ordersText('maintenance')} ${amphoraeText}`,
    ),
  }),
  'maintenance.off': reads({
    summary: 'Takes maintenance of a zone, or of the fleet, back.',
    params: { zone, by },
    result: result<{ readonly maintenance: readonly PastOrder[] }>(ordersText('maintenance')),
    errors: ['notFound'],
  }),
  'failovers.list': reads({
    summary: 'Failovers that are held, and what the cluster may still begin in this minute.',
    params: { limit: withDefault(wholeNumber({ min: 1, max: 10_000 }), 100, 'Most amphorae that are listed.') },
    result: result<FailoversView>(
      '`perMinute` and `left`: failovers of a minute, and those of them that are left. `counts`: how many are held, by reason. `held`: list of `amphoraId`, `loadBalancerId`, `otherLoadBalancerIds` (they share it), `zone`, `host`, `kind` (maintenance, breaker, loss or pace), `why` and `since`, those held longest first. `releases`: list of releases in force.',
    ),
  }),
  'failovers.release': reads({
    summary:
      'Has failovers of a zone, a machine or the fleet go on for a time, whatever their loss looks like. At the usual pace.',
    params: {
      scope: releasedScope,
      name: releasedName,
      minutes: withDefault(wholeNumber({ min: 1, max: 1_440 }), 30, 'For how long.'),
      reason: withDefault(text({ max: 1_000 }), '', 'Why.'),
      by,
    },
    result: result<{ readonly releases: readonly PastOrder[]; readonly amphorae: number }>(
      `${ordersText('releases')} ${amphoraeText}`,
    ),
  }),
  'failovers.revoke': reads({
    summary: 'Takes a release back: breakers hold failovers there again.',
    params: { scope: releasedScope, name: releasedName, by },
    result: result<{ readonly releases: readonly PastOrder[] }>(ordersText('releases')),
    errors: ['notFound'],
  }),
  'nodes.list': reads({
    summary: 'Nodes that run, and those that stopped within a day.',
    params: {},
    result: result<{ readonly nodes: readonly NodeView[] }>('`nodes`: list of Node.'),
  }),
  'nodes.drain': reads({
    summary: 'Has a node give its shards to the others and take none, or take part again. It takes effect by and by.',
    params: {
      id: needed(objectId<string>(), 'The node.'),
      isDraining: withDefault(flag(), true, 'False: it takes part again.'),
    },
    result: result<{ readonly id: string; readonly isDraining: boolean }>('`id` and `isDraining`.'),
    errors: ['notFound'],
  }),
} as const;

export type InspectMethods = typeof inspectMethods;
export type InspectHandlers = HandlersOf<InspectMethods>;

export interface SweepView {
  readonly instances: number;
  readonly removed: readonly string[];
  /** Would have been removed, were it not for `dryRun`. */
  readonly due: readonly string[];
  readonly waiting: readonly { readonly amphoraId: string; readonly seenAt: string }[];
  readonly stopped: string | null;
}

export interface FailoversView {
  readonly perMinute: number;
  /** Of these, as far as the node asked knows. */
  readonly left: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly held: readonly HeldFailoverView[];
  readonly releases: readonly PastOrder[];
}

export interface RestoreView {
  readonly observing: string | null;
  readonly accepted: boolean;
  readonly instances: number;
  readonly amphorae: number;
  readonly loadBalancers: number;
  readonly differences: readonly Difference[];
}

/** What inspection needs of the rest. */
export interface InspectPorts {
  readonly actors: {
    tree(node: string | null, signal: AbortSignal): Promise<readonly ActorView[]>;
    all(signal: AbortSignal): Promise<readonly ActorView[]>;
    show(path: string, node: string | null, signal: AbortSignal): Promise<ActorDetails | undefined>;
    /** False when there is no durable actor of that path. */
    restart(path: string, signal: AbortSignal): Promise<boolean>;
    deadLetters(): readonly DeadLetterView[];
  };
  readonly sweep: (isDryRun: boolean, signal: AbortSignal) => Promise<SweepView>;
  /** False when there is no such node. */
  readonly drain: (nodeId: string, isDraining: boolean) => Promise<boolean>;
  readonly restoreCheck: (accept: boolean) => Promise<RestoreView>;
  readonly orders: {
    give(order: NewOrder): Promise<void>;
    /** False when there was none. */
    end(order: Pick<Order, 'kind' | 'scope' | 'name' | 'by'>): Promise<boolean>;
    list(isHistory: boolean): Promise<readonly PastOrder[]>;
  };
  /** Amphorae that are there: a wrong name has none. */
  readonly amphoraeIn: (scope: OrderScope, name: string | null) => number;
  readonly budget: () => Pick<FailoversView, 'perMinute' | 'left'>;
  readonly reads: {
    listHeld(limit: number): Promise<Pick<FailoversView, 'counts' | 'held'>>;
    listHistory(kind: 'loadBalancer' | 'amphora', id: string, limit: number): Promise<readonly HistoryEntry[]>;
    listNodes(): Promise<readonly NodeView[]>;
  };
}

export function inspectHandlers(ports: InspectPorts): InspectHandlers {
  const { actors, sweep, drain, restoreCheck, orders, amphoraeIn, budget, reads: tables } = ports;
  const ordersOf = async (wanted: Order['kind'], isHistory = false) =>
    (await orders.list(isHistory)).filter(({ kind }) => kind === wanted);
  const maintenance = async (isHistory = false) => ({ maintenance: await ordersOf('maintenance', isHistory) });
  return {
    'actors.tree': async ({ node, all }, { signal }) => ({
      actors: all ? await actors.all(signal) : await reached(actors.tree(node, signal)),
    }),
    'actors.show': async ({ path: wanted, node }, { signal }) => {
      const actor = await reached(actors.show(wanted, node, signal));
      if (actor === undefined) throw new RpcError('notFound', `There is no live actor ${wanted}`, { field: 'path' });
      return actor;
    },
    'actors.history': async ({ kind, id, limit }) => ({ entries: await tables.listHistory(kind, id, limit) }),
    'actors.restart': async ({ path: wanted }, { signal }) => {
      if (await actors.restart(wanted, signal)) return { restarted: wanted };
      throw new RpcError('notFound', `${wanted} is not the path of a durable actor`, { field: 'path' });
    },
    'deadLetters.list': async () => ({ deadLetters: actors.deadLetters() }),
    'housekeeping.sweep': ({ dryRun }, { signal }) => sweep(dryRun, signal),
    'restore.check': ({ accept }) => restoreCheck(accept),
    'maintenance.list': ({ history }) => maintenance(history),
    'maintenance.on': async ({ zone: name, reason, by: who }) => {
      const where = zoneOrFleet(name);
      await orders.give({ kind: 'maintenance', ...where, reason, by: who, seconds: null });
      return { ...(await maintenance()), amphorae: amphoraeIn(where.scope, name) };
    },
    'maintenance.off': async ({ zone: name, by: who }) => {
      if (await orders.end({ kind: 'maintenance', ...zoneOrFleet(name), by: who })) return maintenance();
      const where = name === null ? 'the fleet' : `zone ${name}`;
      throw new RpcError('notFound', `There is no maintenance of ${where}`, { field: 'zone' });
    },
    'failovers.list': async ({ limit }) => {
      const [held, releases] = await Promise.all([tables.listHeld(limit), ordersOf('release')]);
      return { ...budget(), ...held, releases };
    },
    'failovers.release': async ({ scope, name, minutes, reason, by: who }) => {
      refuseMisnamed(scope, name);
      await orders.give({ kind: 'release', scope, name, reason, by: who, seconds: minutes * 60 });
      return { releases: await ordersOf('release'), amphorae: amphoraeIn(scope, name) };
    },
    'failovers.revoke': async ({ scope, name, by: who }) => {
      refuseMisnamed(scope, name);
      if (await orders.end({ kind: 'release', scope, name, by: who })) return { releases: await ordersOf('release') };
      const where = scope === 'fleet' ? 'the fleet' : `${scope} ${name}`;
      throw new RpcError('notFound', `There is no release of ${where}`, { field: 'name' });
    },
    'nodes.list': async () => ({ nodes: await tables.listNodes() }),
    'nodes.drain': async ({ id, isDraining }) => {
      if (await drain(id, isDraining)) return { id, isDraining };
      throw new RpcError('notFound', `There is no running node ${id}`, { field: 'id' });
    },
  };
}

function zoneOrFleet(zoneName: string | null): Pick<Order, 'scope' | 'name'> {
  return { scope: zoneName === null ? 'fleet' : 'zone', name: zoneName };
}

/** @throws RpcError unless a zone or a machine has a name, and the fleet none */
function refuseMisnamed(scope: OrderScope, name: string | null): void {
  if ((scope === 'fleet') === (name === null)) return;
  const message = scope === 'fleet' ? 'The fleet has no name.' : `Mandatory field missing: which ${scope}?`;
  throw new RpcError('invalid', message, { field: 'name' });
}

/** @throws RpcError for a node that is not there */
function reached<T>(answer: Promise<T>): Promise<T> {
  return answer.catch((error: unknown) => {
    if (error instanceof PeerUnreachableError) throw new RpcError('unavailable', error.message, { field: 'node' });
    throw error;
  });
}
