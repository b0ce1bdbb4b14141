// Lists of objects as the REST API wants them: any attribute as a filter, any order, pages in both directions, tags,
// and the project of every object. One query per list, whatever is asked.
import { getTableColumns } from 'drizzle-orm';
import type { Pool } from 'pg';
import { isUuid } from '../../domain/ids.ts';
import type { ObjectKind } from '../../domain/load-balancer/state.ts';
import type { Listed, ListedKind, ObjectQuery } from '../../domain/object-query.ts';
import { projections } from '../schema/projections.ts';
import { select, shownColumns, tables, untold } from './objects.ts';
import { amphoraJson, isOf, shownStatus } from './amphorae.ts';
import { type JsonRow, viewOf } from './view.ts';

type ColumnType = 'uuid' | 'text' | 'number' | 'boolean' | 'time';

interface Column {
  readonly type: ColumnType;
  /** Where it comes from when it is not in the object's own table: SQL about the row `t`; `o` is what heartbeats say of it. */
  readonly derived?: string;
}

/** Columns that can be filtered and sorted by, of each kind. */
const columns: Readonly<Record<ListedKind, ReadonlyMap<string, Column>>> = {
  loadBalancer: columnsOf('loadBalancer', 'loadBalancers'),
  listener: columnsOf('listener', 'listeners'),
  pool: columnsOf('pool', 'pools'),
  member: columnsOf('member', 'members'),
  healthMonitor: columnsOf('healthMonitor', 'healthMonitors'),
  l7Policy: columnsOf('l7Policy', 'l7Policies'),
  l7Rule: columnsOf('l7Rule', 'l7Rules'),
  amphora: columnsOf('amphora', 'amphorae'),
};

function columnsOf(kind: ListedKind, name: keyof typeof projections): ReadonlyMap<string, Column> {
  // A policy's position is the user's; that of others is their place in order of creation.
  const internal = name === 'l7Policies' ? ['generation'] : ['position', 'generation'];
  const own = Object.values(getTableColumns(projections[name])).flatMap((column): [string, Column][] => {
    const type = columnType(column.getSQLType());
    return type === undefined || internal.includes(column.name) ? [] : [[column.name, { type }]];
  });
  return new Map([...own, ...Object.entries(derivedColumns(kind))]);
}

function derivedColumns(kind: ListedKind): Readonly<Record<string, Column>> {
  const text = (derived: string): Column => ({ type: 'text', derived });
  const ofOwner = (what: string) => `(select ${what} from load_balancers l where l.id = t.load_balancer_id)`;
  if (kind === 'amphora') {
    return {
      vip_address: text(ofOwner('l.vip_address')),
      vip_port_id: text(ofOwner('l.vip_port_id')),
      vrrp_address: text(ofOwner("l.vrrp_ports -> t.id::text ->> 'address'")),
      vrrp_port_id: text(ofOwner("l.vrrp_ports -> t.id::text ->> 'portId'")),
    };
  }
  const monitor =
    'select h.id from health_monitors h where h.load_balancer_id = t.load_balancer_id and h.pool_id = t.id';
  return {
    operating_status: text(`coalesce(o.status, ${untold[kind]})`),
    ...(kind !== 'loadBalancer' && { project_id: text(ofOwner('l.project_id')) }),
    ...(kind === 'pool' && { health_monitor_id: { type: 'uuid', derived: `(${monitor})` } as const }),
  };
}

function columnType(sqlType: string): ColumnType | undefined {
  if (sqlType === 'uuid' || sqlType === 'text' || sqlType === 'boolean') return sqlType;
  if (sqlType === 'integer' || sqlType === 'double precision') return 'number';
  return sqlType.startsWith('timestamp') ? 'time' : undefined;
}

/** Names of columns that a query may filter and sort by. */
export function queryableColumns(kind: ListedKind): readonly string[] {
  return [...columns[kind].keys()].filter((column) => column !== 'error_reason');
}

