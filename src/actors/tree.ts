// The supervisor tree on one page.
//
//   system
//   ├── load-balancers     lb-<id> → step-<n>
//   ├── amphorae           amphora-<id> → step-<n>
//   ├── spares-pool
//   ├── health-watchdog
//   └── housekeeping
//
// What each needs of the outside comes in as ports; who tells whom what is wired here and nowhere else.
import { configurePersistence, spawnStateless, start, stop } from 'nact';
import type { Logger } from 'pino';
import { amphora, type AmphoraEntity, amphoraStatus } from '../domain/amphora/amphora.ts';
import type { HeartbeatTable } from '../domain/health/table.ts';
import type { HeartbeatMessage } from '../domain/health/message.ts';
import type { WatchdogLimits } from '../domain/health/watchdog.ts';
import { type OperatingChange, OperatingStatuses } from './health-watchdog/operating-statuses.ts';
import { spawnHealthWatchdog, type WatchdogMessage } from './health-watchdog/health-watchdog.ts';
import { amphoraRows } from '../domain/amphora/rows.ts';
import type { AmphoraAnswer, AmphoraState } from '../domain/amphora/state.ts';
import type { EntityKind, StepTimeouts } from '../domain/entity.ts';
import type { AmphoraId } from '../domain/ids.ts';
import type { Fence, JournalPort } from '../domain/journal.ts';
import { claimOf } from '../domain/load-balancer/decide.ts';
import { loadBalancer, type LoadBalancerEntity } from '../domain/load-balancer/load-balancer.ts';
import { loadBalancerRows } from '../domain/load-balancer/rows.ts';
import type { PoolLimits } from '../domain/spares/pool.ts';
import type { RetryPolicy } from '../domain/step.ts';
import { type Chore, type HousekeepingMessage, spawnHousekeeping } from './housekeeping/housekeeping.ts';
import { missingInstancesChore } from './housekeeping/missing-instances.ts';
import { type AmphoraPorts, runAmphoraStep } from './amphorae/run-step.ts';
import { type LoadBalancerPorts, runLoadBalancerStep } from './load-balancers/run-step.ts';
import type { LiveActor, NactRef } from './runtime/actor.ts';
import type { CommandReply } from './runtime/entity-messages.ts';
import { EntityManager } from './runtime/entity-manager.ts';
import type { Ownership } from './runtime/ownership.ts';
import { JournalPersistenceEngine } from './runtime/persistence-engine.ts';
import { Registry } from './runtime/registry.ts';
import { type AmphoraFacts, spawnSparesPool, type SparesPoolMessage } from './spares-pool/spares-pool.ts';

export type LoadBalancers = EntityManager<LoadBalancerEntity>;
export type Amphorae = EntityManager<AmphoraEntity>;

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
  readonly policy: RetryPolicy;
  readonly timeouts: StepTimeouts;
  readonly snapshotEvery: number;
  readonly mailboxLimit: number;
  readonly idleMs: number;
  readonly drivers: Pick<AmphoraPorts, 'deploymentId' | 'compute' | 'certificate' | 'heartbeats'> &
    Pick<LoadBalancerPorts, 'network' | 'amphora'>;
  readonly health: {
    readonly limits: WatchdogLimits;
    readonly table: HeartbeatTable;
    readonly writeStatuses: (changes: readonly OperatingChange[]) => Promise<void>;
  };
  readonly spares: {
    readonly limits: PoolLimits;
    readonly newId: () => AmphoraId;
  };
}

export class Tree {
  readonly registry = new Registry();
  readonly loadBalancers: LoadBalancers;
  readonly amphorae: Amphorae;
  readonly operating: OperatingStatuses;
  readonly #system: NactRef;
  /** What is known of every amphora that is not deleted. */
  readonly fleet = new Map<AmphoraId, AmphoraFacts>();
  readonly #closing = new AbortController();
  readonly #options: TreeOptions;
  #spares: LiveActor<SparesPoolMessage> | undefined;
  #watchdog: LiveActor<WatchdogMessage> | undefined;
  #housekeeping: LiveActor<HousekeepingMessage> | undefined;
  /** Heartbeats from amphorae that nobody knows. They delete nothing: their rows may only not be here yet. */
  unknownHeartbeats = 0;

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
    const ports: LoadBalancerPorts = {
      network: drivers.network,
      amphora: drivers.amphora,
      spares: { tell: (message) => this.#spares?.tell(message) },
      amphorae: this.amphorae,
      claimedBy: (id) => this.loadBalancers.read(id, (state) => state?.slots.map((slot) => slot.amphoraId) ?? []),
    };
    const amphoraPorts: AmphoraPorts = {
      ...drivers,
      claimOf: (lbId, amphoraId) => this.loadBalancers.read(lbId, (state) => claimOf(state, amphoraId)),
    };
    const { table, writeStatuses } = options.health;
    this.operating = new OperatingStatuses({ observation: (id) => table.observation(id), write: writeStatuses, log });
    this.loadBalancers.onChange((_id, _before, after) => this.operating.update(after, 'change'));
    this.amphorae.onChange((id, _before, after) => this.#onAmphoraChange(id as AmphoraId, amphoraFacts(after)));
  }

  #onAmphoraChange(id: AmphoraId, facts: AmphoraFacts): void {
    if (facts.status === 'DELETED') this.fleet.delete(id);
    else this.fleet.set(id, facts);
    this.#spares?.tell({ type: 'amphoraChanged', id, now: facts });
    this.#watchdog?.tell({ type: 'amphoraChanged', id, now: facts });
  }

