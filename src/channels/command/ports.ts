// What the command channel needs of the rest: the actors that decide, the tables that are read, the network that VIPs
// are on. The composition root gives it; nothing here knows who stands behind.
import type { Refusal } from '../../domain/decision.ts';
import type { AmphoraAnswer, AmphoraCommand } from '../../domain/amphora/commands.ts';
import type { Offers } from '../../domain/catalogue.ts';
import type { Topology } from '../../domain/statuses.ts';
import type { CommandAnswer, LoadBalancerCommand } from '../../domain/load-balancer/commands.ts';
import type { ObjectKind } from '../../domain/load-balancer/state.ts';
import type {
  AmphoraStatisticsView,
  AmphoraView,
  LoadBalancerTreeView,
  StatisticsView,
  StatusChange,
  StatusTreeView,
  SubnetView,
  Views,
} from '../../domain/views.ts';
import type { ExplanationView, SparesPoolView } from '../../domain/operator-views.ts';
import type { CommandKey } from '../rpc/method.ts';
import type { Allowances } from './allowances.ts';
import type { AlertPorts } from './alerts.ts';
import type { CataloguePort } from './catalogue-handlers.ts';
import type { ServerInfo } from './methods.ts';
import type { QuotaPort } from './quota.ts';
import type { TlsPort } from './tls.ts';

/** What became of a command. */
export type Replied<Answer> =
  | { readonly type: 'ok'; readonly answer: Answer }
  | { readonly type: 'refused'; readonly refusal: Refusal }
  | { readonly type: 'busy'; readonly retryAfterMs: number }
  | { readonly type: 'faulted'; readonly reason: string }
  /** Nobody takes commands for now. */
  | { readonly type: 'unavailable'; readonly reason: string };

export type Reply = Replied<CommandAnswer>;

export interface VipWish {
  readonly subnetId: string | null;
  readonly networkId: string | null;
  readonly portId: string | null;
  readonly address: string | null;
}

export type VipPlace =
  | { readonly ok: true; readonly subnetId: string; readonly networkId: string; readonly address: string | null }
  | { readonly ok: false; readonly field: string; readonly reason: string };

export interface ListQuery {
  readonly within: {
    readonly column: 'project_id' | 'load_balancer_id' | 'pool_id' | 'listener_id' | 'l7_policy_id';
    readonly value: string;
  } | null;
  readonly limit: number;
  readonly marker: string | null;
}

/** What decides how load balancers are placed, besides flavors and availability zones. */
export interface Placement {
  /** Of load balancers whose flavor does not say. */
  readonly topology: Topology;
  /** Of the compute driver. */
  readonly offers: Offers;
}

type AlertReads = AlertPorts['reads'];

/** Queries on the tables for reading. They show every change that was answered before. */
export interface Reads extends AlertReads {
  findObject<K extends ObjectKind>(kind: K, id: string): Promise<Views[K] | undefined>;
  listObjects<K extends ObjectKind>(kind: K, query: ListQuery): Promise<readonly Views[K][]>;
  loadBalancerOf(
    kind: Exclude<ObjectKind, 'loadBalancer'>,
    id: string,
  ): Promise<{ readonly loadBalancerId: string; readonly poolId: string | null } | undefined>;
  /** That members of the pool are on. */
  memberSubnets(poolId: string): Promise<readonly string[]>;
  loadBalancerTree(id: string): Promise<LoadBalancerTreeView | undefined>;
  statusTree(id: string): Promise<StatusTreeView | undefined>;
  /** Zeros for what has counted nothing yet. */
  statisticsOf(kind: 'loadBalancer' | 'listener', id: string): Promise<StatisticsView>;
  /** An entry for each listener that the amphora has told of. */
  amphoraStatistics(id: string): Promise<readonly AmphoraStatisticsView[]>;
  explainLoadBalancer(id: string): Promise<ExplanationView | undefined>;
  findAmphora(id: string): Promise<AmphoraView | undefined>;
  listAmphorae(query: {
    readonly loadBalancerId: string | null;
    readonly limit: number;
    readonly marker: string | null;
  }): Promise<readonly AmphoraView[]>;
  /** What a command was answered before; undefined when it was not. */
  findAnswer(commandId: string): Promise<{ readonly digest: string; readonly answer: unknown } | undefined>;
}

export interface CommandPorts extends Pick<AlertPorts, 'alerts'> {
  readonly loadBalancers: {
    /** Resolves once the command's effect is durable. @throws when the signal aborts first */
    ask(id: string, command: LoadBalancerCommand, signal: AbortSignal, key: CommandKey): Promise<Reply>;
    /** Resolves once its VIP has its address, or none is to be expected soon. @throws when the signal aborts first */
    whenPlaced(id: string, signal: AbortSignal): Promise<void>;
  };
  readonly amphorae: {
    /** The same. */
    ask(id: string, command: AmphoraCommand, signal: AbortSignal, key: CommandKey): Promise<Replied<AmphoraAnswer>>;
  };
  readonly sparesView: (signal: AbortSignal) => Promise<SparesPoolView>;
  readonly network: {
    readonly name: string;
    readonly offers: { readonly qosPolicies: boolean; readonly securityGroups: boolean };
    subnets(signal: AbortSignal): Promise<readonly SubnetView[]>;
    resolveVip(wish: VipWish, signal: AbortSignal): Promise<VipPlace>;
  };
  readonly tls: TlsPort;
  /** What users may be denied; absent where everything is allowed. */
  readonly allowed?: Allowances;
  readonly reads: Reads;
  readonly catalogue: CataloguePort;
  readonly placement: Placement;
  readonly quotas: QuotaPort;
  readonly feed: {
    subscribe(listener: (change: StatusChange) => void, loadBalancerId?: string): Promise<() => void>;
  };
  readonly info: ServerInfo;
}