/** A page. A marker that is not there gives nothing. Columns must be among `queryableColumns`. */
export async function queryObjects<K extends ListedKind>(
  pool: Pool,
  kind: K,
  query: ObjectQuery,
): Promise<readonly Listed<K>[]> {
  const { text, values } = statementOf(kind, query);
  const { rows } = await pool.query<{ row: JsonRow }>(text, values);
  const views = rows.map(({ row }) => viewOf<Listed<K>>(row, shownColumns(kind)));
  return query.isReverse ? views.toReversed() : views;
}

function statementOf(kind: ListedKind, query: ObjectQuery): { readonly text: string; readonly values: unknown[] } {
  const values: unknown[] = [];
  const bind = (value: unknown) => `$${values.push(value)}`;
  const filters = query.filters.map(({ column, value }) => comparison(kind, column, value, bind));
  if (query.projectId !== null) filters.push(comparison(kind, 'project_id', query.projectId, bind));
  const conditions = [...filters, ...(kind === 'amphora' ? [] : tagConditions(query.tags, bind))];
  const keys = sortKeys(kind, query);
  if (query.marker !== null) {
    if (!isUuid(query.marker)) conditions.push('false');
    else {
      const marker = `(select to_jsonb(m) from ${tableOf(kind)} m where m.id = ${bind(query.marker)}::uuid)`;
      conditions.push(afterMarker(keys, kind, marker));
    }
  }
  const where = conditions.length === 0 ? 'true' : conditions.join(' and ');
  const order = keys.map(({ column, isDescending }) => `${expression(kind, column)}${isDescending ? ' desc' : ''}`);
  // Bound only where the text has it: PostgreSQL refuses a parameter that is not used.
  const owner =
    kind === 'amphora' ? query.filters.find(({ column, value }) => column === ownerColumn && isUuid(value)) : undefined;
  const shownAs = owner && `${bind(owner.value)}::uuid`;
  return { text: `${selectFrom(kind, where, shownAs)} order by ${order.join()} limit ${bind(query.limit)}`, values };
}

const ownerColumn = 'load_balancer_id';

function tableOf(kind: ListedKind): string {
  return kind === 'amphora' ? 'amphorae' : tables[kind];
}

/** An amphora that is shared is shown as that of the load balancer that is asked for; else as that of the first. */
function selectFrom(kind: ListedKind, where: string, owner = 't.load_balancer_id'): string {
  if (kind !== 'amphora') return select(kind, where, `'project_id', ${expression(kind, 'project_id')}`);
  return `select ${amphoraJson} || jsonb_build_object('load_balancer_id', ${owner}, 'vip_address', l.vip_address,
      'vip_port_id', l.vip_port_id, 'vrrp_address', l.vrrp_ports -> t.id::text ->> 'address',
      'vrrp_port_id', l.vrrp_ports -> t.id::text ->> 'portId') as row
    from amphorae t left join load_balancers l on l.id = ${owner} where ${where}`;
}

/** A column of the object, in SQL. Names come from `columns` alone, never from outside. */
function expression(kind: ListedKind, column: string): string {
  if (column === 'position') return 't.position';
  const known = columns[kind].get(column);
  if (known === undefined) throw new Error(`${kind} has no column ${column}`);
  return known.derived ?? `t.${column}`;
}

function comparison(kind: ListedKind, column: string, value: string, bind: (value: unknown) => string): string {
  // As it is shown.
  const left = kind === 'amphora' && column === 'status' ? shownStatus : expression(kind, column);
  switch (columns[kind].get(column)?.type) {
    case 'uuid':
      if (!isUuid(value)) return 'false';
      if (kind === 'amphora' && column === ownerColumn) return isOf(`${bind(value)}::uuid`);
      return `${left} = ${bind(value)}::uuid`;
    case 'number':
      return /^-?\d{1,15}(\.\d+)?$/.test(value) ? `${left} = ${bind(value)}::numeric` : 'false';
    case 'boolean':
      return /^(true|false|1|0|yes|no|on|off)$/i.test(value) ? `${left} = ${bind(value)}::boolean` : 'false';
    case 'time': {
      const at = Date.parse(/Z$|[+-]\d\d:\d\d$/.test(value) ? value : `${value}Z`);
      // PostgreSQL and JavaScript write other years differently.
      if (!/^[0-9]{4}-/.test(value)) return 'false';
      return Number.isNaN(at) ? 'false' : `date_trunc('second', ${left}) = ${bind(new Date(at).toISOString())}`;
    }
    default:
      return `${left} = ${bind(value)}`;
  }
}

