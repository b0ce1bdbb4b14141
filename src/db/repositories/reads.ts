// All queries for views, on one pool of connections. They wait for a database that is away.
import type { Pool } from 'pg';
import type { ObjectKind } from '../../domain/load-balancer/state.ts';
import type { ListedKind, ObjectQuery } from '../../domain/object-query.ts';
import { patiently } from '../patience.ts';
import { type AlertQuery, findAlert, listAlerts } from './alerts.ts';
import { type AmphoraQuery, findAmphora, listAmphorae, listNodes } from './amphorae.ts';
import { findAnswer } from './commands.ts';
import { explainLoadBalancer, listHistory } from './explain.ts';
import {
  findObject,
  type ListQuery,
  listObjects,
  loadBalancerOf,
  loadBalancerTree,
  memberSubnets,
  statusTree,
} from './objects.ts';
import { amphoraStatistics, statisticsOf } from './statistics.ts';
import { listHeld } from './held-failovers.ts';
import { placeOf, queryableColumns, queryObjects } from './query.ts';

export function readsOf(pool: Pool) {
  return {
    findObject: <K extends ObjectKind>(kind: K, id: string) => patiently(() => findObject(pool, kind, id)),
    listObjects: <K extends ObjectKind>(kind: K, query: ListQuery) => patiently(() => listObjects(pool, kind, query)),
    queryObjects: <K extends ListedKind>(kind: K, query: ObjectQuery) =>
      patiently(() => queryObjects(pool, kind, query)),
    queryableColumns,
    placeOf: (kind: ObjectKind, id: string) => patiently(() => placeOf(pool, kind, id)),
    loadBalancerOf: (kind: Exclude<ObjectKind, 'loadBalancer'>, id: string) =>
      patiently(() => loadBalancerOf(pool, kind, id)),
    memberSubnets: (poolId: string) => patiently(() => memberSubnets(pool, poolId)),
    loadBalancerTree: (id: string) => patiently(() => loadBalancerTree(pool, id)),
    statusTree: (id: string) => patiently(() => statusTree(pool, id)),
    statisticsOf: (kind: 'loadBalancer' | 'listener', id: string) => patiently(() => statisticsOf(pool, kind, id)),
    amphoraStatistics: (id: string) => patiently(() => amphoraStatistics(pool, id)),
    explainLoadBalancer: (id: string) => patiently(() => explainLoadBalancer(pool, id)),
    findAlert: (id: string) => patiently(() => findAlert(pool, id)),
    listAlerts: (query: AlertQuery) => patiently(() => listAlerts(pool, query)),
    findAmphora: (id: string) => patiently(() => findAmphora(pool, id)),
    listAmphorae: (query: AmphoraQuery) => patiently(() => listAmphorae(pool, query)),
    listHeld: (limit: number) => patiently(() => listHeld(pool, limit)),
    listNodes: () => patiently(() => listNodes(pool)),
    listHistory: (kind: 'loadBalancer' | 'amphora', id: string, limit: number) =>
      patiently(() => listHistory(pool, kind, id, limit)),
    findAnswer: (commandId: string) => patiently(() => findAnswer(pool, commandId)),
  };
}
