// Views of a load balancer's objects, from the tables for reading. A row comes as JSON with what stands beside the
// table: operating status, ids of neighbours. One query per answer, whatever the answer is made of.
import { getTableName } from 'drizzle-orm';
import type { Pool } from 'pg';
import type { ObjectKind } from '../../domain/load-balancer/state.ts';
import type { ListedKind } from '../../domain/object-query.ts';
import type {
  HealthMonitorView,
  L7PolicyView,
  L7RuleView,
  ListenerView,
  LoadBalancerTreeView,
  LoadBalancerView,
  MemberView,
  PoolStatusView,
  PoolTreeView,
  PoolView,
  StatusTreeView,
  StatusView,
  Views,
} from '../../domain/views.ts';
import { projections } from '../schema/projections.ts';
import type { Queryable } from '../one-moment.ts';
import { type JsonRow, viewOf } from './view.ts';

export const tables: Readonly<Record<ObjectKind, string>> = {
  loadBalancer: getTableName(projections.loadBalancers),
  listener: getTableName(projections.listeners),
  pool: getTableName(projections.pools),
  member: getTableName(projections.members),
  healthMonitor: getTableName(projections.healthMonitors),
  l7Policy: getTableName(projections.l7Policies),
  l7Rule: getTableName(projections.l7Rules),
};

const ids = (table: string, where: string) =>
  `(select coalesce(jsonb_agg(c.id order by c.position), '[]') from ${table} c where ${where})`;

/** Whether a listener has a pool as its default, or has a policy that leads to it. */
function leadsTo(listener: string, poolId: string): string {
  return `(${listener}.default_pool_id = ${poolId}
    or exists (select 1 from l7_policies p where p.listener_id = ${listener}.id and p.redirect_pool_id = ${poolId}))`;
}

/** Columns of a view that its own table does not have. */
const besides: Readonly<Record<ObjectKind, string>> = {
  loadBalancer: `'listeners', ${ids('listeners', 'c.load_balancer_id = t.id')}, 'pools', ${ids('pools', 'c.load_balancer_id = t.id')}`,
  listener: `'l7_policies', ${ids('l7_policies', 'c.listener_id = t.id')}`,
  pool: `'listeners', ${ids('listeners', `c.load_balancer_id = t.load_balancer_id and ${leadsTo('c', 't.id')}`)},
    'members', ${ids('members', 'c.pool_id = t.id')},
    'health_monitor_id', (select c.id from health_monitors c where c.load_balancer_id = t.load_balancer_id and c.pool_id = t.id)`,
  member: '',
  healthMonitor: '',
  l7Policy: `'rules', ${ids('l7_rules', 'c.l7_policy_id = t.id')}`,
  l7Rule: '',
};

/** What is not measured is ONLINE as soon as amphorae have it. */
const unmeasured = `case when t.admin_state_up and t.provisioning_status not in ('PENDING_CREATE', 'ERROR') then 'ONLINE' else 'OFFLINE' end`;

/** What an object is as long as no heartbeat has told. */
export const untold: Readonly<Record<ObjectKind, string>> = {
  loadBalancer: `'OFFLINE'`,
  listener: `'OFFLINE'`,
  pool: `'OFFLINE'`,
  member: `case when exists (select 1 from health_monitors h where h.load_balancer_id = t.load_balancer_id and h.pool_id = t.pool_id)
      then 'OFFLINE' else 'NO_MONITOR' end`,
  healthMonitor: unmeasured,
  l7Policy: unmeasured,
  l7Rule: unmeasured,
};

/** `t` is the object, `o` what heartbeats say of it. `extra` adds fields: pairs of name and expression. */
export function select(kind: ObjectKind, where: string, extra = ''): string {
  const more = [besides[kind], extra].map((pairs) => (pairs === '' ? '' : `, ${pairs}`)).join('');
  return `select '${kind}' as kind,
    to_jsonb(t) || jsonb_build_object('operating_status', coalesce(o.status, ${untold[kind]})${more}) as row
    from ${tables[kind]} t left join operating_statuses o on o.object_id = t.id where ${where}`;
}