function tagConditions(tags: ObjectQuery['tags'], bind: (value: unknown) => string): readonly string[] {
  const holds = (wanted: readonly string[], operator: string) =>
    wanted.length === 0 ? [] : [`t.tags ${operator} ${bind(wanted)}::text[]`];
  return [
    ...holds(tags.all, '?&'),
    ...holds(tags.any, '?|'),
    ...holds(tags.notAll, '?&').map((condition) => `not (${condition})`),
    ...holds(tags.notAny, '?|').map((condition) => `not (${condition})`),
  ];
}

interface SortKey {
  readonly column: string;
  readonly isDescending: boolean;
}

/** What was created together comes in the order of its request. */
function sortKeys(kind: ListedKind, { sort, isReverse }: ObjectQuery): readonly SortKey[] {
  const last = kind === 'loadBalancer' || kind === 'amphora' ? ['created_at', 'id'] : ['created_at', 'position', 'id'];
  const keys = [...sort, ...last.map((column) => ({ column, isDescending: false }))];
  return keys.map(({ column, isDescending }) => ({ column, isDescending: isDescending !== isReverse }));
}

/** Lexicographic: later in the first key, or alike there and later in the second, and so on. Nulls are the largest. */
function afterMarker(keys: readonly SortKey[], kind: ListedKind, marker: string): string {
  const alternatives = keys.map(({ column, isDescending }, index) => {
    const alike = keys
      .slice(0, index)
      .map((key) => `${own(kind, key)} is not distinct from ${theirs(kind, key, marker)}`);
    const [smaller, larger] = [own(kind, { column }), theirs(kind, { column }, marker)];
    const later = isDescending
      ? `(${smaller} < ${larger} or (${larger} is null and ${smaller} is not null))`
      : `(${smaller} > ${larger} or (${smaller} is null and ${larger} is not null))`;
    return `(${[...alike, later].join(' and ')})`;
  });
  return `(${marker} is not null and (${alternatives.join(' or ')}))`;
}

function own(kind: ListedKind, { column }: Pick<SortKey, 'column'>): string {
  return expression(kind, column);
}

const casts: Readonly<Record<ColumnType, string>> = {
  uuid: 'uuid',
  text: 'text',
  number: 'numeric',
  boolean: 'boolean',
  time: 'timestamptz',
};

/** The marker's value of that key. What is not in its own row is looked up for it. */
function theirs(kind: ListedKind, { column }: Pick<SortKey, 'column'>, marker: string): string {
  const { type, derived } = columns[kind].get(column) ?? { type: 'number' };
  if (derived === undefined) return `(${marker}->>'${column}')::${casts[type]}`;
  return `(select ${derived} from ${tableOf(kind)} t left join operating_statuses o on o.object_id = t.id
    where t.id = (${marker}->>'id')::uuid)`;
}

/** Where an object is, for what has to be known before it may be changed. */
export interface ObjectPlace {
  readonly loadBalancerId: string;
  readonly projectId: string;
  /** Of its load balancer. */
  readonly provisioningStatus: string;
}

/** Undefined when it is not there. */
export async function placeOf(pool: Pool, kind: ObjectKind, id: string): Promise<ObjectPlace | undefined> {
  const owner = kind === 'loadBalancer' ? 't.id' : 't.load_balancer_id';
  const text = `select l.id, l.project_id, l.provisioning_status from ${tables[kind]} t
    join load_balancers l on l.id = ${owner} where t.id = $1`;
  const { rows } = await pool.query<{ id: string; project_id: string; provisioning_status: string }>({
    name: `place_${kind}`,
    text,
    values: [id],
  });
  const row = rows[0];
  return row && { loadBalancerId: row.id, projectId: row.project_id, provisioningStatus: row.provisioning_status };
}
