// Operating statuses, from what amphorae's heartbeats say, by the rules of Octavia's health manager.
import type { Observation } from '../health/table.ts';
import type { ObjectId } from '../ids.ts';
import type { OperatingStatus } from '../statuses.ts';
import type { LoadBalancerState } from './state.ts';
import { desired, isWhole } from './tree.ts';

type Statuses = ReadonlyMap<ObjectId, OperatingStatus>;

/**
 * The status of every object; without an observation nothing is known to serve. `before` is given when no heartbeat has
 * come since the tree changed: what the old heartbeat does not mention then keeps its status instead of being missed.
 */
export function operatingStatuses(
  state: LoadBalancerState,
  observation: Observation | undefined,
  before?: Statuses,
): Statuses {
  const statuses = new Map<ObjectId, OperatingStatus>();
  const self = desired(state, 'loadBalancer')[0];
  const isUp = self?.form.adminStateUp ?? true;
  for (const listener of desired(state, 'listener')) {
    const report = observation?.listeners[listener.id];
    const missing =
      before === undefined && listener.accepted !== null ? 'ERROR' : (before?.get(listener.id) ?? 'OFFLINE');
    const seen = report === undefined ? missing : report.status === 'FULL' ? 'DEGRADED' : 'ONLINE';
    const isServing = isUp && listener.form.adminStateUp && observation !== undefined;
    statuses.set(listener.id, isServing ? seen : 'OFFLINE');
  }
  for (const policy of desired(state, 'l7Policy')) {
    const isUsed = policy.form.adminStateUp && isWhole(state, policy, (object) => object.accepted);
    const isServed = isUsed && isKnownToServe(statuses.get(policy.parentId));
    statuses.set(policy.id, isServed ? 'ONLINE' : 'OFFLINE');
  }
  for (const rule of desired(state, 'l7Rule')) {
    const isServed = rule.form.adminStateUp && statuses.get(rule.parentId) === 'ONLINE';
    statuses.set(rule.id, isServed ? 'ONLINE' : 'OFFLINE');
  }
  const monitored = new Set(desired(state, 'healthMonitor').map((monitor) => monitor.parentId));
  for (const monitor of desired(state, 'healthMonitor')) {
    statuses.set(monitor.id, isUp && monitor.form.adminStateUp && observation !== undefined ? 'ONLINE' : 'OFFLINE');
  }
  const reports = reportsByPool(observation);
  for (const pool of desired(state, 'pool')) {
    const report = reports.get(pool.id);
    const members = desired(state, 'member').filter((member) => member.parentId === pool.id);
    for (const member of members) {
      const word = report?.members[member.id];
      const status = member.form.adminStateUp ? memberStatus(word, monitored.has(pool.id)) : 'OFFLINE';
      statuses.set(member.id, status);
    }
    const memberStatuses = members.map((member) => statuses.get(member.id));
    const isServing = isUp && pool.form.adminStateUp && report !== undefined;
    statuses.set(pool.id, isServing ? poolStatus(report.status, memberStatuses) : 'OFFLINE');
  }
  statuses.set(state.id, isUp && observation !== undefined ? worst(state, statuses) : 'OFFLINE');
  return statuses;
}

function memberStatus(word: string | undefined, isMonitored: boolean): OperatingStatus {
  if (word === undefined) return isMonitored ? 'OFFLINE' : 'NO_MONITOR';
  if (word.startsWith('UP')) return 'ONLINE';
  if (word.startsWith('DOWN')) return 'ERROR';
  if (word === 'DRAIN') return 'DRAINING';
  return word === 'no check' ? 'NO_MONITOR' : 'OFFLINE';
}

function poolStatus(word: string, members: readonly (OperatingStatus | undefined)[]): OperatingStatus {
  if (word === 'DOWN') return 'ERROR';
  return members.includes('ERROR') ? 'DEGRADED' : 'ONLINE';
}

function isKnownToServe(listener: OperatingStatus | undefined): boolean {
  return listener === 'ONLINE' || listener === 'DEGRADED';
}

/** A pool in ERROR makes the load balancer so; anything less than ONLINE degrades it; nothing that serves is OFFLINE. */
function worst(state: LoadBalancerState, statuses: Statuses): OperatingStatus {
  const listeners = desired(state, 'listener').filter((listener) => listener.form.adminStateUp);
  const served = new Set(listeners.map((listener) => listener.id));
  const policies = desired(state, 'l7Policy').filter(({ parentId, form }) => form.adminStateUp && served.has(parentId));
  const used = new Set([
    ...listeners.map((listener) => listener.form.defaultPoolId),
    ...policies.map((policy) => policy.form.redirectPoolId),
  ]);
  const pools = desired(state, 'pool').filter((pool) => used.has(pool.id) && pool.form.adminStateUp);
  const all = [...listeners, ...pools].map(({ id }) => statuses.get(id));
  if (all.includes('ERROR')) return 'ERROR';
  if (listeners.length > 0 && listeners.every(({ id }) => statuses.get(id) === 'OFFLINE')) return 'OFFLINE';
  return all.includes('DEGRADED') ? 'DEGRADED' : 'ONLINE';
}

/** A pool stands once per listener that uses it; the worst of what is said of it counts. */
function reportsByPool(observation: Observation | undefined): ReadonlyMap<string, Observation['pools'][string]> {
  const reports = new Map<string, Observation['pools'][string]>();
  for (const [key, report] of Object.entries(observation?.pools ?? {})) {
    const poolId = key.split(':', 1)[0] ?? key;
    const other = reports.get(poolId);
    if (other === undefined || other.status !== 'DOWN') reports.set(poolId, report);
  }
  return reports;
}