  /** Takes a heartbeat in. Wakes nobody unless it brings something new. */
  onHeartbeat(message: HeartbeatMessage): void {
    const facts = this.fleet.get(message.id as AmphoraId);
    if (facts === undefined) {
      this.unknownHeartbeats++;
      return;
    }
    const isNew = this.#options.health.table.fold(message, performance.now());
    if (!isNew || facts.loadBalancerId === null) return;
    const { loadBalancerId } = facts;
    this.loadBalancers
      .read(loadBalancerId, (state) => {
        if (state !== undefined) this.operating.update(state, 'heartbeat');
      })
      .catch((error: unknown) => {
        this.#options.log.debug({ err: error, loadBalancerId }, 'a heartbeat changes no status');
      });
  }

  /** Begins what only an owner of shards does. `fleet`: amphorae that are there already. */
  activate(fleet: ReadonlyMap<AmphoraId, AmphoraFacts>, chores: readonly Chore[]): void {
    for (const [id, facts] of fleet) if (!this.fleet.has(id)) this.fleet.set(id, facts);
    this.#startSparesPool();
    this.#startWatchdog();
    this.#startHousekeeping(chores);
  }

  /** Ends it. What is known of amphorae is forgotten: others change them from now on. */
  deactivate(): void {
    for (const actor of [this.#spares, this.#watchdog, this.#housekeeping]) actor?.stop();
    this.#spares = undefined;
    this.#watchdog = undefined;
    this.#housekeeping = undefined;
    this.fleet.clear();
  }

  #startHousekeeping(chores: readonly Chore[]): void {
    const { log, mailboxLimit, drivers } = this.#options;
    const missing = missingInstancesChore({
      compute: drivers.compute,
      fleet: this.fleet,
      failOver: (id, facts, reason) => this.#failOver(id, facts, reason),
    });
    const surroundings = { registry: this.registry, log, mailboxLimit };
    this.#housekeeping = spawnHousekeeping(this.#system, surroundings, { chores: [missing, ...chores], log });
  }

  #startWatchdog(): void {
    const { health, ownership, log, mailboxLimit } = this.#options;
    this.#watchdog = spawnHealthWatchdog(
      this.#system,
      { registry: this.registry, log, mailboxLimit },
      {
        ...health,
        log,
        fleet: () => this.fleet,
        isBlind: () => !ownership.isConnected || ownership.leaseLost.aborted,
        now: () => performance.now(),
        failOver: (id, facts, reason) => this.#failOver(id, facts, reason),
      },
    );
  }

  #failOver(amphoraId: AmphoraId, { loadBalancerId }: AmphoraFacts, reason: string): void {
    this.#options.log.warn({ amphoraId, loadBalancerId, reason }, 'amphora is lost');
    if (loadBalancerId === null) {
      this.amphorae.command(amphoraId, { type: 'deleteAmphora', reason, onBehalfOf: null });
    } else {
      this.loadBalancers.command(loadBalancerId, { type: 'failoverAmphora', amphoraId, why: 'lost', reason });
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

  /** Takes up an entity that has work left, at once or at its time. */
  resume({ kind, id, hasWork, wakeAt }: DueEntity): void {
    const manager = kind === 'loadBalancer' ? this.loadBalancers : this.amphorae;
    if (hasWork || wakeAt === undefined) manager.wake(id);
    else manager.wakeAt(id, wakeAt);
  }

  /** Lets go of what this node does not own any more. */
  dropForeign(): void {
    const { ownership } = this.#options;
    this.loadBalancers.dropForeign();
    this.amphorae.dropForeign();
    this.operating.forget((id) => !ownership.owns(id));
  }

  #startSparesPool(): void {
    const { spares, log, mailboxLimit } = this.#options;
    /** The pool has counted on it already: it learns what is true. */
    const unlessAccepted = (id: AmphoraId) => (reply: CommandReply<AmphoraAnswer>) => {
      if (reply.type === 'ok') return;
      const bootFailure = reply.type === 'faulted' ? reply.reason : `amphora ${id} is ${reply.type}`;
      const gone: AmphoraFacts = { status: 'DELETED', loadBalancerId: null, bootFailure };
      this.#spares?.tell({ type: 'amphoraChanged', id, now: this.fleet.get(id) ?? gone });
    };
    this.#spares = spawnSparesPool(
      this.#system,
      { registry: this.registry, log, mailboxLimit },
      {
        limits: spares.limits,
        known: () => this.fleet,
        newId: spares.newId,
        boot: (amphoraId) =>
          this.amphorae.command(amphoraId, { type: 'createAmphora', amphoraId }, { tell: unlessAccepted(amphoraId) }),
        remove: (id) => {
          const command = { type: 'deleteAmphora', reason: 'one spare too many', onBehalfOf: null } as const;
          this.amphorae.command(id, command, { tell: unlessAccepted(id) });
        },
        now: Date.now,
        log,
      },
    );
  }

  get spares(): LiveActor<SparesPoolMessage> | undefined {
    return this.#spares;
  }

  stop(): void {
    this.#closing.abort();
    this.deactivate();
    this.operating.stop();
    this.loadBalancers.stop();
    this.amphorae.stop();
    stop(this.#system);
  }
}

export function amphoraFacts(state: AmphoraState): AmphoraFacts {
  const status = amphoraStatus(state);
  const neverReady = state.agent === null && state.deletion !== null;
  return {
    status,
    loadBalancerId: state.allocation?.loadBalancerId ?? null,
    bootFailure: neverReady ? (state.deletion?.reason ?? '') : null,
  };
}
