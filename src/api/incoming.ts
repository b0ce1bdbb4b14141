// Requests as they come over the wire, before a route sees them: their ids, their paths, their JSON.
import { createHash, randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Caller } from './access.ts';
import { ApiError } from './errors.ts';
import type { ApiRequest } from './request.ts';

const wellFormedId = /^req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The client's own when it is well-formed, else a new one. */
export function requestId(given: string | readonly string[] | undefined): string {
  return typeof given === 'string' && wellFormedId.test(given) ? given : `req-${randomUUID()}`;
}

/** Bytes; Node takes no more. The router must refuse none itself: it would do so in words of its own. */
export const longestUrl = 16_384;

/** `/v2.0` is `/v2`, and both may stand below `/load-balancer`. A path that cannot be decoded is what it is literally. */
export function canonicalUrl(url: string): string {
  const [path = '', ...query] = url.split('?');
  return [isDecodable(path) ? path : path.replaceAll('%', '%25'), ...query]
    .join('?')
    .replace(/^\/load-balancer(?=[/?]|$)/, '')
    .replace(/^\/v2\.0(?=[/?]|$)/, '/v2')
    .replace(/^(?!\/)/, '/');
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/** Clients send an empty body with the type of JSON, where there is nothing to say. */
export function readJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_, bytes, done) => {
    if (bytes.length === 0) return done(null, undefined);
    try {
      const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes as Buffer));
      if (!isWithin(value, deepestBody)) throw new RangeError('too deep');
      done(null, value);
    } catch {
      done(new ApiError(400, 'Request is not in valid JSON format'));
    }
  });
}

/** No request needs half of it, and what is written recursively after this has stack enough. */
const deepestBody = 50;

function isWithin(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isWithin(inner, depth - 1));
}

const longestKey = 128;

/**
 * With `Idempotency-Key`, the same id for the same key of the same project. Else one of our own that begins with the
 * request's id, so that the journal shows which request a change came from.
 *
 * @throws ApiError
 */
export function commandIdOf(
  { id, headers }: FastifyRequest,
  { projectId }: Caller,
): Pick<ApiRequest, 'commandId' | 'isRepeatable'> {
  const key = headers['idempotency-key'];
  if (key === undefined) return { commandId: `${id}/${randomUUID()}`, isRepeatable: false };
  if (typeof key !== 'string' || !/^[\x21-\x7e]+$/.test(key) || key.length > longestKey) {
    throw new ApiError(400, `Invalid input for Idempotency-Key. 1 to ${longestKey} visible ASCII characters.`);
  }
  // Hashed: ids of objects are derived from it, and neither projects nor keys may run into each other.
  const digest = createHash('sha256')
    .update(JSON.stringify([projectId, key]))
    .digest('hex');
  return { commandId: `key/${digest}`, isRepeatable: true };
}
