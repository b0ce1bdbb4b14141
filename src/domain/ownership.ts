// Who owns what in a cluster: families of shards, what each node sees of the others, and the pure rules of sharing.
// `src/db/ownership.ts` keeps it in PostgreSQL, `src/actors/runtime/ownership.ts` carries it out.
import type { Order } from './cluster/orders.ts';
import { shardCount } from './ids.ts';

/**
 * What is owned, in how many parts, and by nodes of which role. A family of one shard is a singleton of the cluster. Names are
 * in the database and must not change.
 */
export const families = {
  entities: { shards: shardCount, role: 'worker' },
  spares: { shards: 1, role: 'worker' },
  health: { shards: shardCount, role: 'health' },
  housekeeping: { shards: 1, role: 'housekeeping' },
} as const;
export type Family = keyof typeof families;

export const familyNames = Object.keys(families) as readonly Family[];

export function familiesOf(roles: readonly string[]): readonly Family[] {
  return familyNames.filter((family) => roles.includes(families[family].role));
}

export interface OwnedShard {
  readonly family: Family;
  readonly shard: number;
  readonly epoch: number;
}

/** A node that has not stopped, as the database shows it. */
export interface ClusterNode {
  readonly id: string;
  /** host:port of `/peer`; null when it has none. */
  readonly address: string | null;
  /** host:port that amphorae send heartbeats to; null when it listens to none. */
  readonly heartbeatAddress: string | null;
  readonly version: string;
  /** Of what it reads and writes; see `upcast.ts`. */
  readonly dataVersion: number;
  readonly families: readonly Family[];
  readonly isDraining: boolean;
  /** Its session has ended, or its lease has run out. */
  readonly isDead: boolean;
}

export interface ClusterView {
  readonly nodes: readonly ClusterNode[];
  /** Owner of every shard, in order of shards; null for none. */
  readonly owners: Readonly<Record<Family, readonly (string | null)[]>>;
  /** Addresses that listen to heartbeats, or did two minutes ago: a node that is only restarted shall find its amphorae. */
  readonly heartbeatAddresses: readonly string[];
  /** Why nobody may change anything; null when all may. */
  readonly observing: string | null;
  /** What operators have told the cluster, as far as it is in force. */
  readonly orders: readonly Order[];
}

export const emptyView: ClusterView = {
  nodes: [],
  owners: { entities: [], spares: [], health: [], housekeeping: [] },
  heartbeatAddresses: [],
  observing: null,
  orders: [],
};

/** What a node is to take: so many shards of each family, and those of nodes that are dead, which it declares so. */
export interface ClaimPlan {
  readonly dead: readonly string[];
  readonly most: Readonly<Record<Family, number>>;
  /** Whether there is anything to be had. */
  readonly isNeeded: boolean;
  /** Whether something that this node could take is left to others. */
  readonly isShort: boolean;
}

type Counts = Record<Family, number>;

/**
 * Free shards, up to the node's fair share; all of them when they have been free for too long, because whoever was to take the
 * rest does not: it may be cut off, and not known as dead yet.
 */
export function planClaims(view: ClusterView, self: string, held: readonly OwnedShard[], isOverdue = false): ClaimPlan {
  const dead = view.nodes.filter((node) => node.isDead && node.id !== self).map(({ id }) => id);
  const living = new Set(view.nodes.filter((node) => !dead.includes(node.id)).map(({ id }) => id));
  const most: Counts = { entities: 0, spares: 0, health: 0, housekeeping: 0 };
  const known = new Set(held.map(({ family, shard }) => `${family}/${shard}`));
  let isNeeded = dead.length > 0;
  let isShort = false;
  for (const family of familyNames) {
    // The answer to an earlier claim was lost.
    if (view.owners[family].some((owner, shard) => owner === self && !known.has(`${family}/${shard}`))) isNeeded = true;
    const free = view.owners[family].filter((owner) => owner === null || !living.has(owner)).length;
    const { take } = shareOf(view, family, self);
    const missing = isOverdue && take > 0 ? free : take - countOf(held, family);
    most[family] = view.observing === null ? Math.max(0, Math.min(free, missing)) : 0;
    if (most[family] > 0) isNeeded = true;
    if (take > 0 && free > most[family]) isShort = true;
  }
  return { dead, most, isNeeded, isShort };
}

/** What a node has beyond its fair share, and ought to give to others; at most `most` of each family at a time. */
export function planRelease(
  view: ClusterView,
  self: string,
  held: readonly OwnedShard[],
  most: number,
): readonly OwnedShard[] {
  return familyNames.flatMap((family) => {
    const mine = held.filter((shard) => shard.family === family);
    const surplus = view.observing === null ? mine.length - shareOf(view, family, self).keep : mine.length;
    return mine.slice(0, Math.max(0, Math.min(surplus, most)));
  });
}

interface Share {
  /** Up to so many shards of a family are taken when they are free, */
  readonly take: number;
  /** and beyond so many are given to others. */
  readonly keep: number;
}

/**
 * An equal share among those that take part. A node that drains has none as long as another one is there to take its part. While
 * a cluster is upgraded, a node of an earlier version keeps its share and takes nothing: it might be something that a later
 * version has written.
 */
function shareOf(view: ClusterView, family: Family, self: string): Share {
  const takers = view.nodes.filter((node) => node.families.includes(family) && (!node.isDead || node.id === self));
  const staying = takers.filter((node) => !node.isDraining);
  const members = staying.length > 0 ? staying : takers;
  const me = members.find((node) => node.id === self);
  if (me === undefined) return { take: 0, keep: 0 };
  const { shards } = families[family];
  const newest = Math.max(...members.map((node) => node.dataVersion));
  if (me.dataVersion < newest) return { take: 0, keep: Math.ceil(shards / members.length) };
  const share = Math.ceil(shards / members.filter((node) => node.dataVersion === newest).length);
  return { take: share, keep: share };
}

function countOf(held: readonly OwnedShard[], family: Family): number {
  return held.filter((shard) => shard.family === family).length;
}

export interface OwnershipSessionPort {
  /** Settles when the session is over: with the error that ended it, or undefined after `close`. */
  readonly ended: Promise<Error | undefined>;
  /** Calls back when another node has joined, left or given something away. */
  onNotice(listener: () => void): void;
  /** Prolongs the lease by its full length from the database's now. False when this node was declared dead meanwhile. */
  renew(): Promise<boolean>;
  look(): Promise<ClusterView>;
  /**
   * Takes what the plan says, as far as it is free still, and what is in this node's name and not among `held`; each under a new
   * epoch. Appends under the epoch before fail from here on. Gives what was taken.
   *
   * @throws when appends held a shard for too long; nothing is taken then
   */
  claim(plan: ClaimPlan, held: readonly OwnedShard[]): Promise<readonly OwnedShard[]>;
  /** Gives shards away, where their epoch is still the one named, and tells the others. */
  release(shards: readonly OwnedShard[]): Promise<void>;
  /** Has a node give everything away, or take part again. False when there is no such node. */
  setDraining(nodeId: string, isDraining: boolean): Promise<boolean>;
  /** Gives everything back, so that a successor need not wait. Idempotent; never fails. */
  close(): Promise<void>;
}
