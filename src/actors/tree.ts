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
import { configurePersistence, spawnStateless, start, stop } from 'nact';
import { type AmphoraEntity, amphora } from '../domain/amphora/amphora.ts';
import { amphoraFacts, toldFacts } from '../domain/amphora/facts.ts';
import { amphoraRows } from '../domain/amphora/rows.ts';
import {
  type AmphoraQuestion,
  type LoadBalancerQuestion,
  answerOfAmphora,
  answerOfLoadBalancer,
} from '../domain/cluster/questions.ts';
import type { EntityKind } from '../domain/entity.ts';
import { type AmphoraId, shardOf } from '../domain/ids.ts';
import { type LoadBalancerEntity, loadBalancer } from '../domain/load-balancer/load-balancer.ts';
import { loadBalancerRows } from '../domain/load-balancer/rows.ts';
import type { ClusterView, OwnedShard } from '../domain/ownership.ts';
import { type AmphoraPorts, runAmphoraStep } from './amphorae/run-step.ts';
import { ClusterEntities } from './cluster/entities.ts';
import { Fleet } from './cluster/fleet.ts';
import { Singletons } from './cluster/singletons.ts';
import { Failovers } from './health-watchdog/failovers.ts';
import { Heartbeats } from './health-watchdog/heartbeats.ts';
import { OperatingStatuses } from './health-watchdog/operating-statuses.ts';
import { type LoadBalancerPorts, runLoadBalancerStep } from './load-balancers/run-step.ts';
import type { NactRef } from './runtime/actor.ts';
import { EntityManager } from './runtime/entity-manager.ts';
import { JournalPersistenceEngine } from './runtime/persistence-engine.ts';
import { Registry } from './runtime/registry.ts';
import type { LoadBalancerDrivers, TreeOptions } from './tree-options.ts';
import type { Cluster } from './cluster/cluster.ts';
import { OwnedActors } from './owned-actors.ts';

export type LoadBalancers = EntityManager<LoadBalancerEntity>;
export type Amphorae = EntityManager<AmphoraEntity>;

/** An entity that has work left or a time to be woken at. */
export interface DueEntity {
  readonly kind: EntityKind;
  readonly id: string;
  readonly hasWork: boolean;
  readonly wakeAt: number | undefined;
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
  readonly #owned: OwnedActors;

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
        sparesPool: () => this.#owned.sparesPool,
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
    this.#owned = new OwnedActors({
      ...options,
      system: this.#system,
      registry: this.registry,
      cluster: this.cluster,
      fleet: this.fleet,
      failovers: this.failovers,
    });
    this.loadBalancers.onChange((_id, _before, after) => this.operating.update(after));
    this.amphorae.onChange((id, before, after) => this.#onAmphoraChange(id as AmphoraId, before, after));
    this.fleet.onChange((id, now, before) => {
      if (now.status === 'DELETED') {
        table.forget(id);
        statistics.forget(id);
      }
      this.heartbeats.onAmphoraChange(id, now, before);
      this.#owned.amphoraChanged(id, now);
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
    this.dropForeign();
    this.#owned.settle();
  }

  /** Brings what is under way in these shards to an end, for a time, and lets go of the rest as it is. */
  async handOver(shards: readonly OwnedShard[]): Promise<void> {
    const leaving = new Set(shards.filter(({ family }) => family === 'entities').map(({ shard }) => shard));
    const isLeaving = (id: string) => leaving.has(shardOf(id));
    const managers = [this.loadBalancers, this.amphorae];
    await Promise.all(managers.map((manager) => manager.settled(isLeaving, handOverMs)));
    for (const manager of managers) manager.drop(isLeaving);
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

  stop(): void {
    this.#closing.abort();
    this.#owned.stop();
    this.operating.stop();
    this.loadBalancers.stop();
    this.amphorae.stop();
    stop(this.#system);
  }
}

function pick({
  network,
  amphora: agent,
  certificateManager,
  clusterSecret,
}: LoadBalancerDrivers): LoadBalancerDrivers {
  return { network, amphora: agent, certificateManager, clusterSecret };
}
