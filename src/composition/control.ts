// The part of the composition root that opens a node to programs and operators: channels on the tree and the tables.
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { channelPorts } from '../actors/channels/ports.ts';
import type { ClusterActors } from '../actors/cluster/actors.ts';
import type { Relay } from '../actors/channels/relay.ts';
import type { StatusFeed } from '../actors/channels/status-feed.ts';
import type { Ownership } from '../actors/runtime/ownership.ts';
import type { Registry } from 'prom-client';
import type { StatisticsWriter } from '../actors/statistics/writer.ts';
import type { HeartbeatTable } from '../domain/health/table.ts';
import type { Tree } from '../actors/tree.ts';
import { commandHandlers } from '../channels/command/handlers.ts';
import type { Placement } from '../channels/command/ports.ts';
import type { ServerInfo } from '../channels/command/methods.ts';
import type { TlsPort } from '../channels/command/tls.ts';
import { type ControlServer, type ControlServerOptions, startControlServer } from '../channels/control-server.ts';
import { inspectHandlers, type RestoreView, type SweepView } from '../channels/inspect/methods.ts';
import { metricsOf, type Readings } from '../channels/metrics.ts';
import type { EndpointLimits } from '../channels/rpc/endpoint.ts';
import { readCertificates, readKeyPair, type ServerTls } from '../channels/tls.ts';
import type { Config } from '../config/schema.ts';
import type { Journal } from '../db/journal.ts';
import { databaseTroubles } from '../db/health.ts';
import { catalogueOf } from '../db/repositories/catalogue.ts';
import { endOrder, giveOrder, listOrders } from '../db/repositories/orders.ts';
import { QuotaRepository } from '../db/repositories/quotas.ts';
import { readsOf } from '../db/repositories/reads.ts';
import { isAbout, orderSentence, whereaboutsOf } from '../domain/cluster/orders.ts';
import type { AlertChange } from '../domain/alert-views.ts';
import type { Quotas } from '../domain/quota.ts';
import type { NetworkDriver } from '../drivers/network/driver.ts';

export interface ServeControl {
  readonly host: string;
  readonly port: number;
  /** What clients must show; undefined lets everybody on this machine in. */
  readonly token: string | undefined;
  /** Undefined: in clear text. */
  readonly tls: ServerTls | undefined;
  readonly limits?: Partial<EndpointLimits> | undefined;
  readonly tree: Tree;
  readonly pool: Pool;
  readonly journal: Journal;
  readonly ownership: Ownership;
  /** Of projects that have none of their own. */
  readonly quotas: Quotas;
  readonly network: NetworkDriver;
  readonly placement: Placement;
  readonly tlsPort: TlsPort;
  readonly info: ServerInfo;
  readonly actors: ClusterActors;
  readonly feed: StatusFeed;
  readonly alerts: Relay<AlertChange>;
  readonly peer: ControlServerOptions['peer'];
  readonly heartbeats: () => Pick<
    ReturnType<Readings['heartbeats']>,
    'outcomes' | 'lagMs' | 'bufferBytes' | 'kernelDrops'
  >;
  readonly table: HeartbeatTable;
  readonly statistics: StatisticsWriter;
  /** What was found of amphorae that are looked at. */
  readonly drift: Readonly<Record<'looks' | 'repairs' | 'unreachable', number>>;
  /** When the first certificate of an amphora ends, on the node that keeps house. */
  readonly certificatesEnd: () => number | undefined;
  /** By kind of object, on the node that keeps house. */
  readonly openAlerts: () => Readonly<Record<string, number>>;
  /** What others show at /metrics: the metering driver, the REST API. */
  readonly moreMetrics: readonly Registry[];
  readonly restoreCheck: (accept: boolean) => Promise<RestoreView>;
  readonly log: Logger;
}

