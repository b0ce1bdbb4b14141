// Quotas: how many objects of each kind a project may have. What counts is what there is, with what is on its way to be
// deleted; what an entry adds is counted together with it, where it is written.
import { kindNames } from './load-balancer/rules.ts';
import type { LoadBalancerState, MaybeLoadBalancer, ObjectKind } from './load-balancer/state.ts';

/** A limit for each kind; -1 for none. */
export type Quotas = Readonly<Record<ObjectKind, number>>;

/** What an entry adds to what its project has. */
export interface Addition {
  readonly projectId: string;
  readonly added: Readonly<Partial<Record<ObjectKind, number>>>;
}

/** In the order in which they are shown. */
export const quotaKinds = Object.keys(kindNames) as readonly ObjectKind[];

export const unlimited: Quotas = {
  loadBalancer: -1,
  listener: -1,
  pool: -1,
  member: -1,
  healthMonitor: -1,
  l7Policy: -1,
  l7Rule: -1,
};

/** The words that clients know. */
export function quotaMet(kind: ObjectKind): string {
  return `Quota has been met for resources: ${kindNames[kind]}`;
}

/** The objects that are in `after` and not in `before`; undefined when there are none. */
export function additionOf(before: MaybeLoadBalancer, after: MaybeLoadBalancer): Addition | undefined {
  if (after === undefined || after.objects === before?.objects) return undefined;
  const known: LoadBalancerState['objects'] = before?.objects ?? {};
  const added: Partial<Record<ObjectKind, number>> = {};
  for (const { id, kind } of Object.values(after.objects)) {
    if (known[id] === undefined) added[kind] = (added[kind] ?? 0) + 1;
  }
  return Object.keys(added).length === 0 ? undefined : { projectId: after.projectId, added };
}
