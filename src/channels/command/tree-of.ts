// From the objects of a request to new objects with ids. Ids follow from the command's id and the place in the request,
// so the same request sent twice means the same objects.
import { deriveId, type ObjectId, type PoolId } from '../../domain/ids.ts';
import type { NewL7Policy, NewL7Rule, NewListener, NewPool } from '../../domain/load-balancer/commands.ts';
import { RpcError } from '../rpc/errors.ts';
import { attributesIn } from './attributes.ts';
import { healthMonitorShape, l7PolicyShape, l7RuleShape, listenerShape, memberShape, poolShape } from './shapes.ts';
import type { GivenL7Policy, GivenListener, GivenPool, PoolReference } from './trees.ts';

/** All listeners and pools that a request makes. */
export interface NewTree {
  readonly listeners: readonly NewListener[];
  readonly pools: readonly NewPool[];
  /** Where they stand in the request, such as `listeners[0].defaultPool`; empty for what the request itself is about. */
  readonly fields: ReadonlyMap<ObjectId, string>;
}

/** The name of something inside of what stands at `field`. */
export function inside(field: string, name: string): string {
  return field === '' ? name : `${field}.${name}`;
}

/** Where an object stands: `path` makes its id, `field` is for messages. */
interface Place {
  readonly path: readonly (string | number)[];
  readonly field: string;
}

function at({ path, field }: Place, name: string, index: number): Place {
  return { path: [...path, name, index], field: inside(field, `${name}[${index}]`) };
}

/** What a request is about is known by its kind alone. */
const listenerItself: Place = { path: ['listener'], field: '' };
const itself: Place = { path: [], field: '' };

/**
 * All objects of a load balancer's creation.
 *
 * @throws RpcError `invalid` for a pool in `pools` without a name, a name given twice, or one that nothing has
 */
export function newTree(
  given: { readonly listeners: readonly GivenListener[]; readonly pools: readonly GivenPool[] },
  commandId: string,
): NewTree {
  const pools = new RequestPools(commandId);
  for (const [index, pool] of given.pools.entries()) {
    const place = at(itself, 'pools', index);
    if (pool.name === '') throw invalid('pools of a request need names', inside(place.field, 'name'));
    pools.add(pool, place);
  }
  return listenersWith(
    pools,
    given.listeners.map((listener, index) => [listener, at(itself, 'listeners', index)]),
    commandId,
  );
}

/** A listener's creation: the listener, and the pools that it and its policies bring. @throws RpcError `invalid` */
export function newListenerTree(given: GivenListener, commandId: string): NewTree {
  return listenersWith(new RequestPools(commandId), [[given, listenerItself]], commandId);
}

/** A pool's creation. */
export function newPoolTree(given: GivenPool, commandId: string): NewTree {
  const pools = new RequestPools(commandId);
  pools.add(given, itself);
  return pools.asTree();
}

/** An L7 policy's creation: the policy, and the pool that it brings. @throws RpcError `invalid` */
export function newL7PolicyTree(
  given: GivenL7Policy,
  commandId: string,
): { readonly l7Policy: NewL7Policy; readonly tree: NewTree } {
  const pools = new RequestPools(commandId);
  pools.addHeld([redirectPoolOf(given, itself)]);
  return { l7Policy: newL7Policy(given, pools, commandId, itself), tree: pools.asTree() };
}

function listenersWith(
  pools: RequestPools,
  given: readonly (readonly [GivenListener, Place])[],
  commandId: string,
): NewTree {
  // First all pools: one may be referred to before it is described.
  pools.addHeld(given.flatMap(([listener, place]) => poolsOfListener(listener, place)));
  const fields = new Map<ObjectId, string>(pools.fields);
  const listeners = given.map(([listener, place]): NewListener => {
    const defaultPoolId = pools.idOf(defaultPoolOf(listener, place), listener.defaultPoolId);
    const attributes = attributesIn(listenerShape, { ...listener, defaultPoolId });
    const id = deriveId<NewListener['id']>(commandId, ...place.path);
    fields.set(id, place.field);
    const l7Policies = listener.l7Policies.map((policy, index) =>
      newL7Policy(policy, pools, commandId, at(place, 'l7Policies', index)),
    );
    return { id, attributes, l7Policies };
  });
  return { ...pools.asTree(), listeners, fields };
}

