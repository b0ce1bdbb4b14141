// What an operator must hear of: which operating statuses are alarming, and why, in a sentence. Alerts are opened and cleared
// by it. Of an object that nobody has said anything of, nothing is claimed: the load balancer's own alert speaks for it.
import type { ObjectId } from '../ids.ts';
import type { OperatingStatus } from '../statuses.ts';
import { isPair } from './pair.ts';
import type { LoadBalancerState, MemberObject } from './state.ts';
import { desired } from './tree.ts';

export const alarmedKinds = ['loadBalancer', 'listener', 'pool', 'member'] as const;
export type AlarmedKind = (typeof alarmedKinds)[number];

/** `bad`: somebody should look. `well`: nobody need, because it serves, or is not to. `unknown`: nobody has said. */
export interface Alarm {
  readonly kind: AlarmedKind;
  readonly verdict: 'bad' | 'well' | 'unknown';
  /** Why it is bad; null otherwise. */
  readonly reason: string | null;
}

type Statuses = ReadonlyMap<ObjectId, OperatingStatus>;

/** How an object's status is to be taken; undefined for kinds that only follow others. `isHeard`: some amphora spoke of it. */
export function alarmOf(
  state: LoadBalancerState,
  statuses: Statuses,
  isHeard: boolean,
  objectId: ObjectId,
): Alarm | undefined {
  const object = state.objects[objectId];
  const kind = alarmedKinds.find((one) => one === object?.kind);
  if (object === undefined || kind === undefined) return undefined;
  const status = statuses.get(objectId);
  if (status === 'ERROR' || status === 'DEGRADED') {
    return { kind, verdict: 'bad', reason: reasonOf(state, statuses, objectId, status) };
  }
  if (isHeard || status !== 'OFFLINE') return { kind, verdict: 'well', reason: null };
  if (kind !== 'loadBalancer') return { kind, verdict: 'unknown', reason: null };
  if (!shallServe(state)) return { kind, verdict: 'well', reason: null };
  return { kind, verdict: 'bad', reason: 'none of its amphorae is heard' };
}

/** Whether clients may expect an answer: something was accepted, and is not switched off. */
function shallServe(state: LoadBalancerState): boolean {
  const [self] = desired(state, 'loadBalancer');
  const listeners = desired(state, 'listener').filter(({ form, accepted }) => form.adminStateUp && accepted !== null);
  return state.deletion === 'no' && self?.form.adminStateUp === true && listeners.length > 0;
}

function reasonOf(
  state: LoadBalancerState,
  statuses: Statuses,
  objectId: ObjectId,
  status: 'ERROR' | 'DEGRADED',
): string {
  const object = state.objects[objectId];
  switch (object?.kind) {
    case 'loadBalancer':
      return unwellParts(state, statuses);
    case 'listener':
      if (status === 'ERROR') return 'no amphora serves it, though one should';
      return isPair(state)
        ? 'its limit of connections is reached, or one of its amphorae does not serve it'
        : 'its limit of connections is reached';
    case 'pool':
      return membersOf(state, statuses, objectId);
    case 'member':
      return checkOf(state, object);
    default:
      return '';
  }
}

/** Parts that are named; the rest is counted. */
const mostNamed = 3;

function unwellParts(state: LoadBalancerState, statuses: Statuses): string {
  const parts = [...desired(state, 'listener'), ...desired(state, 'pool')].flatMap(({ kind, id, form }) => {
    const status = statuses.get(id);
    return status === 'ERROR' || status === 'DEGRADED' ? [`${kind} ${form.name || id} is ${status}`] : [];
  });
  const more = parts.length > mostNamed ? [`${parts.length - mostNamed} more`] : [];
  return [...parts.slice(0, mostNamed), ...more].join(', ');
}

function membersOf(state: LoadBalancerState, statuses: Statuses, poolId: ObjectId): string {
  const members = desired(state, 'member').filter(({ parentId, form }) => parentId === poolId && form.adminStateUp);
  const down = members.filter(({ id }) => statuses.get(id) === 'ERROR');
  if (down.length > 0) return `${down.length} of ${members.length} members are down`;
  return isPair(state) ? 'one of its amphorae can use none of its members' : 'none of its members can be used';
}

function checkOf(state: LoadBalancerState, { parentId, desired: form }: MemberObject): string {
  const monitor = desired(state, 'healthMonitor').find((other) => other.parentId === parentId);
  const checks = monitor === undefined ? 'checks' : `${monitor.form.type} checks`;
  return form === null ? `${checks} fail` : `${checks} of ${form.address}:${form.protocolPort} fail`;
}
