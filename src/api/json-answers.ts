// What holds for every answer, refusals before all: JSON in Octavia's envelope, the request's id, and who is not let in at
// all.
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { RpcError } from '../channels/rpc/errors.ts';
import { isLoopback } from '../domain/loopback.ts';
import { ApiError, faultOf, fromRpcError } from './errors.ts';
import { RateLimit } from './rate-limit.ts';
import type { Route } from './request.ts';

export interface AnswerOptions {
  readonly routes: readonly Route[];
  /** Nobody is asked who they are. */
  readonly isOpen: boolean;
  /** Of each client; 0 for no limit. */
  readonly requestsPerSecond: number;
  readonly log: { error(data: object, message: string): void };
}

export function answerAlwaysInJson(app: FastifyInstance, options: AnswerOptions): void {
  const { routes, log } = options;
  const limit = new RateLimit(options.requestsPerSecond);
  const patterns = routes.map(({ method, path }) => ({ method, pattern: patternOf(path) }));
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-openstack-request-id', request.id);
    const retryAfter = limit.take(request.ip, performance.now());
    if (retryAfter !== undefined) throw new ApiError(429, 'Too many requests: slow down.', { retryAfter });
    if (options.isOpen && !isLoopback(hostNameOf(request.headers.host))) {
      // A web page that made a name lead here must not command us.
      throw new ApiError(
        403,
        'Without authentication, this is for programs on this machine: use 127.0.0.1 or localhost.',
      );
    }
    if (!takesJson(request.headers.accept)) throw new ApiError(406, 'Only application/json is served.');
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const allowed = [...new Set(patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))];
    if (allowed.length === 0) return fail(reply, new ApiError(404, 'The resource could not be found.'));
    const headers = { allow: allowed.join(', ') };
    return fail(
      reply,
      new ApiError(405, `The method ${request.method} is not allowed for this resource.`, { headers }),
    );
  });
  app.setErrorHandler((error, request, reply) => {
    const known = errorOf(error);
    if (known === undefined) log.error({ err: error, requestId: request.id }, 'a request failed by our mistake');
    return fail(reply, known ?? new ApiError(500, `The server made a mistake; its log says more under ${request.id}.`));
  });
}

const unreadable: Readonly<Record<string, readonly [status: string, why: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers or the path of the request are too long.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request did not arrive in time.'],
};

/** What came is no request, so there is nothing that a handler could be given; the connection ends with the answer. */
export function answerUnreadable({ code }: { readonly code?: string }, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) return;
  const [status, why] = unreadable[code ?? ''] ?? ['400 Bad Request', 'This is not a request of HTTP.'];
  const body = JSON.stringify(faultOf(new ApiError(Number(status.slice(0, 3)), why)));
  const headers = [
    `x-openstack-request-id: req-${randomUUID()}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`HTTP/1.1 ${status}\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
}

/** `/v2/lbaas/pools/:id` as a pattern for whole paths. */
function patternOf(path: string): RegExp {
  const source = path
    .replace(/[.\\+?^${}()|[\]]/g, '\\$&')
    .replace(/:\w+/g, '[^/]+')
    .replace(/\*/g, '.+');
  return new RegExp(`^${source}/?$`);
}

function hostNameOf(host = ''): string {
  return host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

function takesJson(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === '') return true;
  const ranges = accept.split(',').flatMap((range) => /^\s*([^\s/;]+\/[^\s/;]+)\s*(?:;|$)/.exec(range)?.[1] ?? []);
  // What names no type asks for nothing, as in Octavia.
  return ranges.length === 0 || ranges.some((range) => /^(\*\/\*|application\/(\*|json))$/i.test(range));
}

/** What the client is told; undefined for a mistake of ours. */
function errorOf(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error;
  if (error instanceof RpcError) return error.code === 'internal' ? undefined : fromRpcError(error);
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message: string };
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new ApiError(415, 'Only application/json is understood.');
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new ApiError(413, 'The request is too large.');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new ApiError(statusCode, message);
  return statusCode === 503 ? new ApiError(503, 'The server is stopping.') : undefined;
}

function fail(reply: FastifyReply, error: ApiError): FastifyReply {
  if (error.retryAfter !== undefined) reply.header('retry-after', String(Math.max(1, Math.ceil(error.retryAfter))));
  return reply.code(error.status).headers(error.headers).send(faultOf(error));
}
