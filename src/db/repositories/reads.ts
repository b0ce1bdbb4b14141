// All queries for views, on one pool of connections.
import type { Pool } from 'pg';
import type { ObjectKind } from '../../domain/load-balancer/state.ts';
import { type AmphoraQuery, findAmphora, listAmphorae, listNodes } from './amphorae.ts';
import { findAnswer } from './commands.ts';
import { explainLoadBalancer, listHistory } from './explain.ts';
import { findObject, type ListQuery, listObjects, loadBalancerOf, loadBalancerTree, statusTree } from './objects.ts';

export function readsOf(pool: Pool) {
  return {
    findObject: <K extends ObjectKind>(kind: K, id: string) => findObject(pool, kind, id),
    listObjects: <K extends ObjectKind>(kind: K, query: ListQuery) => listObjects(pool, kind, query),
    loadBalancerOf: (kind: Exclude<ObjectKind, 'loadBalancer'>, id: string) => loadBalancerOf(pool, kind, id),
    loadBalancerTree: (id: string) => loadBalancerTree(pool, id),
    statusTree: (id: string) => statusTree(pool, id),
    explainLoadBalancer: (id: string) => explainLoadBalancer(pool, id),
    findAmphora: (id: string) => findAmphora(pool, id),
    listAmphorae: (query: AmphoraQuery) => listAmphorae(pool, query),
    listNodes: () => listNodes(pool),
    listHistory: (kind: 'loadBalancer' | 'amphora', id: string, limit: number) => listHistory(pool, kind, id, limit),
    findAnswer: (commandId: string) => findAnswer(pool, commandId),
  };
}
