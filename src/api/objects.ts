// The five calls that every resource of a load balancer has: create, list, show, update, delete.
import { kindNames } from '../domain/load-balancer/rules.ts';
import type { ObjectKind } from '../domain/load-balancer/state.ts';
import type { ListedKind, ObjectQuery } from '../domain/object-query.ts';
import { isUuid } from '../domain/ids.ts';
import { type Access, type Caller, sees } from './access.ts';
import { answerOf } from './answers.ts';
import { invalidInput, paramsFrom, unwrap } from './bodies.ts';
import { ApiError, forbidden, notFound } from './errors.ts';
import { apiName } from './names.ts';
import type { ApiPorts, ObjectPlace } from './ports.ts';
import { fieldsIn, invalidPage, listRequest, onlyFields, pageLinks } from './query.ts';
import { type Answer, type ApiRequest, change, type Operation, type Route } from './request.ts';
import type { Resource } from './resources.ts';

export interface ObjectOptions {
  /** `reject`: what concerns a load balancer that is being changed is refused, as Octavia does. */
  readonly changes: 'queue' | 'reject';
  /** What an object of another project is: not there, or forbidden, as in Octavia. */
  readonly foreign: 'hidden' | 'forbidden';
  readonly mostPerPage: number;
}

export function objectRoutes(resource: Resource, ports: ApiPorts, options: ObjectOptions): readonly Route[] {
  const objects = new Objects(ports, options);
  const { parent, singular, plural } = resource;
  const list = parent === undefined ? `/v2/lbaas/${plural}` : `/v2/lbaas/${parent.path}/:parent/${plural}`;
  const one = `${list}/:id`;
  const route = (method: Route['method'], url: string, operation: Operation, words: string): Route => ({
    method,
    path: url,
    access: method === 'GET' ? 'read' : 'write',
    summary: words,
    about: { resource, operation },
    handle: (request) => objects[operation](resource, request),
  });
  return [
    route('POST', list, 'create', `Creates a ${singular}.`),
    { ...route('GET', list, 'list', `Lists ${plural}.`), access: listAccess(resource) },
    route('GET', one, 'show', `Shows a ${singular}.`),
    route('PUT', one, 'update', `Changes a ${singular}.`),
    route('DELETE', one, 'remove', `Deletes a ${singular}.`),
  ];
}

function listAccess({ kind }: Resource): Access {
  return kind === 'member' ? 'members' : 'read';
}

const everyTag = { all: [], any: [], notAll: [], notAny: [] };

/** The object of that id alone. */
export function byId(id: string, within: ObjectQuery['filters'] = []): ObjectQuery {
  const filters = [{ column: 'id', value: id }, ...within];
  return { projectId: null, filters, tags: everyTag, sort: [], limit: 1, marker: null, isReverse: false };
}

export class Objects {
  readonly #ports: ApiPorts;
  readonly #options: ObjectOptions;

