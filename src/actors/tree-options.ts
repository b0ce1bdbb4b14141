// What the tree is given: settings, and ports of the outside.
import type { StatisticsWriter } from './statistics/writer.ts';
import type { Logger } from 'pino';
import type { SweepReport } from '../domain/cluster/messages.ts';
import type { EntityKind, StepTimeouts } from '../domain/entity.ts';
import type { HeartbeatTable } from '../domain/health/table.ts';
import type { Listening } from '../domain/health/reporting.ts';
import type { WatchdogLimits } from '../domain/health/watchdog.ts';
import type { AmphoraId } from '../domain/ids.ts';
import type { Fence, JournalPort } from '../domain/journal.ts';
import type { PoolLimits } from '../domain/spares/pool.ts';
import type { RetryPolicy } from '../domain/step.ts';
import type { AmphoraPorts } from './amphorae/run-step.ts';
import type { Peers } from '../domain/cluster/peers.ts';
import type { HeldFailoversOptions } from './health-watchdog/held-failovers.ts';
import type { HeardAmphora, OperatingChange } from './health-watchdog/operating-statuses.ts';
import type { Chore } from './housekeeping/housekeeping.ts';
import type { LoadBalancerPorts } from './load-balancers/run-step.ts';
import type { Ownership } from './runtime/ownership.ts';

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

export type LoadBalancerDrivers = Pick<
  LoadBalancerPorts,
  'network' | 'amphora' | 'certificateManager' | 'clusterSecret'
>;
