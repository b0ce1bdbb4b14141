// Quotas of projects. Clients of different ages spell load balancers and health monitors differently: both are taken, and
// both are shown.
import { type Quotas, quotaKinds } from '../domain/quota.ts';
import type { Caller } from './access.ts';
import { ApiError, forbidden } from './errors.ts';
import { invalidInput, unknownAttribute, unwrap } from './bodies.ts';
import { apiName } from './names.ts';
import type { ObjectOptions } from './objects.ts';
import type { ApiPorts } from './ports.ts';
import { listRequest, onlyFields, pageLinks } from './query.ts';
import { type ApiRequest, change, type Route } from './request.ts';

const resource = { singular: 'quota', argument: 'quotas.quota' };
const base = '/v2/lbaas/quotas';
const oldSpellings = { load_balancer: 'loadBalancer', health_monitor: 'healthMonitor' } as const;

/** The API's name → ours. */
const kinds: ReadonlyMap<string, string> = new Map([
  ...quotaKinds.map((kind) => [apiName(kind), kind] as const),
  ...Object.entries(oldSpellings),
]);

export function quotaRoutes(ports: ApiPorts, { mostPerPage, foreign }: ObjectOptions): readonly Route[] {
  const defaults = async (request: ApiRequest) => {
    return { status: 200, body: { quota: answerOf(await change(ports, 'quota.defaults', {}, request)) } };
  };
  const show = async (request: ApiRequest) => {
    const projectId = visibleProject(request, foreign);
    return { status: 200, body: { quota: answerOf(await change(ports, 'quota.show', { projectId }, request)) } };
  };
  const list = async (request: ApiRequest) => {
    const { query, caller, path, base: origin } = request;
    const columns = new Set(['project_id']);
    const scope = seesAllQuotas(caller) ? null : caller.projectId;
    const asked = listRequest({ columns, params: query, scope, mostPerPage });
    const { limit, projectId } = asked.query;
    const marker = asked.marker === null ? {} : { marker: asked.marker };
    const page = { ...marker, ...(projectId === null ? { limit: Math.min(limit, 1_000) } : { projectId }) };
    const { items } = asked.isEmpty ? { items: [] } : await change(ports, 'quota.list', page, request);
    const quotas = items.map((item) => onlyFields(answerOf(item), asked.fields));
    const ids = items.map((item) => item.projectId);
    const links = pageLinks(origin + path, query, asked, ids);
    return { status: 200, body: { quotas, quotas_links: links } };
  };
  const update = async (request: ApiRequest) => {
    const limits = limitsIn(unwrap(request.body, resource));
    const params = { ...limits, projectId: request.params['project'] ?? '' };
    return { status: 202, body: { quota: answerOf(await change(ports, 'quota.set', params, request)) } };
  };
  const reset = async (request: ApiRequest) => {
    await change(ports, 'quota.reset', { projectId: request.params['project'] ?? '' }, request);
    return { status: 202 };
  };
  const one = `${base}/:project`;
  return [
    {
      method: 'GET',
      path: base,
      access: 'readQuotas',
      summary: 'Lists quotas of projects that have their own.',
      handle: list,
    },
    {
      method: 'GET',
      path: `${base}/defaults`,
      access: 'readQuotas',
      summary: 'Quotas without own limits.',
      handle: defaults,
    },
    { method: 'GET', path: `${one}/default`, access: 'readQuotas', summary: 'The same.', handle: defaults },
    { method: 'GET', path: one, access: 'readQuotas', summary: 'Shows the quotas of a project.', handle: show },
    { method: 'PUT', path: one, access: 'writeQuotas', summary: 'Changes the quotas of a project.', handle: update },
    {
      method: 'DELETE',
      path: one,
      access: 'writeQuotas',
      summary: 'Gives a project the default quotas.',
      handle: reset,
    },
  ];
}

/** @throws ApiError 404, or 403, for another project than one's own */
function visibleProject({ params: { project = '' }, caller }: ApiRequest, foreign: ObjectOptions['foreign']): string {
  if (seesAllQuotas(caller) || caller.projectId === project) return project;
  throw foreign === 'forbidden' ? new ApiError(403, forbidden) : new ApiError(404, `Quota ${project} not found.`);
}

function seesAllQuotas({ seesAll, isQuotaAdmin }: Caller): boolean {
  return seesAll || isQuotaAdmin;
}

/** @throws ApiError for unknown kinds, and when both spellings of one say different things */
function limitsIn(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const limits: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(body)) {
    if (name === 'project_id' || name === 'tenant_id') continue;
    const kind = kinds.get(name);
    if (kind === undefined) throw unknownAttribute(resource.argument, name);
    const limit = typeof value === 'string' && /^-?\d{1,10}$/.test(value) ? Number(value) : value;
    if (Object.hasOwn(limits, kind) && limits[kind] !== limit) {
      throw invalidInput(name, value, `The same as the other spelling, ${String(limits[kind])}.`);
    }
    limits[kind] = limit;
  }
  return limits;
}

function answerOf(quotas: Quotas & { readonly projectId?: string }): Readonly<Record<string, unknown>> {
  const { projectId } = quotas;
  const limits = [...kinds].map(([name, kind]) => [name, quotas[kind as keyof Quotas]] as const);
  const owner = projectId === undefined ? {} : { project_id: projectId, tenant_id: projectId };
  return { ...Object.fromEntries(limits), ...owner };
}
