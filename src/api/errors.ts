// What clients are told when something cannot be done: a status, and Octavia's envelope around a sentence.
import type { ErrorCode, RpcError } from '../channels/rpc/errors.ts';
import { apiName, apiPath, namedObjects } from './names.ts';

export class ApiError extends Error {
  readonly status: number;
  /** Seconds. */
  readonly retryAfter: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    status: number,
    message: string,
    more: { readonly retryAfter?: number | undefined; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.retryAfter = more.retryAfter;
    this.headers = more.headers ?? {};
  }
}

export interface Fault {
  readonly faultcode: 'Client' | 'Server';
  readonly faultstring: string;
  readonly debuginfo: null;
}

export function faultOf({ status, message }: ApiError): Fault {
  return { faultcode: status >= 500 ? 'Server' : 'Client', faultstring: message, debuginfo: null };
}

const statuses: Readonly<Record<ErrorCode, number>> = {
  parse: 400,
  request: 400,
  method: 501,
  invalid: 400,
  internal: 500,
  notFound: 404,
  conflict: 409,
  immutable: 409,
  commandIdReused: 409,
  busy: 503,
  unavailable: 503,
  faulted: 503,
  unsupported: 501,
  quota: 403,
};

/** What messages about an attribute may say of the insides of its value. */
const innerNames = new RegExp(`\\b(${[...namedObjects.values()].flat().join('|')})\\b`, 'g');

/** A refusal of the command channel in the words of the API: its parameters have other names there. */
export function fromRpcError({ code, message, data }: RpcError): ApiError {
  const { field, retryAfterMs } = data;
  const renamed = field === undefined ? message : message.replace(field, apiPath(field)).replace(innerNames, apiName);
  const retryAfter = retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1000);
  return new ApiError(statuses[code] ?? 500, renamed, { retryAfter });
}

export function notFound(label: string, id: string): ApiError {
  return new ApiError(404, `${label} ${id} not found.`);
}

export const forbidden = 'Policy does not allow this request to be performed.';
