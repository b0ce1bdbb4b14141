// The supervisor tree on one page.
//
//   system
//   ├── load-balancers     lb-<id> → step-<n>         of the shards that this node owns
//   ├── amphorae           amphora-<id> → step-<n>
//   ├── spares-pool        on one node of the cluster
//   ├── health-watchdog    judges the amphorae of this node's shards of health
//   └── housekeeping       on one node of the cluster
//
// What each needs of the outside comes in as ports; who tells whom what is wired here and nowhere else.
import type { StatisticsWriter } from './statistics/writer.ts';
import { configurePersistence, spawnStateless, start, stop } from 'nact';
import type { Logger } from 'pino';
import { amphora, type AmphoraEntity } from '../domain/amphora/amphora.ts';
import { type AmphoraFacts, amphoraFacts, toldFacts } from '../domain/amphora/facts.ts';
import { isPlain } from '../domain/amphora/kind.ts';
import { amphoraRows } from '../domain/amphora/rows.ts';
import type { AmphoraAnswer } from '../domain/amphora/commands.ts';
import { maintenanceOf } from '../domain/cluster/orders.ts';
import type { SweepReport } from '../domain/cluster/messages.ts';
import {
  type AmphoraQuestion,
  answerOfAmphora,
  answerOfLoadBalancer,
  type LoadBalancerQuestion,
} from '../domain/cluster/questions.ts';
import type { EntityKind, StepTimeouts } from '../domain/entity.ts';
import type { HeartbeatTable } from '../domain/health/table.ts';
import type { Listening } from '../domain/health/reporting.ts';
import type { WatchdogLimits } from '../domain/health/watchdog.ts';
import { type AmphoraId, shardOf } from '../domain/ids.ts';
import type { Fence, JournalPort } from '../domain/journal.ts';
import { loadBalancer, type LoadBalancerEntity } from '../domain/load-balancer/load-balancer.ts';
import { loadBalancerRows } from '../domain/load-balancer/rows.ts';
import type { ClusterView, OwnedShard } from '../domain/ownership.ts';
import type { PoolLimits } from '../domain/spares/pool.ts';
import type { RetryPolicy } from '../domain/step.ts';
import { type AmphoraPorts, runAmphoraStep } from './amphorae/run-step.ts';
import { ClusterEntities } from './cluster/entities.ts';
import { Fleet } from './cluster/fleet.ts';
import type { Peers } from '../domain/cluster/peers.ts';
import { Singletons } from './cluster/singletons.ts';
import { spawnHealthWatchdog, type WatchdogMessage } from './health-watchdog/health-watchdog.ts';
import { type FailoverCause, Failovers } from './health-watchdog/failovers.ts';
import { HeldFailovers, type HeldFailoversOptions } from './health-watchdog/held-failovers.ts';
import { Heartbeats } from './health-watchdog/heartbeats.ts';
import { type HeardAmphora, type OperatingChange, OperatingStatuses } from './health-watchdog/operating-statuses.ts';
import { type Chore, type HousekeepingMessage, spawnHousekeeping } from './housekeeping/housekeeping.ts';
import { missingInstancesChore } from './housekeeping/missing-instances.ts';
import { type LoadBalancerPorts, runLoadBalancerStep } from './load-balancers/run-step.ts';
import type { LiveActor, NactRef } from './runtime/actor.ts';
import { EntityManager } from './runtime/entity-manager.ts';
import type { CommandReply } from './runtime/entity-messages.ts';
import type { Ownership } from './runtime/ownership.ts';
import { JournalPersistenceEngine } from './runtime/persistence-engine.ts';
import { Registry } from './runtime/registry.ts';
import { spawnSparesPool, type SparesPoolMessage } from './spares-pool/spares-pool.ts';

export type LoadBalancers = EntityManager<LoadBalancerEntity>;
export type Amphorae = EntityManager<AmphoraEntity>;

