// The HTTP server for programs and operators: the command channel, inspection, metrics and health on one port.
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import { fastify, type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { isLoopback } from '../domain/loopback.ts';
import { type CommandHandlers, commandMethods } from './command/methods.ts';
import { type InspectHandlers, inspectMethods } from './inspect/methods.ts';
import type { PeerCredentials } from './peer/links.ts';
import { type PeerHandlers, peerServerName } from './peer/methods.ts';
import { createPeerServer, divertTls, noTickets, peerContext, peerEndpoint } from './peer/server.ts';
import { type Authenticate, byCertificate, byToken, everybody } from './rpc/authentication.ts';
import { type Endpoint, type EndpointLimits, refuse, rpcEndpoint } from './rpc/endpoint.ts';
import type { ServerTls } from './tls.ts';

export interface ControlServerOptions {
  /** Address to listen on. Beyond loopback, TLS is needed, and a token or an authority for clients. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** What clients must show; undefined, without an authority for clients, lets everybody on this machine in. */
  readonly token: string | undefined;
  /** Undefined: in clear text. */
  readonly tls?: ServerTls | undefined;
  /** What this node shows to other nodes on `/peer`, and what it does for them; undefined for a server without `/peer`. */
  readonly peer?: { readonly credentials: PeerCredentials; readonly handlers: PeerHandlers } | undefined;
  readonly command: CommandHandlers;
  readonly inspect: InspectHandlers;
  readonly limits?: Partial<EndpointLimits> | undefined;
  readonly metrics: Pick<Registry, 'metrics' | 'contentType'>;
  /** What keeps this node from serving, a sentence each; none when it serves. */
  readonly unready: () => Promise<readonly string[]>;
  /** What whoever asks whether it is ready should know besides, a sentence each. */
  readonly notices?: (() => readonly string[]) | undefined;
  readonly log: { error(data: object, message: string): void };
}

export interface ControlServer {
  readonly port: number;
  /** Stops listening and closes all connections. */
  close(): Promise<void>;
}

/** The server cannot listen; the message says where and why. */
export class ControlServerError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ControlServerError';
  }
}

