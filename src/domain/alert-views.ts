// Alerts, as they are listed and told. Times are ISO 8601 in UTC.
import type { AlarmedKind } from './load-balancer/alarms.ts';
import type { OperatingStatus } from './statuses.ts';

/** That an object's operating status is, or was, alarming: one alert from the first time until it has been well for a while. */
export interface AlertView {
  readonly id: string;
  readonly kind: AlarmedKind;
  readonly objectId: string;
  /** Of the object; a member's address and port where it has none. */
  readonly name: string;
  readonly loadBalancerId: string;
  readonly loadBalancerName: string;
  readonly projectId: string;
  /** Before it began. */
  readonly oldStatus: OperatingStatus;
  /** The worst since. */
  readonly status: OperatingStatus;
  readonly reason: string;
  readonly since: string;
  /** How often it has become alarming since. */
  readonly times: number;
  /** Since when all is well again, though perhaps not for long enough; null while it is not. */
  readonly wellSince: string | null;
  /** Null while it is open. */
  readonly clearedAt: string | null;
}

/** An alert that was opened, has become worse, or was cleared. */
export interface AlertChange extends Omit<AlertView, 'oldStatus' | 'status'> {
  readonly what: 'opened' | 'worsened' | 'cleared';
  readonly oldStatus: OperatingStatus;
  /** `DELETED` when the object is gone. */
  readonly newStatus: OperatingStatus | 'DELETED';
  readonly at: string;
}
