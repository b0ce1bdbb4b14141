// Operating statuses, from what amphorae's heartbeats say, by the rules of Octavia's health manager. Of a pair both are heard: the
// other one has to serve at any moment, so what is wrong with either shows. What one of the two can't serve is DEGRADED, and a
// member has the worse of what they say.
import type { Observation } from '../health/table.ts';
import type { ObjectId } from '../ids.ts';
import type { OperatingStatus } from '../statuses.ts';
import type { LoadBalancerState } from './state.ts';
import { desired, isWhole } from './tree.ts';

type Statuses = ReadonlyMap<ObjectId, OperatingStatus>;

/** What one amphora said last. */
export interface Said {
  readonly observation: Observation;
  /** It may have been said before the tree changed: what it does not mention may only not have been there. */
  readonly isStale: boolean;
}

/**
 * The status of every object that is measured; when nobody said anything, nothing is known to serve. What was not to be said
 * stays as `before`. Monitors, policies and rules are not measured: they are ONLINE when they are switched on and amphorae have
 * them, and have no status here until then.
 */
export function operatingStatuses(
  state: LoadBalancerState,
  said: readonly Said[],
  before: Statuses = new Map(),
): Statuses {
  const statuses = new Map<ObjectId, OperatingStatus>();
  const self = desired(state, 'loadBalancer')[0];
  const isUp = self?.form.adminStateUp ?? true;
  const isHeard = said.length > 0;
  for (const listener of desired(state, 'listener')) {
    const words = said.flatMap(({ observation, isStale }) => {
      const word = observation.listeners[listener.id]?.status;
      return word === undefined && (isStale || listener.accepted === null) ? [] : [word];
    });
    const seen = words.length === 0 ? (before.get(listener.id) ?? 'OFFLINE') : listenerStatus(words);
    const isServing = isUp && listener.form.adminStateUp && isHeard;
    statuses.set(listener.id, isServing ? seen : 'OFFLINE');
  }
  for (const policy of desired(state, 'l7Policy')) {
    if (policy.accepted === null) continue;
    const isThere = policy.form.adminStateUp && isWhole(state, policy, (object) => object.accepted);
    statuses.set(policy.id, isThere ? 'ONLINE' : 'OFFLINE');
  }
  for (const rule of desired(state, 'l7Rule')) {
    if (rule.accepted !== null) statuses.set(rule.id, rule.form.adminStateUp ? 'ONLINE' : 'OFFLINE');
  }
  const monitored = new Set(desired(state, 'healthMonitor').map((monitor) => monitor.parentId));
  for (const monitor of desired(state, 'healthMonitor')) {
    if (monitor.accepted !== null) statuses.set(monitor.id, monitor.form.adminStateUp ? 'ONLINE' : 'OFFLINE');
  }
  const reportsOf = said.map(({ observation }) => reportsByPool(observation));
  for (const pool of desired(state, 'pool')) {
    const reports = reportsOf.flatMap((byPool) => byPool.get(pool.id) ?? []);
    const members = desired(state, 'member').filter((member) => member.parentId === pool.id);
    for (const member of members) {
      const words = reports.flatMap((report) => report.members[member.id] ?? []);
      const seen = () => memberStatus(words, monitored.has(pool.id), before.get(member.id));
      // One that is switched off shows it as soon as it is heard of, and from then on.
      const isOff = !member.form.adminStateUp && (isHeard || before.get(member.id) === 'OFFLINE');
      statuses.set(member.id, isOff ? 'OFFLINE' : seen());
    }
    const memberStatuses = members.map((member) => statuses.get(member.id));
    const isServing = isUp && pool.form.adminStateUp && reports.length > 0;
    const words = reports.map(({ status }) => status);
    statuses.set(pool.id, isServing ? poolStatus(words, memberStatuses) : 'OFFLINE');
  }
  statuses.set(state.id, isUp && isHeard ? worst(state, statuses) : 'OFFLINE');
  return statuses;
}

/** Whether what an amphora said leaves out a listener that it ought to serve. */
export function unmentioned(state: LoadBalancerState, { listeners }: Observation): boolean {
  return desired(state, 'listener').some(
    ({ id, form, accepted }) => form.adminStateUp && accepted !== null && listeners[id] === undefined,
  );
}

/** Of each amphora its word; undefined from one that does not serve it. */
function listenerStatus(words: readonly (string | undefined)[]): OperatingStatus {
  if (words.every((word) => word === undefined)) return 'ERROR';
  return words.every((word) => word === 'OPEN') ? 'ONLINE' : 'DEGRADED';
}

/** The worst first. */
const memberRanks: readonly OperatingStatus[] = ['ERROR', 'OFFLINE', 'DRAINING', 'NO_MONITOR', 'ONLINE'];

function memberStatus(
  words: readonly string[],
  isMonitored: boolean,
  before: OperatingStatus | undefined,
): OperatingStatus {
  const unsaid = isMonitored ? 'OFFLINE' : 'NO_MONITOR';
  const found = new Set(words.map((word) => statusOfWord(word, before ?? unsaid)));
  return memberRanks.find((status) => found.has(status)) ?? unsaid;
}

/** LVS that starts anew knows nothing of its members yet: what was known of them holds. */
function statusOfWord(word: string, before: OperatingStatus): OperatingStatus {
  if (word === 'RESTARTING') return before;
  if (word.startsWith('UP')) return 'ONLINE';
  if (word.startsWith('DOWN')) return 'ERROR';
  if (word === 'DRAIN') return 'DRAINING';
  return word === 'no check' ? 'NO_MONITOR' : 'OFFLINE';
}

function poolStatus(words: readonly string[], members: readonly (OperatingStatus | undefined)[]): OperatingStatus {
  if (words.every((word) => word === 'DOWN')) return 'ERROR';
  return words.includes('DOWN') || members.includes('ERROR') ? 'DEGRADED' : 'ONLINE';
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
function reportsByPool(observation: Observation): ReadonlyMap<string, Observation['pools'][string]> {
  const reports = new Map<string, Observation['pools'][string]>();
  for (const [key, report] of Object.entries(observation.pools)) {
    const poolId = key.split(':', 1)[0] ?? key;
    const other = reports.get(poolId);
    if (other === undefined || other.status !== 'DOWN') reports.set(poolId, report);
  }
  return reports;
}
