// What the REST API needs of the rest: the command channel's methods to change things, the tables to read them, the
// network driver for the networking calls. The composition root gives it; nothing here knows who stands behind.
import type { CommandMethods } from '../channels/command/methods.ts';
import type { ResultOf } from '../channels/rpc/method.ts';
import type { Catalogue, CatalogueKind, Offers } from '../domain/catalogue.ts';
import type { ObjectKind } from '../domain/load-balancer/state.ts';
import type { Listed, ListedKind, ObjectQuery } from '../domain/object-query.ts';
import type {
  AmphoraStatisticsView,
  LoadBalancerTreeView,
  StatisticsView,
  StatusTreeView,
  SubnetView,
} from '../domain/views.ts';

export interface ObjectPlace {
  readonly loadBalancerId: string;
  readonly projectId: string;
  /** Of its load balancer. */
  readonly provisioningStatus: string;
}

export interface ApiReads {
  queryObjects<K extends ListedKind>(kind: K, query: ObjectQuery): Promise<readonly Listed<K>[]>;
  /** Columns (snake case) that a query may filter and sort by. */
  queryableColumns(kind: ListedKind): readonly string[];
  /** Undefined when the object is not there. */
  placeOf(kind: ObjectKind, id: string): Promise<ObjectPlace | undefined>;
  loadBalancerTree(id: string): Promise<LoadBalancerTreeView | undefined>;
  statusTree(id: string): Promise<StatusTreeView | undefined>;
  statisticsOf(kind: 'loadBalancer' | 'listener', id: string): Promise<StatisticsView>;
  amphoraStatistics(id: string): Promise<readonly AmphoraStatisticsView[]>;
  /** By id, or by name for availability zones. Undefined when it is not there. */
  findOffer<K extends CatalogueKind>(kind: K, key: string): Promise<Catalogue[K] | undefined>;
  /** Oldest first. */
  listOffers<K extends CatalogueKind>(kind: K): Promise<readonly Catalogue[K][]>;
}

/** Methods of the command channel that change something. */
export type ChangingMethod = {
  [M in keyof CommandMethods]: CommandMethods[M]['changes'] extends true ? M : never;
}[keyof CommandMethods];

/** Methods that the API calls: quotas may be set again and again, so their methods take no command id. */
export type CalledMethod = ChangingMethod | Extract<keyof CommandMethods, `quota.${string}`>;

export interface CallOptions {
  /** The same id again means the same command: it happens once, and is answered alike. */
  readonly commandId: string;
  /** Of Keystone, of whoever asks; undefined for those that are asked nothing. */
  readonly userToken: string | undefined;
  readonly signal: AbortSignal;
}

export interface ApiPorts {
  /**
   * A method of the command channel, with the channel's own checks of its parameters.
   *
   * @throws RpcError when it is refused, or has no answer by the time the signal aborts (`unavailable`)
   */
  call<M extends CalledMethod>(
    method: M,
    params: Readonly<Record<string, unknown>>,
    options: CallOptions,
  ): Promise<ResultOf<CommandMethods[M]>>;
  readonly reads: ApiReads;
  /** Of the compute driver. */
  readonly offers: Offers;
  readonly network: { subnets(signal: AbortSignal): Promise<readonly SubnetView[]> };
}