/** Entities of the whole cluster, wherever their owners are. */
export interface Cluster {
  readonly loadBalancers: ClusterEntities<LoadBalancerEntity, LoadBalancerQuestion>;
  readonly amphorae: ClusterEntities<AmphoraEntity, AmphoraQuestion>;
  readonly singletons: Singletons;
}

/** An entity that has work left or a time to be woken at. */
export interface DueEntity {
  readonly kind: EntityKind;
  readonly id: string;
  readonly hasWork: boolean;
  readonly wakeAt: number | undefined;
}

export interface TreeOptions {
  readonly log: Logger;
  readonly journal: JournalPort & {
    recordFault(kind: EntityKind, id: string, fault: string | null, fence: Fence): Promise<void>;
  };
  readonly ownership: Ownership;
  readonly peers: Peers;
  readonly policy: RetryPolicy;
  readonly timeouts: StepTimeouts;
  readonly snapshotEvery: number;
  readonly mailboxLimit: number;
  readonly idleMs: number;
  readonly drivers: Pick<AmphoraPorts, 'deploymentId' | 'compute' | 'certificate' | 'heartbeats'> & LoadBalancerDrivers;
  readonly health: {
    readonly limits: WatchdogLimits;
    readonly table: HeartbeatTable;
    /** host:port of every node that amphorae shall report to. */
    readonly controllers: () => readonly string[];
    /** Of these and others, those that listen just now. */
    readonly listening: () => Listening;
    readonly writeStatuses: (changes: readonly OperatingChange[], heard: readonly HeardAmphora[]) => Promise<void>;
    readonly held: Pick<HeldFailoversOptions, 'read' | 'write'>;
    readonly heardBefore: (ids: readonly AmphoraId[]) => Promise<ReadonlyMap<string, string>>;
    readonly statistics: Pick<StatisticsWriter, 'count' | 'forget'>;
    /** Milliseconds between the arrival of a heartbeat and its reading, as measured last. */
    readonly lagMs: () => number;
  };
  readonly spares: {
    readonly limits: PoolLimits;
    readonly newId: () => AmphoraId;
  };
  readonly housekeeping: {
    readonly chores: readonly Chore[];
    readonly sweep: (isDryRun: boolean) => Promise<SweepReport>;
  };
}

/** Of the time a step may take, how long a hand-over waits for those under way. */
const handOverMs = 3_000;

export class Tree {
  readonly registry = new Registry();
  /** Those of this node. */
  readonly loadBalancers: LoadBalancers;
  readonly amphorae: Amphorae;
  readonly cluster: Cluster;
  readonly operating: OperatingStatuses;
  readonly heartbeats: Heartbeats;
  readonly failovers: Failovers;
  readonly #system: NactRef;
  readonly fleet = new Fleet();
  readonly #closing = new AbortController();
  readonly #options: TreeOptions;
  #spares: LiveActor<SparesPoolMessage> | undefined;
  #watchdog: LiveActor<WatchdogMessage> | undefined;
  #housekeeping: LiveActor<HousekeepingMessage> | undefined;

