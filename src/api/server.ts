// The HTTP server of the REST API: finds the route, asks who it is, and answers JSON whatever happens. Every answer has
// the request's id, and every line of the log about it.
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { isLoopback } from '../domain/loopback.ts';
import { type Authenticate, type Caller, demand } from './access.ts';
import { ApiError } from './errors.ts';
import { canonicalUrl, commandIdOf, longestUrl, readJson, requestId } from './incoming.ts';
import { answerAlwaysInJson, answerUnreadable } from './json-answers.ts';
import type { Answer, ApiRequest, Route } from './request.ts';

export interface ApiLog {
  debug(data: object, message: string): void;
  info(data: object, message: string): void;
  error(data: object, message: string): void;
}

export interface ApiServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** PEM; undefined: in clear text, on loopback only. */
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined;
  readonly routes: readonly Route[];
  readonly authenticate: Authenticate;
  /** Nobody is asked who they are: on loopback only, and for programs of this machine only. */
  readonly isOpen: boolean;
  /** What links begin with; undefined: what the client called the server. */
  readonly baseUrl?: string | undefined;
  readonly maxBodyBytes: number;
  /** Of each client; 0 for no limit. */
  readonly requestsPerSecond: number;
  readonly deadlineMs: number;
  /** Is told of every answer. `route` is the path with names in place of ids; empty for paths that are none. */
  readonly onAnswered?: ((answer: Answered) => void) | undefined;
  readonly log: ApiLog;
}

export interface Answered {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

export interface ApiServer {
  readonly port: number;
  /** Takes no new requests, lets those under way finish, and closes all connections. */
  close(): Promise<void>;
}

/** The server cannot start; the message says where and why. */
export class ApiServerError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ApiServerError';
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    callerName: string;
    /** Of changes; empty for what changes nothing. */
    commandId: string;
  }
}

/** @throws ApiServerError when the address is beyond loopback without protection, or cannot be listened on */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { host, port, log } = options;
  refuseUnprotected(options);
  const app = fastify({
    logger: false,
    bodyLimit: options.maxBodyBytes,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    genReqId: ({ headers }) => requestId(headers['x-openstack-request-id']),
    rewriteUrl: ({ url = '/' }) => canonicalUrl(url),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: longestUrl },
    clientErrorHandler: (error, socket) => answerUnreadable(error, socket),
    serverFactory: (handler) => httpServer(handler, options),
  });
  app.decorateRequest('callerName', '');
  app.decorateRequest('commandId', '');
  readJson(app);
  answerAlwaysInJson(app, options);
  for (const route of options.routes) {
    app.route({
      method: route.method,
      url: route.path,
      handler: (request, reply) => serve(route, options, request, reply),
    });
  }
  logRequests(app, log);
  if (options.onAnswered !== undefined) tellOfAnswers(app, options.onAnswered);
  let isClosing = false;
  app.addHook('onSend', async (_, reply) => {
    // A connection that stayed open would keep the server from closing.
    if (isClosing) reply.header('connection', 'close');
  });
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw new ApiServerError(`api.port: cannot listen on ${host} port ${port}: ${reasonOf(error)}`, error);
  }
  return {
    port: (app.server.address() as AddressInfo).port,
    async close() {
      isClosing = true;
      const timer = setTimeout(() => app.server.closeAllConnections(), options.deadlineMs);
      await app.close();
      clearTimeout(timer);
    },
  };
}

/** Idle connections outlast those of usual proxies, so that these never write into one that is just being closed. */
const keepAliveTimeoutMs = 75_000;
const headersTimeoutMs = 10_000;
/** For a body to arrive. */
const requestTimeoutMs = 30_000;

function httpServer(handler: RequestListener, { tls }: ApiServerOptions): Server {
  const timeouts = {
    keepAliveTimeout: keepAliveTimeoutMs,
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
  };
  if (tls === undefined) return createHttpServer(timeouts, handler);
  return createTlsServer({ ...timeouts, cert: tls.certificate, key: tls.key, minVersion: 'TLSv1.2' }, handler);
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== 'EADDRINUSE') return message;
  return 'another process listens there already: stop it, or choose another port (0 takes a free one)';
}