/** @throws ControlServerError when the address is beyond loopback without protection, or cannot be listened on */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const { host, port, tls, peer, log } = options;
  refuseUnprotected(options);
  const authenticate = authenticationOf(options);
  const onMistake = (error: unknown, method: string) =>
    log.error({ err: error, method }, 'a call failed by our mistake');
  const shared = { authenticate, limits: options.limits, onMistake };
  const endpoints = {
    '/command': rpcEndpoint({ ...shared, methods: commandMethods, handlers: options.command }),
    '/inspect': rpcEndpoint({ ...shared, methods: inspectMethods, handlers: options.inspect }),
  };
  const serverFactory = (handler: RequestListener) => httpServer(handler, tls, peer?.credentials);
  const app = fastify({ logger: false, bodyLimit: 1024, serverFactory });
  const peers = peer && peerEndpoint({ handlers: peer.handlers, onMistake });
  const peerServer = peers && tls === undefined ? servePeersOnly(app.server, peer.credentials, peers) : undefined;
  serveHealth(app, options);
  serveMetrics(app, options.metrics, authenticate);
  app.get('/', (_, reply) => reply.type('text/plain; charset=utf-8').send(welcome));
  app.server.on('upgrade', (request, socket, head) => {
    const path = pathOf(request);
    if (path === '/peer' && peers !== undefined) return peers.upgrade(request, socket, head);
    const endpoint = Object.hasOwn(endpoints, path) ? endpoints[path as keyof typeof endpoints] : undefined;
    if (endpoint === undefined) return refuse(socket, 404, 'expected /command or /inspect');
    endpoint.upgrade(request, socket, head);
  });
  try {
    await app.listen({ host, port });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === 'EADDRINUSE'
        ? 'another process listens there already: stop it, or choose another port (0 takes a free one)'
        : message;
    throw new ControlServerError(`control.port: cannot listen on ${host} port ${port}: ${why}`, error);
  }
  return {
    port: (app.server.address() as AddressInfo).port,
    async close() {
      const open = Object.values(endpoints);
      await Promise.all((peers === undefined ? open : [peers, ...open]).map((endpoint) => endpoint.close()));
      peerServer?.closeAllConnections();
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

function refuseUnprotected({ host, token, tls }: ControlServerOptions): void {
  if (isLoopback(host)) return;
  const place = `control.host is ${host}, which others can reach`;
  if (token === undefined && tls?.clientCa === undefined) {
    throw new ControlServerError(`${place}, and there is no token: set one, or listen on 127.0.0.1`);
  }
  if (tls === undefined) {
    throw new ControlServerError(
      `${place}, and a token must not travel in clear text: set control.tls.certificate and control.tls.key, or listen on 127.0.0.1`,
    );
  }
}

function authenticationOf({ token, tls }: ControlServerOptions): Authenticate {
  if (tls?.clientCa !== undefined) return byCertificate(token === undefined ? undefined : byToken(token));
  return token === undefined ? everybody : byToken(token);
}

const handshakeTimeoutMs = 10_000;

/** On a port that speaks clear text to all others. */
function servePeersOnly(server: Server, credentials: PeerCredentials, peers: Endpoint): TlsServer {
  const peerServer = createPeerServer(credentials);
  divertTls(server, peerServer);
  peerServer.on('upgrade', (request, socket, head) => {
    if (pathOf(request) === '/peer') peers.upgrade(request, socket, head);
    else refuse(socket, 404, 'expected /peer');
  });
  return peerServer;
}

function httpServer(handler: RequestListener, tls: ServerTls | undefined, peer: PeerCredentials | undefined): Server {
  if (tls === undefined) return createServer(handler);
  const { certificate: cert, key, clientCa: ca } = tls;
  const forPeers = peer && peerContext(peer);
  const forOthers = createSecureContext({ cert, key, ca, minVersion: 'TLSv1.2', secureOptions: noTickets });
  return createTlsServer(
    {
      cert,
      key,
      ca,
      // Whoever shows no certificate, or a wrong one, may still show the token, and else is told why in HTTP.
      requestCert: true,
      rejectUnauthorized: false,
      SNICallback: (name, done) => done(null, name === peerServerName ? forPeers : forOthers),
      minVersion: 'TLSv1.2',
      secureOptions: noTickets,
      handshakeTimeout: handshakeTimeoutMs,
    },
    handler,
  );
}

/** Whatever stands there: it need not be a URL. */
function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?')[0] ?? '';
}

/** Only whoever may use the channels may read numbers of the fleet. */
function serveMetrics(
  app: FastifyInstance,
  metrics: ControlServerOptions['metrics'],
  authenticate: Authenticate,
): void {
  app.get('/metrics', async (request, reply) => {
    const reason = authenticate(request.raw);
    if (reason !== undefined) return reply.code(401).header('WWW-Authenticate', 'Bearer').send({ error: reason });
    return reply.type(metrics.contentType).send(await metrics.metrics());
  });
}

function serveHealth(app: FastifyInstance, { unready, notices = () => [] }: ControlServerOptions): void {
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', async (_, reply) => {
    const reasons = await unready().catch((error: unknown) => [(error as Error).message]);
    const told = notices().length > 0 ? { notices: notices() } : {};
    if (reasons.length === 0) return { status: 'ok', ...told };
    return reply.code(503).send({ status: 'unready', reasons, ...told });
  });
}

const welcome = `Amphitheatre, a controller of load balancers.

  /command   WebSocket, JSON-RPC 2.0: create and change load balancers
  /inspect   WebSocket, JSON-RPC 2.0: actors, journals, nodes
  /metrics   numbers for Prometheus
  /healthz   whether this process answers
  /readyz    whether this node serves: its database and its shards

/command, /inspect and /metrics want a header "Authorization: Bearer <token>" or a client certificate, unless the controller
was told otherwise.
The command line does all of it: amphi --help
`;