/** The policy with its rules. */
function newL7Policy(given: GivenL7Policy, pools: RequestPools, commandId: string, place: Place): NewL7Policy {
  const redirectPoolId = pools.idOf(redirectPoolOf(given, place), given.redirectPoolId);
  return {
    id: deriveId(commandId, ...place.path, 'l7Policy'),
    attributes: attributesIn(l7PolicyShape, { ...given, redirectPoolId }),
    rules: given.rules.map(
      (rule, index): NewL7Rule => ({
        id: deriveId(commandId, ...place.path, 'l7Rule', index),
        attributes: attributesIn(l7RuleShape, rule),
      }),
    ),
  };
}

/** A place for a pool within another object, and what is given there. */
interface HeldPool {
  readonly pool: GivenPool | PoolReference | null;
  readonly place: Place;
  /** The attribute that names a pool which is there already. */
  readonly instead: string;
}

function defaultPoolOf({ defaultPool: pool }: GivenListener, { path, field }: Place): HeldPool {
  return { pool, place: { path, field: inside(field, 'defaultPool') }, instead: 'default_pool_id' };
}

function redirectPoolOf({ redirectPool: pool }: GivenL7Policy, { path, field }: Place): HeldPool {
  return { pool, place: { path, field: inside(field, 'redirectPool') }, instead: 'redirect_pool_id' };
}

function poolsOfListener(listener: GivenListener, place: Place): readonly HeldPool[] {
  const redirected = listener.l7Policies.map((policy, index) => redirectPoolOf(policy, at(place, 'l7Policies', index)));
  return [defaultPoolOf(listener, place), ...redirected];
}

/** The pools of one request, which may refer to each other by name. */
class RequestPools {
  readonly fields = new Map<ObjectId, string>();
  readonly #commandId: string;
  readonly #made = new Map<GivenPool, NewPool>();
  readonly #named = new Map<string, PoolId>();

  constructor(commandId: string) {
    this.#commandId = commandId;
  }

  asTree(): NewTree {
    return { listeners: [], pools: [...this.#made.values()], fields: this.fields };
  }

  /** @throws RpcError `invalid` for a name that another one has. A pool that only its holder knows needs none. */
  add(given: GivenPool, { path, field }: Place): void {
    const { name } = given;
    const pool = newPool(given, this.#commandId, path);
    if (this.#named.has(name)) {
      throw invalid(`the request has two pools with the name '${name}'`, inside(field, 'name'));
    }
    if (name !== '') this.#named.set(name, pool.id);
    this.#made.set(given, pool);
    this.fields.set(pool.id, field);
  }

  addHeld(held: readonly HeldPool[]): void {
    for (const { pool, place } of held) {
      if (pool !== null && !('isReference' in pool)) this.add(pool, place);
    }
  }

  /** @throws RpcError `invalid` for a name that no pool of the request has, or when a pool is given in both ways */
  idOf({ pool, place: { field }, instead }: HeldPool, existing: PoolId | null): PoolId | null {
    if (pool === null) return existing;
    if (existing !== null) throw invalid(`${field} and ${instead} exclude each other`, field);
    const id = 'isReference' in pool ? this.#named.get(pool.name) : this.#made.get(pool)?.id;
    if (id !== undefined) return id;
    throw invalid(`the request has no pool with the name '${pool.name}'`, inside(field, 'name'));
  }
}

/** The pool with its members and monitor. */
function newPool(given: GivenPool, commandId: string, path: Place['path']): NewPool {
  const { members, healthMonitor } = given;
  return {
    id: deriveId(commandId, ...path, 'pool'),
    attributes: attributesIn(poolShape, given),
    members: members.map((member, index) => ({
      id: deriveId(commandId, ...path, 'member', index),
      attributes: attributesIn(memberShape, member),
    })),
    healthMonitor:
      healthMonitor === null
        ? null
        : {
            id: deriveId(commandId, ...path, 'healthMonitor'),
            attributes: attributesIn(healthMonitorShape, healthMonitor),
          },
  };
}

function invalid(what: string, field: string): RpcError {
  return new RpcError('invalid', `Validation failure: ${what}`, { field });
}