  constructor(options: TreeOptions) {
    this.#options = options;
    const { journal, ownership, log } = options;
    const engine = new JournalPersistenceEngine({
      journal,
      schemaVersions: { loadBalancer: loadBalancer.schemaVersion, amphora: amphora.schemaVersion },
      fenceOf: (id) => ownership.fenceOf(id),
      onStale: (fence) => ownership.disown(fence),
      onSnapshotFailed: (key, error) => log.warn({ err: error, key }, 'snapshot was not written'),
      closing: this.#closing.signal,
    });
    this.#system = start(configurePersistence(engine)) as NactRef;
    const { drivers } = options;
    const shared = {
      registry: this.registry,
      log,
      engine,
      mailboxLimit: options.mailboxLimit,
      idleMs: options.idleMs,
      policy: options.policy,
      timeouts: options.timeouts,
      snapshotEvery: options.snapshotEvery,
      now: Date.now,
      isOwned: (id: string) => ownership.owns(id),
      accepts: (id: string) => ownership.accepts(id),
      fenceOf: (id: string) => ownership.fenceOf(id),
      leaseLost: () => ownership.leaseLost,
    };
    this.loadBalancers = new EntityManager<LoadBalancerEntity>({
      ...shared,
      parent: this.supervisor('load-balancers'),
      prefix: 'lb',
      definition: loadBalancer,
      rowsOf: loadBalancerRows,
      notFound: (id) => ({ code: 'notFound', message: `Load Balancer ${id} not found.` }),
      recordFault: async (id, fault) => journal.recordFault('loadBalancer', id, fault, ownership.fenceOf(id)),
      runStep: (step, signal) => runLoadBalancerStep(step, ports, signal),
    });
    this.amphorae = new EntityManager<AmphoraEntity>({
      ...shared,
      parent: this.supervisor('amphorae'),
      prefix: 'amphora',
      definition: amphora,
      rowsOf: amphoraRows,
      notFound: (id) => ({ code: 'notFound', message: `Amphora ${id} not found.` }),
      recordFault: async (id, fault) => journal.recordFault('amphora', id, fault, ownership.fenceOf(id)),
      runStep: (step, signal) => runAmphoraStep(step, amphoraPorts, signal),
    });
    const { peers } = options;
    this.cluster = {
      loadBalancers: new ClusterEntities<LoadBalancerEntity, LoadBalancerQuestion>({
        ...loadBalancer,
        local: this.loadBalancers,
        answer: answerOfLoadBalancer,
        ownership,
        peers,
      }),
      amphorae: new ClusterEntities<AmphoraEntity, AmphoraQuestion>({
        ...amphora,
        local: this.amphorae,
        answer: answerOfAmphora,
        ownership,
        peers,
      }),
      singletons: new Singletons({
        ownership,
        peers,
        sparesPool: () => this.#spares,
        sweep: options.housekeeping.sweep,
      }),
    };
    const { singletons, ...entities } = this.cluster;
    const ports: LoadBalancerPorts = { ...entities, ...pick(drivers), spares: singletons };
    const amphoraPorts: AmphoraPorts = { ...drivers, loadBalancers: entities.loadBalancers };
    const { table, writeStatuses, heardBefore, statistics } = options.health;
    this.operating = new OperatingStatuses({
      observation: (id) => table.observation(id),
      want: (id) => this.heartbeats.want(id),
      write: writeStatuses,
      log,
    });
    this.heartbeats = new Heartbeats({
      table,
      fleet: this.fleet,
      operating: this.operating,
      ownership,
      peers,
      loadBalancers: this.loadBalancers,
      heardBefore,
      now: () => performance.now(),
      count: (message) => statistics.count(message),
      log,
    });
    const { limits } = options.health;
    this.failovers = new Failovers({
      ownership,
      peers,
      perMinute: limits.failoversPerMinute,
      tickMs: limits.tickMs,
      now: () => performance.now(),
    });
    this.loadBalancers.onChange((_id, _before, after) => this.operating.update(after));
    this.amphorae.onChange((id, before, after) => this.#onAmphoraChange(id as AmphoraId, before, after));
    this.fleet.onChange((id, now) => {
      if (now.status === 'DELETED') {
        table.forget(id);
        statistics.forget(id);
      }
      this.#spares?.tell({ type: 'amphoraChanged', id, now });
      this.#watchdog?.tell({ type: 'amphoraChanged', id, now });
    });
  }

  /** An amphora of this node: the others hear of what concerns them. */
  #onAmphoraChange(id: AmphoraId, before: AmphoraEntity['state'] | undefined, after: AmphoraEntity['state']): void {
    const facts = amphoraFacts(after);
    this.fleet.learn(id, facts);
    if (before === undefined || JSON.stringify(amphoraFacts(before)) !== JSON.stringify(facts)) {
      this.#options.peers.tellAll('fleet.changed', { amphorae: [{ id, facts: toldFacts(facts) }] });
    }
  }