function refuseUnprotected({ host, isOpen, tls }: ApiServerOptions): void {
  if (isLoopback(host)) return;
  const place = `api.host is ${host}, which others can reach`;
  if (isOpen) {
    throw new ApiServerError(
      `${place}, and api.auth is none: set api.auth to token or keystone, or listen on 127.0.0.1`,
    );
  }
  if (tls === undefined) {
    throw new ApiServerError(
      `${place}, and tokens must not travel in clear text: set api.tls.certificate and api.tls.key, or listen on 127.0.0.1 behind a proxy that speaks TLS`,
    );
  }
}

async function serve(
  route: Route,
  options: ApiServerOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const abort = new AbortController();
  const onClose = () => abort.abort(new ApiError(499, 'The client has gone.'));
  reply.raw.once('close', onClose);
  const timer = setTimeout(() => abort.abort(late(options.deadlineMs)), options.deadlineMs);
  try {
    const { signal } = abort;
    const answer = await before(signal, async () => {
      const caller = await callerOf(route, options, request, signal);
      return route.handle(apiRequest(request, caller, options, signal));
    });
    return send(reply, answer);
  } finally {
    clearTimeout(timer);
    reply.raw.off('close', onClose);
  }
}

function late(deadlineMs: number): ApiError {
  return new ApiError(503, `No answer within ${deadlineMs / 1000} s; it may still happen.`, { retryAfter: 1 });
}

/** How long an answer that is stopped by the signal may take to say why itself. */
const lastWordMs = 100;

/** @throws the signal's reason when it aborts and nothing better is said at once */
async function before(signal: AbortSignal, act: () => Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const stopped = new Promise<never>((_, reject) => {
    const stop = () => (timer = setTimeout(() => reject(signal.reason as ApiError), lastWordMs));
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([act(), stopped]);
  } finally {
    clearTimeout(timer);
  }
}

function send(reply: FastifyReply, { status, body, type = 'application/json' }: Answer): FastifyReply {
  // Octavia's clients want no body with a type where there is none.
  if (body === undefined) return reply.code(status).send();
  return reply.code(status).type(type).send(JSON.stringify(body));
}

const anybody: Caller = {
  name: 'nobody',
  projectId: null,
  mayRead: false,
  mayWrite: false,
  isAdmin: false,
  seesAll: false,
  isService: false,
  isQuotaAdmin: false,
};

async function callerOf(
  { access }: Route,
  { authenticate }: ApiServerOptions,
  request: FastifyRequest,
  signal: AbortSignal,
): Promise<Caller> {
  if (access === undefined) return anybody;
  const header = (name: string) => {
    const value = request.headers[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const bearer = /^Bearer (\S+)$/i.exec(header('authorization') ?? '')?.[1];
  const caller = await authenticate({ token: header('x-auth-token') ?? bearer, header }, signal);
  request.callerName = caller.name;
  demand(caller, access);
  return caller;
}

function apiRequest(
  request: FastifyRequest,
  caller: Caller,
  options: ApiServerOptions,
  signal: AbortSignal,
): ApiRequest {
  const [path = '', query = ''] = request.originalUrl.split('?');
  const scheme = options.tls === undefined ? 'http' : 'https';
  const command = commandIdOf(request, caller);
  request.commandId = command.commandId;
  return {
    params: request.params as Readonly<Record<string, string>>,
    query: new URLSearchParams(query),
    body: request.body,
    caller,
    base: options.baseUrl?.replace(/\/+$/, '') ?? `${scheme}://${request.host}`,
    path,
    signal,
    ...command,
  };
}

function logRequests(app: FastifyInstance, log: ApiLog): void {
  app.addHook('onResponse', async (request, reply) => {
    const { id: requestId, method, originalUrl, callerName: caller, commandId } = request;
    const path = originalUrl.split('?')[0];
    const command = method === 'GET' || commandId === '' ? {} : { commandId };
    const ms = Math.round(reply.elapsedTime);
    const data = { requestId, method, path, status: reply.statusCode, ms, caller, ...command };
    if (method === 'GET' && reply.statusCode < 500) log.debug(data, 'a request was answered');
    else log.info(data, 'a request was answered');
  });
}

function tellOfAnswers(app: FastifyInstance, tell: (answer: Answered) => void): void {
  app.addHook('onResponse', async ({ method, routeOptions }, { statusCode: status, elapsedTime }) => {
    tell({ method, route: routeOptions.url ?? '', status, seconds: elapsedTime / 1000 });
  });
}
