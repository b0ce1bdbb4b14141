// Actors that live on the node that owns their shard, one of each at most: the spares pool, the health watchdog and housekeeping.
// They begin and end as shards come and go.
import type { AmphoraFacts } from '../domain/amphora/facts.ts';
import { isPlain } from '../domain/amphora/kind.ts';
import type { AmphoraAnswer } from '../domain/amphora/commands.ts';
import { maintenanceOf } from '../domain/cluster/orders.ts';
import type { AmphoraId } from '../domain/ids.ts';
import type { Fleet } from './cluster/fleet.ts';
import { type WatchdogMessage, spawnHealthWatchdog } from './health-watchdog/health-watchdog.ts';
import type { FailoverCause, Failovers } from './health-watchdog/failovers.ts';
import { HeldFailovers } from './health-watchdog/held-failovers.ts';
import { type HousekeepingMessage, spawnHousekeeping } from './housekeeping/housekeeping.ts';
import { missingInstancesChore } from './housekeeping/missing-instances.ts';
import type { LiveActor, NactRef } from './runtime/actor.ts';
import type { CommandReply } from './runtime/entity-messages.ts';
import type { Registry } from './runtime/registry.ts';
import { type SparesPoolMessage, spawnSparesPool } from './spares-pool/spares-pool.ts';
import type { TreeOptions } from './tree-options.ts';
import type { Cluster } from './cluster/cluster.ts';

export interface OwnedActorsOptions
  extends Pick<TreeOptions, 'log' | 'mailboxLimit' | 'ownership' | 'drivers' | 'health' | 'spares' | 'housekeeping'> {
  readonly system: NactRef;
  readonly registry: Registry;
  readonly cluster: Cluster;
  readonly fleet: Fleet;
  readonly failovers: Failovers;
}

export class OwnedActors {
  readonly #options: OwnedActorsOptions;
  sparesPool: LiveActor<SparesPoolMessage> | undefined;
  #watchdog: LiveActor<WatchdogMessage> | undefined;
  #housekeeping: LiveActor<HousekeepingMessage> | undefined;

  constructor(options: OwnedActorsOptions) {
    this.#options = options;
  }

  /** Begins those whose shard this node owns, and ends the others. */
  settle(): void {
    const { ownership } = this.#options;
    this.sparesPool = keep(ownership.holds('spares', 0), this.sparesPool, () => this.#spawnSparesPool());
    this.#housekeeping = keep(ownership.holds('housekeeping', 0), this.#housekeeping, () => this.#spawnHousekeeping());
    this.#watchdog = keep(ownership.count('health') > 0, this.#watchdog, () => this.#spawnWatchdog());
    this.#watchdog?.tell({ type: 'ownedChanged' });
  }

  amphoraChanged(id: AmphoraId, now: AmphoraFacts): void {
    this.sparesPool?.tell({ type: 'amphoraChanged', id, now });
    this.#watchdog?.tell({ type: 'amphoraChanged', id, now });
  }

  stop(): void {
    for (const actor of [this.sparesPool, this.#watchdog, this.#housekeeping]) actor?.stop();
  }

  /** Each of those that share it is told: the first to act has it destroyed. */
  #failOver(amphoraId: AmphoraId, { loadBalancerIds }: AmphoraFacts, reason: string, cause: FailoverCause): void {
    this.#options.failovers.counts[cause]++;
    const { loadBalancers, amphorae } = this.#options.cluster;
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

  #spawnSparesPool(): LiveActor<SparesPoolMessage> {
    const { spares, log, mailboxLimit } = this.#options;
    /** The pool has counted on it already: it learns what is true. */
    const unlessAccepted = (id: AmphoraId) => (reply: CommandReply<AmphoraAnswer>) => {
      if (reply.type === 'ok') return;
      const bootFailure = reply.type === 'faulted' ? reply.reason : `amphora ${id} is ${reply.type}`;
      const gone: AmphoraFacts = { status: 'DELETED', loadBalancerIds: [], bootFailure, controllers: [] };
      this.sparesPool?.tell({ type: 'amphoraChanged', id, now: this.#options.fleet.get(id) ?? gone });
    };
    return spawnSparesPool(
      this.#options.system,
      { registry: this.#options.registry, log, mailboxLimit },
      {
        limits: spares.limits,
        known: () => this.#options.fleet,
        newId: spares.newId,
        boot: (amphoraId, kind, apartFrom) =>
          this.#options.cluster.amphorae.command(
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
          this.#options.cluster.amphorae.command(id, command, { tell: unlessAccepted(id) });
        },
        now: Date.now,
        log,
      },
    );
  }

  #spawnWatchdog(): LiveActor<WatchdogMessage> {
    const { health, ownership, log, mailboxLimit } = this.#options;
    const isJudge = (id: AmphoraId) => ownership.holds('health', this.#options.fleet.shardOf(id));
    const now = () => performance.now();
    return spawnHealthWatchdog(
      this.#options.system,
      { registry: this.#options.registry, log, mailboxLimit },
      {
        ...health,
        log,
        fleet: this.#options.fleet,
        isJudge,
        failovers: this.#options.failovers,
        held: new HeldFailovers({ ...health.held, isJudge, now, log }),
        isBlind: () => !ownership.isConnected || ownership.leaseLost.aborted || health.lagMs() > mostLagMs(health),
        now,
        reportTo: (id, controllers) => this.#options.cluster.amphorae.command(id, { type: 'reportTo', controllers }),
        orders: () => ownership.view.orders,
        failOver: (id, facts, reason) => this.#failOver(id, facts, reason, 'silence'),
      },
    );
  }

  #spawnHousekeeping(): LiveActor<HousekeepingMessage> {
    const { log, mailboxLimit, drivers, housekeeping, ownership } = this.#options;
    const missing = missingInstancesChore({
      compute: drivers.compute,
      fleet: this.#options.fleet,
      isHeld: ({ zone }) => maintenanceOf(ownership.view.orders, zone ?? null) !== undefined,
      failOver: (id, facts, endedBy) =>
        endedBy === undefined
          ? this.#failOver(id, facts, 'its instance is gone', 'instance_gone')
          : this.#failOver(id, facts, endedBy, 'instance_ended'),
    });
    const surroundings = { registry: this.#options.registry, log, mailboxLimit };
    const chores = [missing, ...housekeeping.chores];
    return spawnHousekeeping(this.#options.system, surroundings, { chores, log });
  }
}

function keep<A extends { stop(): void }>(isOwned: boolean, actor: A | undefined, spawn: () => A): A | undefined {
  if (isOwned) return actor ?? spawn();
  actor?.stop();
  return undefined;
}

/** Heartbeats that are read later than this may be missed for our own sake: nobody is judged by them. */
function mostLagMs({ limits }: TreeOptions['health']): number {
  return limits.timeoutMs / 4;
}