/** Of the files that the settings name; undefined when they name none. @throws TlsFileError naming the setting and file */
export function controlTls({ certificate, key, clientCa }: Config['control']['tls']): ServerTls | undefined {
  if (certificate === undefined || key === undefined) return undefined;
  const named = (name: string, path: string) => ({ name: `control.tls.${name}`, path });
  return {
    ...readKeyPair(named('certificate', certificate), named('key', key)),
    clientCa: clientCa === undefined ? undefined : readCertificates(named('clientCa', clientCa)),
  };
}

/** @throws ControlServerError when the address cannot be listened on, or must not without a token */
export function serveControl(options: ServeControl): Promise<ControlServer> {
  const { host, port, token, tls, limits, tree, pool, ownership, network, info, feed, alerts, peer, log } = options;
  const { actors, ...ports } = channelPorts(tree);
  const reads = readsOf(pool);
  const quotas = new QuotaRepository(pool, options.quotas);
  return startControlServer({
    host,
    port,
    token,
    tls,
    limits,
    peer,
    command: commandHandlers({
      ...ports,
      network,
      tls: options.tlsPort,
      reads,
      quotas,
      catalogue: catalogueOf(pool),
      placement: options.placement,
      feed,
      alerts,
      info,
    }),
    inspect: inspectHandlers({
      actors: {
        tree: (node, signal) => options.actors.tree(node, signal),
        all: (signal) => options.actors.all(signal),
        show: (path, node, signal) => options.actors.show(path, node, signal),
        restart: (path, signal) => options.actors.restart(path, signal),
        deadLetters: actors.deadLetters,
      },
      reads,
      sweep: (isDryRun, signal) => sweepView(tree, isDryRun, signal),
      drain: (nodeId, isDraining) => ownership.setDraining(nodeId, isDraining),
      restoreCheck: options.restoreCheck,
      amphoraeIn: (scope, name) => {
        const all = Array.from(tree.fleet, ([, facts]) => whereaboutsOf(facts));
        return all.filter((where) => isAbout({ scope, name }, where)).length;
      },
      budget: () => ({ perMinute: tree.failovers.perMinute, left: tree.failovers.left() }),
      orders: {
        give: (order) => giveOrder(pool, order),
        end: (order) => endOrder(pool, order),
        list: (isHistory) => listOrders(pool, isHistory),
      },
    }),
    metrics: metricsOf({
      journal: () => ({
        ...options.journal.counters,
        backlog: options.journal.backlog,
        oldestWaitMs: options.journal.oldestWaitMs,
      }),
      pool: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
      actors: actors.counts,
      heartbeats: () => {
        const { outcomes, ...rest } = options.heartbeats();
        const { table } = options;
        return {
          ...rest,
          outcomes: { ...outcomes, ...tree.heartbeats.outcomes },
          missed: table.missed,
          heard: table.size,
        };
      },
      failovers: () => {
        const { held, openBreakers, counts, perMinute } = tree.failovers;
        return { held, openBreakers, begun: counts, perMinute, left: tree.failovers.left() };
      },
      maintenance: () => ownership.view.orders.filter(({ kind }) => kind === 'maintenance'),
      statistics: () => ({ written: options.statistics.written, waiting: options.statistics.waiting }),
      openAlerts: options.openAlerts,
      certificatesEnd: options.certificatesEnd,
      drift: () => options.drift,
      more: options.moreMetrics,
    }),
    notices: () =>
      ownership.view.orders.filter(({ kind }) => kind === 'maintenance').map((order) => orderSentence(order)),
    unready: async () => {
      const reasons: string[] = [];
      if (!ownership.isConnected) reasons.push('this node has no session with the database');
      if (ownership.view.observing !== null) reasons.push(`nothing is changed for now: ${ownership.view.observing}`);
      return [...reasons, ...(await databaseTroubles(pool, options.journal))];
    },
    log,
  });
}

async function sweepView({ cluster }: Tree, isDryRun: boolean, signal: AbortSignal): Promise<SweepView> {
  const report = await cluster.singletons.sweep(isDryRun, signal);
  const waiting = report.waiting.map(({ amphoraId, seenAt }) => ({
    amphoraId,
    seenAt: new Date(seenAt).toISOString(),
  }));
  return { ...report, waiting };
}
