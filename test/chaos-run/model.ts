// What clients do to one load balancer, and what it must look like afterwards. Pure.

export interface Member {
  readonly address: string;
  readonly protocolPort: number;
  readonly weight: number;
}

/** The part of a load balancer that clients change. */
export interface Model {
  readonly description: string;
  readonly connectionLimit: number;
  readonly lbAlgorithm: string;
  readonly members: readonly Member[];
}

export type Change =
  | { readonly type: 'create'; readonly model: Model }
  | { readonly type: 'describe'; readonly description: string }
  | { readonly type: 'limit'; readonly connectionLimit: number }
  | { readonly type: 'balance'; readonly lbAlgorithm: string }
  | { readonly type: 'replaceMembers'; readonly members: readonly Member[] }
  | { readonly type: 'failover' }
  /** An operator has one of its amphorae replaced: with all that share it. */
  | { readonly type: 'replaceAmphora' }
  | { readonly type: 'delete' };

/** A change that a client sends; `commandId` stays the same however often it is sent. */
export interface Operation {
  /** Not sent earlier than this, in milliseconds from the start; and not before the one before it was answered. */
  readonly atMs: number;
  readonly commandId: string;
  readonly change: Change;
}

/** The life of one load balancer, in order. */
export interface Script {
  readonly name: string;
  /** Number of the client that carries it out. */
  readonly client: number;
  readonly listenerPort: number;
  /** What it is served by, where the nodes know that: two amphorae, or one that others share. One of its own when absent. */
  readonly flavor?: FlavorName;
  readonly operations: readonly Operation[];
}

/** What a load balancer is after the changes, in this order; undefined when there is none. */
export function modelAfter(changes: readonly Change[]): Model | undefined {
  return changes.reduce<Model | undefined>((model, change) => {
    if (change.type === 'create') return change.model;
    if (change.type === 'delete' || model === undefined) return undefined;
    if (change.type === 'failover' || change.type === 'replaceAmphora') return model;
    const { type: _, ...attributes } = change;
    return { ...model, ...attributes };
  }, undefined);
}

/** Flavors of a run → what their profiles say. */
export const flavors = {
  pair: { loadbalancer_topology: 'ACTIVE_STANDBY' },
  shared: { loadbalancers_per_amphora: 5 },
} as const;
export type FlavorName = keyof typeof flavors;

/** What a cluster has for load balancers. */
export interface Offers {
  readonly vipSubnetId: string;
  /** Ids; null where the nodes are of a version that does not know what they say. */
  readonly flavorIds: Readonly<Record<FlavorName, string | null>>;
}

/** Ids of the objects that a create made. */
export interface Made {
  readonly loadBalancer: string;
  readonly listener: string;
  readonly pool: string;
}

/** The call of the command channel that means the change. `amphoraId` is one that it is served by, for changes that want one. */
export function callOf(script: Script, change: Change, made: Made | undefined, offers: Offers, amphoraId = '') {
  if (change.type === 'create') return createCall(script, change.model, offers);
  if (made === undefined) throw new Error(`${script.name} is changed before it was created`);
  switch (change.type) {
    case 'describe':
      return {
        method: 'loadBalancer.update',
        params: { id: made.loadBalancer, description: change.description },
      } as const;
    case 'limit':
      return {
        method: 'listener.update',
        params: { id: made.listener, connectionLimit: change.connectionLimit },
      } as const;
    case 'balance':
      return { method: 'pool.update', params: { id: made.pool, lbAlgorithm: change.lbAlgorithm } } as const;
    case 'replaceMembers':
      return { method: 'member.replace', params: { poolId: made.pool, members: change.members } } as const;
    case 'failover':
      return { method: 'loadBalancer.failover', params: { id: made.loadBalancer } } as const;
    case 'replaceAmphora':
      return { method: 'amphora.failover', params: { id: amphoraId } } as const;
    case 'delete':
      return { method: 'loadBalancer.delete', params: { id: made.loadBalancer, cascade: true } } as const;
  }
}

function createCall(script: Script, model: Model, { vipSubnetId, flavorIds }: Offers) {
  const { name, listenerPort: protocolPort, flavor } = script;
  const { description, connectionLimit, lbAlgorithm, members } = model;
  const healthMonitor = { type: 'TCP', delay: 5, timeout: 2, maxRetries: 2 };
  const pool = { name: 'web', protocol: 'HTTP', lbAlgorithm, members, healthMonitor };
  const listener = { name: 'web', protocol: 'HTTP', protocolPort, connectionLimit, defaultPool: { name: 'web' } };
  const flavorId = flavor === undefined ? null : flavorIds[flavor];
  const params = { projectId: 'chaos', name, description, vipSubnetId, flavorId, listeners: [listener], pools: [pool] };
  return { method: 'loadBalancer.create', params } as const;
}
