// From the objects of a request to new objects with ids. Ids follow from the command's id and the place in the request,
// so the same request sent twice means the same objects.
import { deriveId, type PoolId } from '../../domain/ids.ts';
import type { NewListener, NewPool } from '../../domain/load-balancer/commands.ts';
import { RpcError } from '../rpc/errors.ts';
import { attributesIn } from './attributes.ts';
import { healthMonitorShape, listenerShape, memberShape, poolShape } from './shapes.ts';
import type { GivenListener, GivenPool } from './trees.ts';

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
  const held = given.listeners.flatMap(({ defaultPool }, index) => {
    if (defaultPool === null || 'isReference' in defaultPool) return [];
    const pool = newPool(defaultPool, commandId, 'listeners', index);
    // A pool that only its listener knows needs no name.
    if (defaultPool.name !== '') enter(defaultPool, pool.id, `listeners[${index}].defaultPool`);
    return [{ index, pool }];
  });
  const listeners = given.listeners.map((listener, index): NewListener => {
    const { defaultPool } = listener;
    const own = held.find((candidate) => candidate.index === index)?.pool.id ?? null;
    const isReference = defaultPool !== null && 'isReference' in defaultPool;
    const defaultPoolId = isReference ? (named.get(defaultPool.name) ?? null) : own;
    if (isReference && defaultPoolId === null) {
      throw invalid(
        `the request has no pool with the name '${defaultPool.name}'`,
        `listeners[${index}].defaultPool.name`,
      );
    }
    const attributes = attributesIn(listenerShape, { ...listener, defaultPoolId });
    return { id: deriveId(commandId, 'listeners', index), attributes };
  });
  return { listeners, pools: [...pools, ...held.map(({ pool }) => pool)] };
}

function invalid(what: string, field: string): RpcError {
  return new RpcError('invalid', `Validation failure: ${what}`, { field });
}