export interface Selected {
  readonly kind: ObjectKind;
  readonly row: JsonRow;
}

export function asView<K extends ObjectKind>({ kind, row }: Selected): Views[K] {
  return viewOf(row, shownColumns(kind));
}

/** A policy's position is the user's; that of others is their place in order of creation. */
export function shownColumns(kind: ListedKind): readonly string[] {
  return kind === 'l7Policy' ? ['position'] : [];
}

/** An object; undefined when it is not there, or deleted. */
export async function findObject<K extends ObjectKind>(pool: Pool, kind: K, id: string): Promise<Views[K] | undefined> {
  const text = select(kind, 't.id = $1');
  const { rows } = await pool.query<Selected>({ name: `find_${kind}`, text, values: [id] });
  return rows[0] === undefined ? undefined : asView(rows[0]);
}

/** The load balancer that an object belongs to; undefined when the object is not there. */
export async function loadBalancerOf(
  pool: Pool,
  kind: Exclude<ObjectKind, 'loadBalancer'>,
  id: string,
): Promise<{ readonly loadBalancerId: string; readonly poolId: string | null } | undefined> {
  const poolId = kind === 'member' || kind === 'healthMonitor' ? 'pool_id' : 'null::uuid';
  const text = `select load_balancer_id, ${poolId} as pool_id from ${tables[kind]} where id = $1`;
  const { rows } = await pool.query<{ load_balancer_id: string; pool_id: string | null }>(text, [id]);
  return rows[0] && { loadBalancerId: rows[0].load_balancer_id, poolId: rows[0].pool_id };
}

/** Subnets that members of the pool are on. */
export async function memberSubnets(pool: Pool, poolId: string): Promise<readonly string[]> {
  const text = `select distinct subnet_id from ${tables.member} where pool_id = $1 and subnet_id is not null`;
  const { rows } = await pool.query<{ subnet_id: string }>(text, [poolId]);
  return rows.map((row) => row.subnet_id);
}

/** What lists can be narrowed by. */
export type ListColumn = 'project_id' | 'load_balancer_id' | 'pool_id' | 'listener_id' | 'l7_policy_id';

export interface ListQuery {
  /** Only objects with this value; null for all. */
  readonly within: { readonly column: ListColumn; readonly value: string } | null;
  readonly limit: number;
  /** Id of the last object of the page before. After one that is gone comes nothing. */
  readonly marker: string | null;
}

/** A page, oldest first; what was created together comes in the order of the request. */
export async function listObjects<K extends ObjectKind>(
  pool: Pool,
  kind: K,
  { within, limit, marker }: ListQuery,
): Promise<readonly Views[K][]> {
  const conditions = ['true'];
  const values: unknown[] = [limit];
  if (within !== null) conditions.push(`t.${within.column} = $${values.push(within.value)}`);
  const order = (table: string) =>
    (kind === 'loadBalancer' ? ['created_at', 'id'] : ['created_at', 'position', 'id'])
      .map((column) => `${table}.${column}`)
      .join();
  if (marker !== null) {
    const place = `select ${order('m')} from ${tables[kind]} m where m.id = $${values.push(marker)}`;
    conditions.push(`(${order('t')}) > (${place})`);
  }
  const text = `${select(kind, conditions.join(' and '))} order by ${order('t')} limit $1`;
  const { rows } = await pool.query<Selected>(text, values);
  return rows.map((row) => asView(row));
}

/** Every object of a load balancer; `loadBalancer` is undefined when there is none of that id. */
interface Everything {
  readonly loadBalancer: LoadBalancerView | undefined;
  readonly listeners: readonly ListenerView[];
  readonly pools: readonly PoolView[];
  readonly members: readonly MemberView[];
  readonly healthMonitors: readonly HealthMonitorView[];
  readonly l7Policies: readonly L7PolicyView[];
  readonly l7Rules: readonly L7RuleView[];
}

