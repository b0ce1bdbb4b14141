// The API's description in OpenAPI 3.1, from what serves it: routes, and the schemas that check parameters.
import { commandMethods } from '../channels/command/methods.ts';
import type { ParameterDoc, Parameters } from '../channels/rpc/parameters.ts';
import type { ObjectKind } from '../domain/load-balancer/state.ts';
import type { ListedKind } from '../domain/object-query.ts';
import { apiName, namedObjects, renamed } from './names.ts';
import type { Operation, Route } from './request.ts';
import { type Resource, resources } from './resources.ts';

type Schema = Readonly<Record<string, unknown>>;

const jsonBody = (schema: Schema) => ({ 'application/json': { schema } });
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** @param columnsOf what lists of that kind can be filtered by */
export function openApiOf(
  routes: readonly Route[],
  columnsOf: (kind: ListedKind) => readonly string[],
  version: string,
): Schema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    if (route.path.endsWith('*')) continue;
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[route.method.toLowerCase()] = operationOf(route, columnsOf);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Amphitheatre: the Octavia v2 API', version },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } },
      schemas: { Fault: fault, ...Object.assign({}, ...resources.map(schemasOf)) },
    },
  };
}

const fault: Schema = {
  type: 'object',
  required: ['faultcode', 'faultstring', 'debuginfo'],
  properties: {
    faultcode: { enum: ['Client', 'Server'] },
    faultstring: { type: 'string' },
    debuginfo: { type: 'null' },
  },
};

const statusOf: Readonly<Record<Operation, string>> = {
  create: '201',
  list: '200',
  show: '200',
  update: '200',
  remove: '204',
};

function operationOf(route: Route, columnsOf: (kind: ListedKind) => readonly string[]): Schema {
  const { method, path, summary, access, about } = route;
  const words = path.split('/').filter((part) => part !== '' && !part.startsWith(':'));
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = about?.operation === 'list' ? listParameters(columnsOf(about.resource.kind)) : [];
  const cascade = about?.operation === 'remove' && about.resource.kind === 'loadBalancer' ? [queryFlag('cascade')] : [];
  return {
    operationId: [method.toLowerCase(), ...words, ...inPath.map(({ name }) => `by-${name}`)].join('-'),
    summary,
    ...(access === undefined ? { security: [] } : {}),
    parameters: [...inPath, ...inQuery, ...cascade],
    ...requestBody(about),
    responses: {
      [about === undefined ? '2XX' : statusOf[about.operation]]: { description: 'Done.', ...content(about) },
      default: { description: 'Refused or failed.', content: jsonBody(ref('Fault')) },
    },
  };
}

function queryFlag(name: string) {
  return { name, in: 'query', schema: { type: 'boolean' } };
}

const pageParameters = ['limit', 'marker', 'page_reverse', 'sort', 'sort_key', 'sort_dir', 'fields'];
const tagParameters = ['tags', 'tags-any', 'not-tags', 'not-tags-any'];

function listParameters(columns: readonly string[]) {
  const filters = columns.map((column) => column.replace('load_balancer_', 'loadbalancer_'));
  return [...pageParameters, ...tagParameters, ...filters].map((name) => {
    return { name, in: 'query', schema: { type: 'string' } };
  });
}

function requestBody(about: Route['about']): Schema {
  if (about === undefined || (about.operation !== 'create' && about.operation !== 'update')) return {};
  const { resource, operation } = about;
  const schema = ref(`${titleOf(resource)}${operation === 'create' ? 'Create' : 'Update'}`);
  return { requestBody: { required: true, content: jsonBody(envelope(resource.singular, schema)) } };
}

function content(about: Route['about']): Schema {
  if (about === undefined || about.operation === 'remove') return {};
  const { resource, operation } = about;
  const one = ref(titleOf(resource));
  if (operation !== 'list') return { content: jsonBody(envelope(resource.singular, one)) };
  const links = { type: 'array', items: { type: 'object' } };
  const properties = { [resource.plural]: { type: 'array', items: one }, [`${resource.plural}_links`]: links };
  return { content: jsonBody({ type: 'object', required: Object.keys(properties), properties }) };
}

