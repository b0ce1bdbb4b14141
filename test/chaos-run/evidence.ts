// What a run is judged from: the clients' own logs, the rows and the journal in the database, and the world with its log
// of calls. Nothing that a node says of itself.
import type { CallRecord } from '../../src/drivers/noop-world/protocol.ts';
import type { CommandLog } from './client.ts';
import type { Cluster, Sample } from './cluster.ts';
import type { Script } from './model.ts';
import type { WorldSight } from './world.ts';

export interface JournalRow {
  readonly kind: string;
  readonly id: string;
  readonly seq: number;
  readonly node: string;
  readonly epoch: number;
  readonly commandId: string | null;
  /** Milliseconds since the epoch, on the database's clock: when the statement began that wrote it. */
  readonly at: number;
  readonly events: readonly (Readonly<Record<string, unknown>> & { readonly type: string })[];
}

export interface EntityRow {
  readonly kind: string;
  readonly id: string;
  readonly shard: number;
  readonly isOver: boolean;
  readonly hasWork: boolean;
  readonly wakeAt: number | null;
  readonly fault: string | null;
}

/** A row for reading of any kind; `values` as the tables name them. */
export interface ObjectRow {
  readonly id: string;
  readonly loadBalancerId: string | null;
  readonly status: string;
  readonly values: Readonly<Record<string, unknown>>;
}

export interface DatabaseEvidence {
  readonly entities: readonly EntityRow[];
  readonly journal: readonly JournalRow[];
  /** Command id → `ok` or `refused`. */
  readonly answers: ReadonlyMap<string, string>;
  readonly loadBalancers: readonly ObjectRow[];
  readonly listeners: readonly ObjectRow[];
  readonly pools: readonly ObjectRow[];
  readonly members: readonly ObjectRow[];
  readonly healthMonitors: readonly ObjectRow[];
  readonly amphorae: readonly ObjectRow[];
}

export interface Evidence extends DatabaseEvidence {
  readonly scripts: readonly Script[];
  readonly logs: readonly CommandLog[];
  readonly samples: readonly Sample[];
  readonly databaseReturns: readonly number[];
  readonly world: WorldSight;
  readonly calls: readonly CallRecord[];
  /** When it was gathered, milliseconds since the epoch. */
  readonly at: number;
}

type Query = Cluster['query'];

export async function readDatabase(query: Query): Promise<DatabaseEvidence> {
  const [entities, journal, answers] = await Promise.all([entityRows(query), journalRows(query), answerRows(query)]);
  const [loadBalancers, listeners, pools, members, healthMonitors, amphorae] = await Promise.all([
    objectRows(query, 'load_balancers', 'id'),
    objectRows(query, 'listeners', 'load_balancer_id'),
    objectRows(query, 'pools', 'load_balancer_id'),
    objectRows(query, 'members', 'load_balancer_id'),
    objectRows(query, 'health_monitors', 'load_balancer_id'),
    objectRows(query, 'amphorae', 'load_balancer_id', 'status'),
  ]);
  return { entities, journal, answers, loadBalancers, listeners, pools, members, healthMonitors, amphorae };
}

export function entityRows(query: Query): Promise<readonly EntityRow[]> {
  return query<EntityRow & { [column: string]: unknown }>(
    `select kind, id, shard, is_over as "isOver", has_work as "hasWork", fault,
            (extract(epoch from wake_at) * 1000)::float8 as "wakeAt" from entities`,
  );
}

function journalRows(query: Query): Promise<readonly JournalRow[]> {
  return query<JournalRow & { [column: string]: unknown }>(
    `select kind, entity_id as id, seq::float8 as seq, node, epoch::float8 as epoch, command_id as "commandId",
            (extract(epoch from at) * 1000)::float8 as at, events
     from journal order by kind, entity_id, seq`,
  );
}

async function answerRows(query: Query): Promise<ReadonlyMap<string, string>> {
  const rows = await query<{ id: string; type: string }>(`select id, answer ->> 'type' as type from commands`);
  return new Map(rows.map(({ id, type }) => [id, type]));
}

async function objectRows(
  query: Query,
  table: string,
  owner: string,
  status = 'provisioning_status',
): Promise<readonly ObjectRow[]> {
  const rows = await query<{ id: string; owner: string | null; status: string; values: ObjectRow['values'] }>(
    `select id, ${owner} as owner, ${status} as status, to_jsonb(t) as values from ${table} t`,
  );
  return rows.map(({ owner: loadBalancerId, ...row }) => ({ ...row, loadBalancerId }));
}
