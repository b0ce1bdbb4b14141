// A path of an HTTP server on which clients speak JSON-RPC over WebSocket: opens connections to those who may, keeps
// them alive, and closes them.
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Authenticate } from './authentication.ts';
import { closeCodes, type Handler, RpcConnection } from './connection.ts';
import type { HandlersOf, MethodTable } from './method.ts';
import { CallReader } from './request.ts';

export interface EndpointOptions<T extends MethodTable> {
  readonly methods: T;
  readonly handlers: HandlersOf<T>;
  readonly authenticate: Authenticate;
  readonly limits?: Partial<EndpointLimits> | undefined;
  /** A mistake of ours, for the log. */
  readonly onMistake: (error: unknown, method: string) => void;
}

export interface EndpointLimits {
  readonly maxMessageBytes: number;
  readonly maxInFlight: number;
  readonly maxConnections: number;
  readonly maxBuffered: number;
  /** A call that is not answered by then is answered `unavailable`. */
  readonly deadlineMs: number;
  /** Between two pings; a client that answers none in between is gone. */
  readonly pingMs: number;
}

export const defaultLimits: EndpointLimits = {
  maxMessageBytes: 1024 * 1024,
  maxInFlight: 128,
  maxConnections: 256,
  maxBuffered: 4 * 1024 * 1024,
  deadlineMs: 30_000,
  pingMs: 15_000,
};

export interface Endpoint {
  readonly connections: number;
  /** Takes over the socket of a request to upgrade. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Tells all clients to go away, and waits for it a little while. */
  close(): Promise<void>;
}

const closeGraceMs = 1_000;

export function rpcEndpoint<T extends MethodTable>(options: EndpointOptions<T>): Endpoint {
  const limits = { ...defaultLimits, ...options.limits };
  const reader = new CallReader(options.methods);
  const connections = new Set<RpcConnection>();
  // No compression: a small message could unpack to a large one.
  const server = new WebSocketServer({ noServer: true, maxPayload: limits.maxMessageBytes, perMessageDeflate: false });
  const pings = setInterval(() => {
    for (const connection of connections) connection.checkAlive();
  }, limits.pingMs);
  pings.unref();

  return {
    get connections() {
      return connections.size;
    },
    upgrade(request, socket, head) {
      socket.on('error', () => undefined);
      const reason = options.authenticate(request);
      if (reason !== undefined) return refuse(socket, 401, reason);
      if (connections.size >= limits.maxConnections) {
        return refuse(socket, 503, `${limits.maxConnections} connections are open already`);
      }
      server.handleUpgrade(request, socket, head, (webSocket) => {
        const connection = new RpcConnection(webSocket, {
          ...limits,
          reader,
          // The reader has checked a call's parameters against its method before its handler sees them.
          handlers: options.handlers as unknown as Readonly<Record<string, Handler>>,
          onMistake: options.onMistake,
        });
        connections.add(connection);
        connection.onClose(() => connections.delete(connection));
      });
    },
    async close() {
      clearInterval(pings);
      const open = [...connections];
      const closed = open.map((connection) => new Promise<void>((resolve) => void connection.onClose(resolve)));
      for (const connection of open) connection.close(closeCodes.goingAway, 'the controller stops');
      const timer = setTimeout(() => {
        for (const connection of open) connection.terminate();
      }, closeGraceMs);
      await Promise.all(closed);
      clearTimeout(timer);
      server.close();
    },
  };
}

/** Answers a request to upgrade that is not granted, in HTTP. */
export function refuse(socket: Duplex, status: number, reason: string): void {
  const body = JSON.stringify({ error: reason });
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(status === 401 ? ['WWW-Authenticate: Bearer'] : []),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
