// From the body of a request to parameters of the command channel: other names, the same values. What the channel does
// not know is refused.
import type { z } from 'zod';
import { commandMethods } from '../channels/command/methods.ts';
import type { Parameters } from '../channels/rpc/parameters.ts';
import { type CatalogueKind, catalogueNames } from '../domain/catalogue.ts';
import type { ObjectKind } from '../domain/load-balancer/state.ts';
import { ApiError } from './errors.ts';
import { apiName, domainName, namedObjects, renamed } from './names.ts';
import type { ChangingMethod } from './ports.ts';
import { nestedKinds, type Resource } from './resources.ts';

type Body = Readonly<Record<string, unknown>>;

/** The object in its envelope. @throws ApiError */
export function unwrap(body: unknown, resource: Pick<Resource, 'singular' | 'argument'>): Body {
  const { singular, argument } = resource;
  const envelope = objectIn(body, singular);
  const unknown = Object.keys(envelope).find((name) => name !== singular);
  if (unknown !== undefined) throw unknownAttribute(argument.split('.')[0] ?? singular, unknown);
  if (!Object.hasOwn(envelope, singular)) {
    throw invalidInput(singular, undefined, 'Mandatory field missing.');
  }
  return objectIn(envelope[singular], singular);
}

/** @throws ApiError */
function objectIn(value: unknown, field: string): Body {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Body;
  if (value === undefined) throw invalidInput(field, undefined, 'Mandatory field missing.');
  throw invalidInput(field, value, 'An object.');
}

export interface Place {
  /** Undefined for what belongs to no load balancer. */
  readonly kind: ObjectKind | undefined;
  /** How messages call the object at hand. */
  readonly argument: string;
  /** In front of names of attributes in messages. */
  readonly prefix: string;
  readonly isCreate: boolean;
}

/**
 * The parameters of a method, from the object of a request. Values are left for the channel to check.
 *
 * @throws ApiError for attributes that are unknown or cannot be changed
 */
export function paramsFrom(
  method: ChangingMethod,
  { kind, argument }: { readonly kind: ObjectKind | CatalogueKind; readonly argument: string },
  body: Body,
  isCreate: boolean,
): Body {
  const own = isCatalogueKind(kind) ? undefined : kind;
  return translate(body, commandMethods[method].params, { kind: own, argument, prefix: '', isCreate });
}

function isCatalogueKind(kind: string): kind is CatalogueKind {
  return Object.hasOwn(catalogueNames, kind);
}

/** The same for the members of a batch. @throws ApiError */
export function membersFrom(body: unknown): readonly unknown[] {
  const { members, ...others } = objectIn(body, 'members');
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw unknownAttribute('members_', unknown);
  if (!Array.isArray(members)) {
    throw invalidInput('members', members, members === undefined ? 'Mandatory field missing.' : 'A list of members.');
  }
  const nested = commandMethods['member.replace'].params.members.doc.nested ?? {};
  const place = { kind: 'member', argument: 'members_.members', isCreate: true } as const;
  return members.map((member: unknown, index) => {
    return isObject(member) ? translate(member, nested, { ...place, prefix: `members[${index}].` }) : member;
  });
}

function translate(body: Body, params: Parameters, place: Place): Body {
  const names = parameterNames(params);
  const result: Record<string, unknown> = {};
  for (const [attribute, value] of Object.entries(body)) {
    if (value === undefined) continue;
    const name = names.get(attribute);
    if (name === undefined) refuseUnlessIgnored(attribute, place);
    else result[name] = valueFor(name, attribute, value, params, place);
  }
  return result;
}

function valueFor(name: string, attribute: string, value: unknown, params: Parameters, place: Place): unknown {
  const parameter = params[name];
  if (parameter === undefined) return value;
  const { doc } = parameter;
  if (doc.isImmutable === true) {
    throw invalidInput(`${place.prefix}${attribute}`, value, 'It is set at create and cannot be changed.');
  }
  if (doc.nested !== undefined) return nestedValue(name, attribute, value, doc.nested, place);
  if (namedObjects.has(name)) return renamed(value, domainName);
  return coerced(value, parameter.schema);
}

/** Clients send numbers and booleans as words at times (`--connection-limit`), and Octavia takes them. */
function coerced(value: unknown, schema: z.ZodType): unknown {
  if (typeof value !== 'string' || schema.safeParse(value).success) return value;
  const meant = /^(true|false)$/i.test(value)
    ? value.toLowerCase() === 'true'
    : /^-?\d{1,15}(\.\d{1,15})?$/.test(value)
      ? Number(value)
      : value;
  return schema.safeParse(meant).success ? meant : value;
}

function nestedValue(name: string, attribute: string, value: unknown, nested: Parameters, place: Place): unknown {
  const inside = (inner: Body, prefix: string) => {
    const argument = `${place.argument}.${attribute}`;
    return translate(inner, nested, { ...place, argument, prefix, kind: nestedKinds[name] ?? place.kind });
  };
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) =>
      isObject(item) ? inside(item, `${place.prefix}${attribute}[${index}].`) : item,
    );
  }
  return isObject(value) ? inside(value, `${place.prefix}${attribute}.`) : value;
}

function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The project of children is that of their load balancer; what a request says of it is for old clients, and ignored. */
const ignoredInChildren = new Set(['project_id', 'tenant_id']);

function refuseUnlessIgnored(attribute: string, { kind, argument, isCreate }: Place): void {
  const isInChild = kind !== undefined && kind !== 'loadBalancer';
  if (isCreate && isInChild && ignoredInChildren.has(attribute)) return;
  throw unknownAttribute(argument, attribute);
}

const namesOf = new WeakMap<Parameters, ReadonlyMap<string, string>>();

/** The API's name of each parameter → the channel's. */
function parameterNames(params: Parameters): ReadonlyMap<string, string> {
  const known = namesOf.get(params);
  if (known !== undefined) return known;
  const hidden = new Set(['id', 'commandId', 'cascade']);
  const made = new Map(
    Object.keys(params)
      .filter((name) => !hidden.has(name))
      .map((name) => [apiName(name), name] as const),
  );
  namesOf.set(params, made);
  return made;
}

export function unknownAttribute(argument: string, attribute: string): ApiError {
  return new ApiError(400, `Unknown attribute for argument ${argument}: ${printable(attribute)}`);
}

export function invalidInput(field: string, value: unknown, expects: string): ApiError {
  const given = value === undefined ? 'None' : typeof value === 'string' ? value : JSON.stringify(value);
  return new ApiError(400, `Invalid input for field/attribute ${field}. Value: '${printable(given)}'. ${expects}`);
}

const longestShown = 100;

/** It goes to logs and terminals. */
export function printable(text: string): string {
  const fit = text.length > longestShown ? `${text.slice(0, longestShown)}…` : text;
  return fit.replace(/\p{C}/gu, '\uFFFD');
}
