// Settings as the tree takes them: in milliseconds, by who needs them.
import type { TreeOptions } from '../actors/tree-options.ts';
import type { Config } from '../config/schema.ts';
import { plainKind } from '../domain/amphora/kind.ts';
import type { WatchdogLimits } from '../domain/health/watchdog.ts';
import type { PoolLimits } from '../domain/spares/pool.ts';

export function treeSettings({
  retry,
  steps,
  snapshots,
  actors,
}: Config): Pick<TreeOptions, 'policy' | 'timeouts' | 'snapshotEvery' | 'mailboxLimit' | 'idleMs'> {
  return {
    policy: {
      firstDelayMs: retry.firstDelay * 1000,
      longestDelayMs: retry.cap * 1000,
      budget: retry.attempts,
      errorDelayMs: retry.errorInterval * 1000,
    },
    timeouts: { callMs: steps.timeout * 1000, bootMs: steps.bootTimeout * 1000 },
    snapshotEvery: snapshots.every,
    mailboxLimit: actors.mailboxLimit,
    idleMs: actors.idleSeconds * 1000,
  };
}

/** Looks in the time after which an amphora counts as lost. */
const looksPerTimeout = 12;

export function watchdogLimits({ heartbeat, failover }: Config): WatchdogLimits {
  const timeoutMs = heartbeat.timeout * 1000;
  return {
    timeoutMs,
    tickMs: Math.max(50, Math.min(1_000, timeoutMs / looksPerTimeout)),
    intervalMs: heartbeat.interval * 1000,
    failoversPerMinute: failover.perMinute,
    breakers: {
      fleet: { share: failover.fleetShare, minimum: failover.fleetMinimum },
      zone: { share: failover.zoneShare, minimum: failover.zoneMinimum },
      host: { share: failover.hostShare, minimum: failover.hostMinimum },
    },
  };
}

export function poolLimits({ spares, loadBalancers: { topology, antiAffinity } }: Config): PoolLimits {
  return { size: spares.size, maxBooting: spares.maxBooting, kind: { ...plainKind, topology }, antiAffinity };
}
