// From views to what clients read: the API's names, times without zone, ids of neighbours as objects.
import type { ObjectKind } from '../domain/load-balancer/state.ts';
import { apiName, namedObjects, renamed } from './names.ts';
import { nestedKinds } from './resources.ts';

export type Json = Readonly<Record<string, unknown>>;

/** Fields of views that answers do not have. Reasons of errors name machines: they are for operators (`amphi lb explain`). */
const hidden = new Set(['errorReason', 'loadBalancerId', 'projectId']);
/** Fields of some kinds that answers do not have either. */
const hiddenOf: Readonly<Partial<Record<ObjectKind, ReadonlySet<string>>>> = {
  member: new Set(['poolId']),
  healthMonitor: new Set(['poolId']),
  l7Rule: new Set(['l7PolicyId']),
};

/** An object as answers show it. Objects inside, as a create answers, are shown in full. */
export function answerOf(kind: ObjectKind, view: object, projectId: string): Json {
  const answer: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(view)) {
    if (hidden.has(field) || hiddenOf[kind]?.has(field) === true) continue;
    answer[apiName(field)] = valueOf(field, value, projectId);
  }
  answer['project_id'] = projectId;
  answer['tenant_id'] = projectId;
  Object.assign(answer, ownersOf(kind, view as Owned), adjusted[kind]?.(answer));
  return answer;
}

function valueOf(field: string, value: unknown, projectId: string): unknown {
  if (field.endsWith('At') && typeof value === 'string') return withoutZone(value);
  if (namedObjects.has(field)) return renamed(value, apiName);
  const kind = nestedKinds[field];
  if (kind === undefined) return value;
  if (Array.isArray(value)) {
    return value.map((item: unknown) =>
      typeof item === 'string' ? { id: item } : answerOf(kind, item as object, projectId),
    );
  }
  return typeof value === 'object' && value !== null ? answerOf(kind, value, projectId) : value;
}

/** `2026-01-01T00:00:00.000Z` → `2026-01-01T00:00:00`. */
export function withoutZone(time: string): string {
  return time.slice(0, 19);
}

interface Owned {
  readonly loadBalancerId?: string;
  readonly poolId?: string;
}

function ownersOf(kind: ObjectKind, { loadBalancerId, poolId }: Owned): Json {
  if (kind === 'listener' || kind === 'pool') return { loadbalancers: [{ id: loadBalancerId }] };
  return kind === 'healthMonitor' ? { pools: [{ id: poolId }] } : {};
}

/** What only a request over HTTP has. */
const requestAttributes = ['http_method', 'url_path', 'expected_codes', 'http_version', 'domain_name'];

const adjusted: Readonly<Partial<Record<ObjectKind, (answer: Json) => Json>>> = {
  listener: ({ insert_headers: headers, allowed_cidrs: cidrs }) => ({
    // Nobody is kept out: Octavia has no list then.
    allowed_cidrs: Array.isArray(cidrs) && cidrs.length === 0 ? null : cidrs,
    insert_headers: Object.fromEntries(
      Object.entries((headers ?? {}) as Json).map(([name, isOn]) => [name, String(isOn)]),
    ),
  }),
  pool: ({ session_persistence: persistence }) => ({
    session_persistence:
      typeof persistence === 'object' && persistence !== null
        ? { persistence_timeout: null, persistence_granularity: null, ...persistence }
        : null,
  }),
  healthMonitor: ({ type }) =>
    type === 'HTTP' || type === 'HTTPS'
      ? {}
      : Object.fromEntries(requestAttributes.map((attribute) => [attribute, null])),
};