  /** The cluster was looked at. */
  onView(view: ClusterView): void {
    this.heartbeats.onView(view);
  }

  /**
   * Begins what this node owns and has not begun, and ends what it does not own any more. The fleet must be known by now.
   */
  settleOwned(): void {
    const { ownership } = this.#options;
    this.dropForeign();
    const keep = <A extends { stop(): void }>(
      isOwned: boolean,
      actor: A | undefined,
      spawn: () => A,
    ): A | undefined => {
      if (isOwned) return actor ?? spawn();
      actor?.stop();
      return undefined;
    };
    this.#spares = keep(ownership.holds('spares', 0), this.#spares, () => this.#spawnSparesPool());
    this.#housekeeping = keep(ownership.holds('housekeeping', 0), this.#housekeeping, () => this.#spawnHousekeeping());
    this.#watchdog = keep(ownership.count('health') > 0, this.#watchdog, () => this.#spawnWatchdog());
    this.#watchdog?.tell({ type: 'ownedChanged' });
  }

  /** Brings what is under way in these shards to an end, for a time, and lets go of the rest as it is. */
  async handOver(shards: readonly OwnedShard[]): Promise<void> {
    const leaving = new Set(shards.filter(({ family }) => family === 'entities').map(({ shard }) => shard));
    const isLeaving = (id: string) => leaving.has(shardOf(id));
    const managers = [this.loadBalancers, this.amphorae];
    await Promise.all(managers.map((manager) => manager.settled(isLeaving, handOverMs)));
    for (const manager of managers) manager.drop(isLeaving);
  }

  #spawnHousekeeping(): LiveActor<HousekeepingMessage> {
    const { log, mailboxLimit, drivers, housekeeping, ownership } = this.#options;
    const missing = missingInstancesChore({
      compute: drivers.compute,
      fleet: this.fleet,
      isHeld: ({ zone }) => maintenanceOf(ownership.view.orders, zone ?? null) !== undefined,
      failOver: (id, facts, endedBy) =>
        endedBy === undefined
          ? this.#failOver(id, facts, 'its instance is gone', 'instance_gone')
          : this.#failOver(id, facts, endedBy, 'instance_ended'),
    });
    const surroundings = { registry: this.registry, log, mailboxLimit };
    const chores = [missing, ...housekeeping.chores];
    return spawnHousekeeping(this.#system, surroundings, { chores, log });
  }