  constructor(ports: ApiPorts, options: ObjectOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  async create(resource: Resource, request: ApiRequest): Promise<Answer> {
    const body = unwrap(request.body, resource);
    const isLoadBalancer = resource.kind === 'loadBalancer';
    const given = isLoadBalancer ? withProject(body, request.caller) : body;
    const method = `${resource.kind}.create` as const;
    const params = { ...paramsFrom(method, resource, given, true), ...parentParam(resource, request) };
    const projectId = isLoadBalancer
      ? String(given['project_id'])
      : await this.#projectOfParent(resource, params, request);
    const made = await change(this.#ports, method, params, request);
    return { status: 201, body: enveloped(resource, made, projectId) };
  }

  async list(resource: Resource, request: ApiRequest): Promise<Answer> {
    const { parent, kind, plural } = resource;
    const parentId = request.params['parent'];
    const access = listAccess(resource);
    if (parent !== undefined) await this.visible(parent.kind, parentId ?? '', request, access);
    const asked = listRequest({
      columns: new Set(this.#ports.reads.queryableColumns(kind)),
      params: request.query,
      // What is in an object that the caller may see has the same project.
      scope: parent === undefined ? scopeOf(request) : null,
      within: parent === undefined ? undefined : { column: parent.column, value: parentId ?? '' },
      mostPerPage: this.#options.mostPerPage,
    });
    if (asked.marker !== null) await this.#demandMarker(kind, asked.marker, request, access);
    const found = asked.isEmpty ? [] : await this.#ports.reads.queryObjects(kind, asked.query);
    const links = pageLinks(
      request.base + request.path,
      request.query,
      asked,
      found.map(({ id }) => id),
    );
    const items = found.map((view) => onlyFields(answerOf(kind, view, view.projectId), asked.fields));
    return { status: 200, body: { [plural]: items, [`${plural}_links`]: links } };
  }

  async show(resource: Resource, request: ApiRequest): Promise<Answer> {
    const { kind, singular } = resource;
    const { id = '' } = request.params;
    const within = parentFilter(resource, request);
    const [view] = isUuid(id) ? await this.#ports.reads.queryObjects(kind, byId(id, within)) : [];
    if (view === undefined) throw notFound(kindNames[kind], id);
    this.#refuseForeign(kind, id, view.projectId, request.caller, 'read');
    const answer = answerOf(kind, view, view.projectId);
    return { status: 200, body: { [singular]: onlyFields(answer, fieldsIn(request.query)) } };
  }

  async update(resource: Resource, request: ApiRequest): Promise<Answer> {
    const { id = '' } = request.params;
    const method = `${resource.kind}.update` as const;
    const params = { ...paramsFrom(method, resource, unwrap(request.body, resource), false), id };
    const place = await this.changeable(resource, id, request);
    const made = await change(this.#ports, method, params, request);
    return { status: 200, body: enveloped(resource, made, place.projectId) };
  }

  async remove(resource: Resource, request: ApiRequest): Promise<Answer> {
    const { id = '' } = request.params;
    const cascade = resource.kind === 'loadBalancer' ? { cascade: isTrue(request.query, 'cascade') } : {};
    await this.changeable(resource, id, request, 'delete');
    await change(this.#ports, `${resource.kind}.delete`, { id, ...cascade }, request);
    return { status: 204 };
  }

  /** Where an object is that the caller may see. @throws ApiError 404, or 403 */
  async visible(kind: ObjectKind, id: string, request: ApiRequest, access: Access): Promise<ObjectPlace> {
    const { caller } = request;
    const place = isUuid(id) ? await this.#ports.reads.placeOf(kind, id) : undefined;
    if (place === undefined && access === 'write' && request.isRepeatable && isUuid(id)) return gone(caller);
    if (place === undefined) throw notFound(kindNames[kind], id);
    this.#refuseForeign(kind, id, place.projectId, caller, access);
    return place;
  }

  #refuseForeign(kind: ObjectKind, id: string, projectId: string, caller: Caller, access: Access): void {
    if (sees(caller, projectId, access)) return;
    const isKnown = this.#options.foreign === 'forbidden' || sees(caller, projectId, 'read');
    throw isKnown ? new ApiError(403, forbidden) : notFound(kindNames[kind], id);
  }

  /** Where an object is that the caller may change now. @throws ApiError 404, 409 */
  async changeable(
    { kind, parent }: Resource,
    id: string,
    request: ApiRequest,
    what: 'update' | 'delete' | 'failover' = 'update',
  ): Promise<ObjectPlace> {
    const parentId = request.params['parent'];
    if (parent !== undefined) {
      const [view] = isUuid(id)
        ? await this.#ports.reads.queryObjects(kind, byId(id, [{ column: parent.column, value: parentId ?? '' }]))
        : [];
      if (view === undefined && !request.isRepeatable) throw notFound(kindNames[kind], id);
    }
    const place = await this.visible(kind, id, request, 'write');
    this.refuseWhenBusy(kind, place, what);
    return place;
  }

  /** @throws ApiError 409 in Octavia's words, when changes are not to queue */
  refuseWhenBusy(kind: ListedKind, place: ObjectPlace, what: 'update' | 'delete' | 'failover' = 'update'): void {
    if (this.#options.changes === 'queue') return;
    const { provisioningStatus: status, loadBalancerId } = place;
    if (status === 'ACTIVE') return;
    if (kind !== 'loadBalancer') {
      throw new ApiError(409, `Load Balancer ${loadBalancerId} is immutable and cannot be updated.`);
    }
    if (status === 'ERROR' && what !== 'update') return;
    throw new ApiError(409, `Invalid state ${status} of loadbalancer resource ${loadBalancerId}`);
  }

  async #demandMarker(kind: ObjectKind, id: string, { caller }: ApiRequest, access: Access): Promise<void> {
    const place = isUuid(id) ? await this.#ports.reads.placeOf(kind, id) : undefined;
    if (place === undefined || !sees(caller, place.projectId, access)) throw invalidPage('pagination marker', id);
  }

  async #projectOfParent(
    resource: Resource,
    params: Readonly<Record<string, unknown>>,
    request: ApiRequest,
  ): Promise<string> {
    const owner = resource.belongsTo.find(({ param }) => typeof params[param] === 'string');
    // The channel says what is missing or wrong; without an owner it does so before anything else.
    if (owner === undefined) return '';
    const id = String(params[owner.param]);
    if (resource.parent === undefined && !isUuid(id)) throw invalidInput(apiName(owner.param), id, 'A UUID.');
    const place = await this.visible(owner.kind, id, request, 'write');
    this.refuseWhenBusy(resource.kind, place);
    return place.projectId;
  }
}

/**
 * Where an object was that is gone: the first answer to the same command may still be known, and the channel knows it. The
 * command's id has the caller's project in it, so nobody learns of others' commands.
 */
function gone({ projectId }: Caller): ObjectPlace {
  return { loadBalancerId: '', projectId: projectId ?? '', provisioningStatus: 'ACTIVE' };
}

/** The body with the project that it is about: what it says, else the caller's. @throws ApiError 403 for a foreign one */
function withProject(body: Readonly<Record<string, unknown>>, caller: Caller): Readonly<Record<string, unknown>> {
  const { tenant_id: tenantId, project_id: named, ...rest } = body;
  const projectId = named ?? tenantId ?? caller.projectId;
  if (typeof projectId !== 'string' || projectId === '')
    return { ...rest, project_id: projectId === '' ? null : projectId };
  if (!sees(caller, projectId, 'write')) throw new ApiError(403, forbidden);
  return { ...rest, project_id: projectId };
}

function parentParam({ parent }: Resource, request: ApiRequest): Readonly<Record<string, unknown>> {
  return parent === undefined ? {} : { [parent.param]: request.params['parent'] };
}

function parentFilter({ parent }: Resource, request: ApiRequest): ObjectQuery['filters'] {
  return parent === undefined ? [] : [{ column: parent.column, value: request.params['parent'] ?? '' }];
}

function scopeOf({ caller }: ApiRequest): string | null {
  return caller.seesAll ? null : caller.projectId;
}

/** @throws ApiError 404 when it was deleted since: a repeat of an old request */
function enveloped({ kind, singular }: Resource, made: unknown, projectId: string): object {
  const view = (made as Readonly<Record<string, unknown>>)[kind];
  if (typeof view !== 'object' || view === null) {
    throw new ApiError(404, 'It was made by an earlier request with the same Idempotency-Key, and deleted since.');
  }
  return { [singular]: answerOf(kind, view, projectId) };
}

/** Clients send `true` and `True`. @throws ApiError */
export function isTrue(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value === null) return false;
  if (/^(true|1|yes|on)$/i.test(value)) return true;
  if (/^(false|0|no|off|)$/i.test(value)) return false;
  throw invalidInput(name, value, 'true or false.');
}