function envelope(singular: string, schema: Schema): Schema {
  return { type: 'object', required: [singular], properties: { [singular]: schema } };
}

/** `loadbalancer` → `Loadbalancer`. */
function titleOf({ singular }: Resource): string {
  return singular.charAt(0).toUpperCase() + singular.slice(1);
}

function schemasOf(resource: Resource): Readonly<Record<string, Schema>> {
  const { kind } = resource;
  const parent = resource.parent?.param;
  const named = (params: Parameters) =>
    Object.fromEntries(Object.entries(params).filter(([name]) => ![parent, 'id'].includes(name)));
  const toCreate = named(commandMethods[`${kind}.create`].params);
  const toUpdate = changeable(named(commandMethods[`${kind}.update`].params));
  const title = titleOf(resource);
  return {
    [`${title}Create`]: { ...objectSchema(toCreate), additionalProperties: false },
    [`${title}Update`]: { ...objectSchema(toUpdate), additionalProperties: false },
    [title]: answerSchema(kind, toCreate),
  };
}

function changeable(params: Parameters): Parameters {
  return Object.fromEntries(Object.entries(params).filter(([, { doc }]) => doc.isImmutable !== true));
}

function objectSchema(params: Parameters): Schema {
  const properties = Object.entries(params).map(([name, { doc }]) => [apiName(name), attributeSchema(name, doc)]);
  const required = Object.entries(params)
    .filter(([, { doc }]) => doc.isRequired)
    .map(([name]) => apiName(name));
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(properties) as Schema,
  };
}

function attributeSchema(
  name: string,
  { meaning, expects, json = {}, nested, initial, isRequired }: ParameterDoc,
): Schema {
  const description = `${meaning} ${expects}`;
  const own = namedObjects.has(name) ? apiNamed(json) : json;
  const inner = nested === undefined ? own : objectSchema(nested);
  // Lists of objects have plural names.
  const schema = nested !== undefined && name.endsWith('s') ? { type: 'array', items: inner } : inner;
  const taken = isRequired || 'anyOf' in schema ? schema : { anyOf: [schema, { type: 'null' }] };
  return { ...taken, description, ...(initial === undefined ? {} : { default: initial }) };
}

const readOnly = [
  'id',
  'provisioning_status',
  'operating_status',
  'project_id',
  'tenant_id',
  'created_at',
  'updated_at',
];

/** Answers do not show these, but what they have made. */
const onlyInRequests: ReadonlySet<string> = new Set(['defaultPool', 'redirectPool', 'requestSriov']);

/** What only answers have. */
const onlyInAnswers: Readonly<Partial<Record<ObjectKind, readonly string[]>>> = {
  loadBalancer: ['vip_vnic_type'],
  member: ['vnic_type'],
};

function answerSchema(kind: ObjectKind, params: Parameters): Schema {
  const shown = Object.entries(params).filter(([name]) => !onlyInRequests.has(name));
  const attributes = shown.map(([name, { doc }]) => {
    const own = doc.nested === undefined ? (doc.json ?? {}) : {};
    const schema = namedObjects.has(name) ? apiNamed(own) : own;
    return [apiName(name), { ...schema, description: doc.meaning }] as const;
  });
  const common = [...readOnly, ...(onlyInAnswers[kind] ?? [])];
  const others = common.map((name) => [name, { type: 'string', readOnly: true }] as const);
  return { type: 'object', properties: Object.fromEntries([...attributes, ...others]) };
}

/** A schema with the API's names for the properties of objects. */
function apiNamed(schema: unknown): Schema {
  const renamedIn = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(renamedIn);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]: [string, unknown]) => {
        if (key === 'properties') return [key, renamed(renamedIn(inner), apiName)];
        return [key, key === 'required' ? (inner as readonly string[]).map(apiName) : renamedIn(inner)];
      }),
    );
  };
  return renamedIn(schema) as Schema;
}
