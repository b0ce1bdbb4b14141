// What operators read beside the objects themselves: why a load balancer is as it is, what is held, the spares pool, nodes and
// actors. Times are ISO 8601 in UTC.
import type { HoldKind } from './health/watchdog.ts';
import type { ObjectKind } from './load-balancer/state.ts';
import type { OperatingStatus, ProvisioningStatus } from './statuses.ts';
import type { AmphoraView } from './views.ts';

/** Why a load balancer is as it is: one answer to "why is this not ACTIVE?". */
export interface ExplanationView {
  /** Why it is not ACTIVE, in sentences, the most telling first; that nothing is left to do when it is. */
  readonly why: readonly string[];
  readonly id: string;
  readonly name: string;
  readonly provisioningStatus: ProvisioningStatus;
  readonly operatingStatus: OperatingStatus;
  readonly errorReason: string | null;
  /** Why its actor itself was given up; null while it is sound. */
  readonly fault: string | null;
  /** The node that owns it; null when nobody does. */
  readonly owner: { readonly nodeId: string; readonly epoch: number } | null;
  /** Steps under way, and steps that failed and wait for their next try. */
  readonly steps: readonly ExplainedStep[];
  /** Ids of the commands whose work is under way, newest last. */
  readonly commands: readonly string[];
  /** When it looks again though nothing has happened. */
  readonly wakeAt: string | null;
  /** Objects whose newest change amphorae refused, or that are not ACTIVE yet. */
  readonly unsettled: readonly UnsettledObject[];
  readonly amphorae: readonly AmphoraView[];
  /** Newest entries of its journal, newest first. */
  readonly history: readonly HistoryEntry[];
}

export interface ExplainedStep {
  readonly key: string;
  readonly state: 'running' | 'waiting' | 'givenUp';
  /** When the run under way began and by when it must be over; null when none is. */
  readonly startedAt: string | null;
  readonly deadlineAt: string | null;
  readonly failures: number;
  readonly retryAt: string | null;
  readonly lastError: string | null;
  /** The driver's call that failed last, and the request's id where the other side gave one. */
  readonly call: string | null;
  readonly requestId: string | null;
}

export interface UnsettledObject {
  readonly kind: ObjectKind;
  readonly id: string;
  readonly name: string;
  readonly provisioningStatus: ProvisioningStatus;
  readonly errorReason: string | null;
}

export interface HistoryEntry {
  readonly seq: number;
  readonly at: string;
  readonly node: string;
  readonly epoch: number;
  readonly commandId: string | null;
  readonly events: readonly { readonly type: string }[];
}

export interface NodeView {
  readonly id: string;
  readonly roles: readonly string[];
  readonly address: string | null;
  readonly version: string;
  readonly startedAt: string;
  readonly leaseUntil: string;
  readonly stoppedAt: string | null;
  /** It gives its shards to the others and takes none. */
  readonly isDraining: boolean;
  /** host:port that amphorae send heartbeats to; null when it listens to none. */
  readonly heartbeatAddress: string | null;
  /** Shards of load balancers and amphorae that it owns. */
  readonly shards: number;
  /** Shards of amphorae whose health it judges. */
  readonly healthShards: number;
  /** What runs once in the cluster, and here: `spares`, `housekeeping`. */
  readonly singletons: readonly string[];
}

/** A live actor. */
export interface ActorView {
  /** Id of the node it lives on. */
  readonly node: string;
  /** Such as `load-balancers/lb-<id>`. */
  readonly path: string;
  readonly kind: string;
  readonly startedAt: string;
  /** Messages waiting, the one in hand included. */
  readonly pending: number;
  readonly processed: number;
  readonly restarts: number;
  readonly lastError: { readonly message: string; readonly at: string } | null;
  /** Type of the message in hand; null when idle. */
  readonly handling: string | null;
  readonly lastActiveAt: string;
}

export interface ActorDetails extends ActorView {
  /** What the actor says of itself; null when it says nothing. */
  readonly state: unknown;
}

/** A message that found no actor. */
export interface DeadLetterView {
  readonly path: string;
  readonly type: string;
  readonly at: string;
}

/** An amphora that is silent and not failed over. */
export interface HeldFailoverView {
  readonly amphoraId: string;
  /** Null for a spare. */
  readonly loadBalancerId: string | null;
  /** Others that share it. */
  readonly otherLoadBalancerIds: readonly string[];
  readonly zone: string | null;
  readonly host: string | null;
  /** What it waits for. */
  readonly kind: HoldKind;
  /** The same as a sentence. */
  readonly why: string;
  readonly since: string;
}

export interface SparesPoolView {
  /** Spares that shall be there. */
  readonly size: number;
  readonly ready: number;
  readonly booting: number;
  /** Load balancers that wait for an amphora. */
  readonly waiting: number;
  /** Boots that failed in a row. */
  readonly failedBoots: number;
  /** When the next boot may be tried; null when at once. */
  readonly notBefore: string | null;
}
