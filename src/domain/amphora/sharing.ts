// Who may share an amphora: load balancers of one project that stand alone, as many as the flavor of each of them allows. Pure.
import type { Allocation } from './state.ts';

/** What a load balancer that would share says of it. */
export interface Sharing {
  /** With load balancers of this project alone. */
  readonly projectId: string;
  /** Load balancers on one amphora, this one included; from 2. */
  readonly most: number;
}

/** What those on an amphora allow together; undefined when it is free, or one of them would have it alone. */
export function sharingOf(allocations: readonly Allocation[]): Sharing | undefined {
  let all: Sharing | undefined;
  for (const { sharing } of allocations) {
    if (sharing === undefined) return undefined;
    all = { ...sharing, most: Math.min(sharing.most, all?.most ?? sharing.most) };
  }
  return all;
}

/** Whether one more may join `count` of them. */
export function mayJoin(there: Sharing | undefined, count: number, other: Sharing | undefined): boolean {
  if (there === undefined || other === undefined || there.projectId !== other.projectId) return false;
  return count < Math.min(there.most, other.most);
}