  #spawnWatchdog(): LiveActor<WatchdogMessage> {
    const { health, ownership, log, mailboxLimit } = this.#options;
    const isJudge = (id: AmphoraId) => ownership.holds('health', this.fleet.shardOf(id));
    const now = () => performance.now();
    return spawnHealthWatchdog(
      this.#system,
      { registry: this.registry, log, mailboxLimit },
      {
        ...health,
        log,
        fleet: this.fleet,
        isJudge,
        failovers: this.failovers,
        held: new HeldFailovers({ ...health.held, isJudge, now, log }),
        isBlind: () => !ownership.isConnected || ownership.leaseLost.aborted || health.lagMs() > mostLagMs(health),
        now,
        reportTo: (id, controllers) => this.cluster.amphorae.command(id, { type: 'reportTo', controllers }),
        orders: () => ownership.view.orders,
        failOver: (id, facts, reason) => this.#failOver(id, facts, reason, 'silence'),
      },
    );
  }

  /** Each of those that share it is told: the first to act has it destroyed. */
  #failOver(amphoraId: AmphoraId, { loadBalancerIds }: AmphoraFacts, reason: string, cause: FailoverCause): void {
    this.failovers.counts[cause]++;
    const { loadBalancers, amphorae } = this.cluster;
    const about = { amphoraId, loadBalancerIds, reason };
    if (cause === 'instance_ended') this.#options.log.info(about, 'amphora is replaced');
    else this.#options.log.warn(about, 'amphora is lost');
    if (loadBalancerIds.length === 0) {
      amphorae.command(amphoraId, { type: 'deleteAmphora', reason, onBehalfOf: null });
    }
    for (const id of loadBalancerIds) {
      loadBalancers.command(id, { type: 'failoverAmphora', amphoraId, why: 'lost', reason });
    }
  }

  /** A branch of the tree: an actor that only has children. */
  supervisor(name: string): NactRef {
    this.registry.add(name, 'supervisor');
    return spawnStateless(this.#system, () => undefined, name) as NactRef;
  }

  get system(): NactRef {
    return this.#system;
  }

  /** Takes up an entity that has work left, at once or at its time. Resolves when it has been woken, or will be. */
  async resume({ kind, id, hasWork, wakeAt }: DueEntity): Promise<void> {
    const manager = kind === 'loadBalancer' ? this.loadBalancers : this.amphorae;
    if (!hasWork && wakeAt !== undefined && wakeAt > Date.now()) return manager.wakeAt(id, wakeAt);
    manager.wake(id);
    // What cannot be woken here says why by itself.
    await (manager as LoadBalancers).read(id, () => undefined).catch(() => undefined);
  }

  /** Has an entity write a snapshot. @throws when it can't be written here and now */
  writeSnapshot(kind: EntityKind, id: string): Promise<void> {
    return (kind === 'loadBalancer' ? this.loadBalancers : this.amphorae).writeSnapshot(id);
  }

  /** Lets go of what this node does not own any more. */
  dropForeign(): void {
    const { ownership } = this.#options;
    this.loadBalancers.dropForeign();
    this.amphorae.dropForeign();
    this.operating.forget((id) => !ownership.owns(id));
  }

  #spawnSparesPool(): LiveActor<SparesPoolMessage> {
    const { spares, log, mailboxLimit } = this.#options;
    /** The pool has counted on it already: it learns what is true. */
    const unlessAccepted = (id: AmphoraId) => (reply: CommandReply<AmphoraAnswer>) => {
      if (reply.type === 'ok') return;
      const bootFailure = reply.type === 'faulted' ? reply.reason : `amphora ${id} is ${reply.type}`;
      const gone: AmphoraFacts = { status: 'DELETED', loadBalancerIds: [], bootFailure, controllers: [] };
      this.#spares?.tell({ type: 'amphoraChanged', id, now: this.fleet.get(id) ?? gone });
    };
    return spawnSparesPool(
      this.#system,
      { registry: this.registry, log, mailboxLimit },
      {
        limits: spares.limits,
        known: () => this.fleet,
        newId: spares.newId,
        boot: (amphoraId, kind, apartFrom) =>
          this.cluster.amphorae.command(
            amphoraId,
            {
              type: 'createAmphora',
              amphoraId,
              ...(!isPlain(kind) && { kind }),
              ...(apartFrom.amphorae.length > 0 && { apartFrom }),
            },
            { tell: unlessAccepted(amphoraId) },
          ),
        remove: (id) => {
          const command = { type: 'deleteAmphora', reason: 'one spare too many', onBehalfOf: null } as const;
          this.cluster.amphorae.command(id, command, { tell: unlessAccepted(id) });
        },
        now: Date.now,
        log,
      },
    );
  }

  stop(): void {
    this.#closing.abort();
    for (const actor of [this.#spares, this.#watchdog, this.#housekeeping]) actor?.stop();
    this.operating.stop();
    this.loadBalancers.stop();
    this.amphorae.stop();
    stop(this.#system);
  }
}

/** Heartbeats that are read later than this may be missed for our own sake: nobody is judged by them. */
function mostLagMs({ limits }: TreeOptions['health']): number {
  return limits.timeoutMs / 4;
}

type LoadBalancerDrivers = Pick<LoadBalancerPorts, 'network' | 'amphora' | 'certificateManager' | 'clusterSecret'>;

function pick({
  network,
  amphora: agent,
  certificateManager,
  clusterSecret,
}: LoadBalancerDrivers): LoadBalancerDrivers {
  return { network, amphora: agent, certificateManager, clusterSecret };
}
