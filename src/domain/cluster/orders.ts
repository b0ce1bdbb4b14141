// What operators have told the whole cluster: to leave things alone (maintenance), or to go on where the watchdog hesitates
// (release). Kept in the database with who, when and why; every node sees what is in force with its view of the cluster. Pure.
import type { AmphoraFacts } from '../amphora/facts.ts';

export const orderScopes = ['fleet', 'zone', 'host'] as const;
export type OrderScope = (typeof orderScopes)[number];

export interface Order {
  /**
   * `maintenance`: nothing is failed over, rotated or swept there unless somebody asks for it by name. `release`: failovers there
   * do not wait for a breaker.
   */
  readonly kind: 'maintenance' | 'release';
  readonly scope: OrderScope;
  /** Of the zone or host; null for the fleet. */
  readonly name: string | null;
  /** Empty when none was given. */
  readonly reason: string;
  /** Who gave it, as they say. */
  readonly by: string;
  /** Times in ISO 8601. */
  readonly since: string;
  /** Null: until it is taken back. */
  readonly until: string | null;
}

export type NewOrder = Omit<Order, 'since' | 'until'> & {
  /** For how long; null until it is taken back. */
  readonly seconds: number | null;
};

/** An order, and who took it back; null when nobody did. */
export interface PastOrder extends Order {
  readonly endedBy: string | null;
}

/** Where something is; null where that is not known. */
export interface Whereabouts {
  readonly zone: string | null;
  readonly host: string | null;
}

export function whereaboutsOf({ zone, host }: Pick<AmphoraFacts, 'zone' | 'host'>): Whereabouts {
  return { zone: zone ?? null, host: host ?? null };
}

/**
 * The maintenance that something in this zone is under; undefined when it may be worked on. Whatever the controller does to
 * amphorae unasked asks here first. Null: something of no zone, which only maintenance of the fleet holds.
 */
export function maintenanceOf(orders: readonly Order[], zone: string | null): Order | undefined {
  return orders.find((order) => order.kind === 'maintenance' && isAbout(order, { zone, host: null }));
}

/** Any maintenance at all: for work that cannot tell the zones of what it touches. */
export function anyMaintenance(orders: readonly Order[]): Order | undefined {
  return orders.find(({ kind }) => kind === 'maintenance');
}

/** The order by which an amphora there is failed over, breakers or not. */
export function releaseOf(orders: readonly Order[], where: Whereabouts): Order | undefined {
  return orders.find((order) => order.kind === 'release' && isAbout(order, where));
}

/** Whether what is ordered for that scope is about something there. */
export function isAbout({ scope, name }: Pick<Order, 'scope' | 'name'>, { zone, host }: Whereabouts): boolean {
  if (scope === 'fleet') return true;
  return name !== null && name === (scope === 'zone' ? zone : host);
}

/** As in `maintenance of zone az1 since 2026-01-02T03:04:05.000Z by ops@jump1: switch replaced`. */
export function orderSentence({ kind, scope, name, reason, by, since }: Order): string {
  const where = scope === 'fleet' ? 'the fleet' : `${scope} ${name ?? ''}`;
  return `${kind} of ${where} since ${since} by ${by}${reason === '' ? '' : `: ${reason}`}`;
}
