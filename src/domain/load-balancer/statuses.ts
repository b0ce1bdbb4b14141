// Provisioning statuses, derived. A change of a child shows in its parents as PENDING_UPDATE, as in Octavia.
import type { ObjectId } from '../ids.ts';
import type { ProvisioningStatus } from '../statuses.ts';
import { spentRetry } from '../step.ts';
import { isFullyServed } from './pair.ts';
import { isPending } from './push.ts';
import type { LbObject, LoadBalancerState } from './state.ts';

/** The provisioning status of every object that is there. */
export function provisioningStatuses(state: LoadBalancerState): ReadonlyMap<ObjectId, ProvisioningStatus> {
  const isInError = errorReason(state) !== undefined;
  const isDeleting = state.deletion !== 'no';
  const touched = touchedParents(state);
  const statuses = new Map<ObjectId, ProvisioningStatus>();
  for (const object of Object.values(state.objects)) {
    if (object.kind === 'loadBalancer') statuses.set(object.id, loadBalancerStatus(state, object));
    else if (isDeleting) statuses.set(object.id, isInError ? 'ERROR' : 'PENDING_DELETE');
    else statuses.set(object.id, objectStatus(object, touched.has(object.id), isInError));
  }
  return statuses;
}

/** Why the load balancer is in ERROR, as a sentence; undefined when it is not. */
export function errorReason(state: LoadBalancerState): string | undefined {
  const spent = spentRetry(state.steps);
  if (spent === undefined) return undefined;
  const { lastFailure, failures } = spent.retry;
  const where = lastFailure.call === null ? '' : ` (${lastFailure.call})`;
  return `step ${spent.key} failed ${failures === 1 ? 'once' : `${failures} times`}: ${lastFailure.message}${where}`;
}

function objectStatus(object: LbObject, isTouched: boolean, isInError: boolean): ProvisioningStatus {
  if (object.refusal !== null) return 'ERROR';
  if (isPending(object)) {
    if (isInError) return 'ERROR';
    if (object.desired === null) return 'PENDING_DELETE';
    return object.acceptedIn === 0 ? 'PENDING_CREATE' : 'PENDING_UPDATE';
  }
  return isTouched && !isInError ? 'PENDING_UPDATE' : 'ACTIVE';
}

function loadBalancerStatus(state: LoadBalancerState, self: LbObject): ProvisioningStatus {
  if (state.deletion === 'done') return 'DELETED';
  if (errorReason(state) !== undefined) return 'ERROR';
  if (state.deletion === 'requested') return 'PENDING_DELETE';
  if (self.acceptedIn === 0) return self.refusal === null ? 'PENDING_CREATE' : 'ERROR';
  const isReplacing = state.slots.some((slot) => slot.replaceFor !== undefined);
  const isSettled = isFullyServed(state) && !isReplacing && state.narrowing === null;
  return isSettled && !Object.values(state.objects).some(isPending) ? 'ACTIVE' : 'PENDING_UPDATE';
}

/** Parents of what is pending, and listeners of pools that are pending or touched. */
function touchedParents(state: LoadBalancerState): ReadonlySet<ObjectId> {
  const touched = new Set<ObjectId>();
  const objects = Object.values(state.objects);
  for (const object of objects) {
    if (!isPending(object) || object.kind === 'loadBalancer' || object.kind === 'listener') continue;
    touched.add(object.kind === 'pool' ? object.id : object.parentId);
  }
  const isTouched = (id: ObjectId | null | undefined) => id !== null && id !== undefined && touched.has(id);
  for (const object of objects) {
    if (object.kind !== 'l7Policy') continue;
    const pools = [object.desired?.redirectPoolId, object.accepted?.redirectPoolId];
    if (isTouched(object.id) || pools.some(isTouched)) touched.add(object.parentId);
  }
  for (const object of objects) {
    if (object.kind !== 'listener') continue;
    const pools = [object.desired?.defaultPoolId, object.accepted?.defaultPoolId];
    if (pools.some(isTouched)) touched.add(object.id);
  }
  return touched;
}
