// From the objects of a request to new objects with ids. Ids follow from the command's id and the place in the request,
// so the same request sent twice means the same objects.
import { deriveId, type PoolId } from '../../domain/ids.ts';
import type { NewL7Policy, NewL7Rule, NewListener, NewPool } from '../../domain/load-balancer/commands.ts';
import type { L7PolicyAttributes } from '../../domain/load-balancer/attributes.ts';
import { RpcError } from '../rpc/errors.ts';
import { attributesIn } from './attributes.ts';
import { healthMonitorShape, l7PolicyShape, l7RuleShape, listenerShape, memberShape, poolShape } from './shapes.ts';
import type { GivenL7Rule, GivenListener, GivenPool, PoolReference } from './trees.ts';

/** The pool with its members and monitor. `place` is where it stands in the request. */
export function newPool(given: GivenPool, commandId: string, ...place: readonly (string | number)[]): NewPool {
  const { members, healthMonitor } = given;
  return {
    id: deriveId(commandId, ...place, 'pool'),
    attributes: attributesIn(poolShape, given),
    members: members.map((member, index) => ({
      id: deriveId(commandId, ...place, 'member', index),
      attributes: attributesIn(memberShape, member),
    })),
    healthMonitor:
      healthMonitor === null
        ? null
        : {
            id: deriveId(commandId, ...place, 'healthMonitor'),
            attributes: attributesIn(healthMonitorShape, healthMonitor),
          },
  };
}

export interface NewTree {
  readonly listeners: readonly NewListener[];
  readonly pools: readonly NewPool[];
}

/**
 * All objects of a load balancer's creation.
 *
 * @throws RpcError `invalid` for a pool without a name, a name given twice, or one that nothing has
 */
export function newTree(
  given: { readonly listeners: readonly GivenListener[]; readonly pools: readonly GivenPool[] },
  commandId: string,
): NewTree {
  const named = new Map<string, PoolId>();
  const enter = (pool: GivenPool, id: PoolId, field: string) => {
    if (pool.name === '') throw invalid('pools of a request need names', `${field}.name`);
    if (named.has(pool.name)) throw invalid(`the request has two pools with the name '${pool.name}'`, `${field}.name`);
    named.set(pool.name, id);
  };
  const pools = given.pools.map((pool, index) => newPool(pool, commandId, 'pools', index));
  for (const [index, pool] of given.pools.entries()) enter(pool, pools[index]?.id as PoolId, `pools[${index}]`);
  const held = new Map<GivenPool, NewPool>();
  for (const { pool: own, field, place } of given.listeners.flatMap(poolsOfListener)) {
    if (own === null || 'isReference' in own) continue;
    const pool = newPool(own, commandId, ...place);
    held.set(own, pool);
    // A pool that only its listener or policy knows needs no name.
    if (own.name !== '') enter(own, pool.id, field);
  }
  const poolIdOf = ({ pool, field }: HeldPool): PoolId | null => {
    if (pool === null) return null;
    if (!('isReference' in pool)) return held.get(pool)?.id ?? null;
    const id = named.get(pool.name);
    if (id === undefined) throw invalid(`the request has no pool with the name '${pool.name}'`, `${field}.name`);
    return id;
  };
  const listeners = given.listeners.map((listener, index): NewListener => {
    const [own, ...redirected] = poolsOfListener(listener, index).map(poolIdOf);
    const attributes = attributesIn(listenerShape, { ...listener, defaultPoolId: own ?? null });
    const l7Policies = listener.l7Policies.map((policy, place) => {
      const redirectPoolId = redirected[place] ?? null;
      return newL7Policy({ ...policy, redirectPoolId }, commandId, 'listeners', index, 'l7Policies', place);
    });
    return { id: deriveId(commandId, 'listeners', index), attributes, l7Policies };
  });
  return { listeners, pools: [...pools, ...held.values()] };
}

interface HeldPool {
  readonly pool: GivenPool | PoolReference | null;
  readonly field: string;
  readonly place: readonly (string | number)[];
}

/** The default pool, then that of each policy; null where there is none. */
function poolsOfListener({ defaultPool, l7Policies }: GivenListener, index: number): readonly HeldPool[] {
  const listener = { field: `listeners[${index}]`, place: ['listeners', index] };
  return [
    { pool: defaultPool, field: `${listener.field}.defaultPool`, place: listener.place },
    ...l7Policies.map(({ redirectPool }, policy) => ({
      pool: redirectPool,
      field: `${listener.field}.l7Policies[${policy}].redirectPool`,
      place: [...listener.place, 'l7Policies', policy],
    })),
  ];
}

/** The policy with its rules. `place` is where it stands in the request. */
export function newL7Policy(
  given: L7PolicyAttributes & { readonly rules: readonly GivenL7Rule[] },
  commandId: string,
  ...place: readonly (string | number)[]
): NewL7Policy {
  return {
    id: deriveId(commandId, ...place, 'l7Policy'),
    attributes: attributesIn<L7PolicyAttributes>(l7PolicyShape, given),
    rules: given.rules.map(
      (rule, index): NewL7Rule => ({
        id: deriveId(commandId, ...place, 'l7Rule', index),
        attributes: attributesIn(l7RuleShape, rule),
      }),
    ),
  };
}

function invalid(what: string, field: string): RpcError {
  return new RpcError('invalid', `Validation failure: ${what}`, { field });
}