const everythingSql = [
  select('loadBalancer', 't.id = $1'),
  ...(['listener', 'pool', 'member', 'healthMonitor', 'l7Policy', 'l7Rule'] as const).map((kind) =>
    select(kind, 't.load_balancer_id = $1'),
  ),
].join('\nunion all ');

async function everythingOf(pool: Queryable, loadBalancerId: string): Promise<Everything> {
  const { rows } = await pool.query<Selected>({ name: 'everything', text: everythingSql, values: [loadBalancerId] });
  const ordered = rows.toSorted((a, b) => Number(a.row['position'] ?? 0) - Number(b.row['position'] ?? 0));
  const of = <K extends ObjectKind>(kind: K) =>
    ordered.filter((row) => row.kind === kind).map((row): Views[K] => asView(row));
  return {
    loadBalancer: of('loadBalancer')[0],
    listeners: of('listener'),
    pools: of('pool'),
    members: of('member'),
    healthMonitors: of('healthMonitor'),
    l7Policies: of('l7Policy'),
    l7Rules: of('l7Rule'),
  };
}

/** A load balancer with everything in it; undefined when it is not there. */
export async function loadBalancerTree(pool: Queryable, id: string): Promise<LoadBalancerTreeView | undefined> {
  const { loadBalancer, listeners, pools, members, healthMonitors, l7Policies, l7Rules } = await everythingOf(pool, id);
  if (loadBalancer === undefined) return undefined;
  const policies = l7Policies.map((view) => ({
    ...view,
    rules: l7Rules.filter((rule) => rule.l7PolicyId === view.id),
  }));
  const trees = pools.map(
    ({ healthMonitorId, ...view }): PoolTreeView => ({
      ...view,
      members: members.filter((member) => member.poolId === view.id),
      healthMonitor: healthMonitors.find((monitor) => monitor.id === healthMonitorId) ?? null,
    }),
  );
  return {
    ...loadBalancer,
    listeners: listeners.map((view) => ({
      ...view,
      l7Policies: policies.filter((policy) => policy.listenerId === view.id),
    })),
    pools: trees,
  };
}

/** Statuses of a load balancer and what its listeners lead to; undefined when it is not there. */
export async function statusTree(pool: Pool, id: string): Promise<StatusTreeView | undefined> {
  const tree = await loadBalancerTree(pool, id);
  if (tree === undefined) return undefined;
  const pools = new Map(tree.pools.map((view) => [view.id as string, poolStatus(view)]));
  const listeners = tree.listeners.map((listener) => {
    const { protocol, protocolPort, l7Policies } = listener;
    const used = new Set([listener.defaultPoolId, ...l7Policies.map((policy) => policy.redirectPoolId)]);
    const statuses = [...used].map((poolId) => (poolId === null ? undefined : pools.get(poolId)));
    return {
      ...statusOf(listener),
      protocol,
      protocolPort,
      l7Policies: l7Policies.map((policy) => ({ ...statusOf(policy), action: policy.action })),
      pools: statuses.filter((status) => status !== undefined),
    };
  });
  const used = new Set(listeners.flatMap((listener) => listener.pools.map(({ id: poolId }) => poolId)));
  return { ...statusOf(tree), listeners, pools: [...pools.values()].filter(({ id: poolId }) => !used.has(poolId)) };
}

function poolStatus(view: PoolTreeView): PoolStatusView {
  const { healthMonitor } = view;
  return {
    ...statusOf(view),
    healthMonitor: healthMonitor === null ? null : { ...statusOf(healthMonitor), type: healthMonitor.type },
    members: view.members.map((member) => {
      const { address, protocolPort } = member;
      return { ...statusOf(member), address, protocolPort };
    }),
  };
}

function statusOf({ id, name, provisioningStatus, operatingStatus }: StatusView): StatusView {
  return { id, name, provisioningStatus, operatingStatus };
}
