// The `/peer` side of the control port. Peers speak TLS with certificates of the cluster's own authority, also where the port
// speaks clear text, or TLS with another certificate, to everybody else: the first byte tells TLS from HTTP, the name that is
// asked for (SNI) tells peers from others.
import { constants } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { peerProtocolVersion } from '../../domain/cluster/messages.ts';
import { type Authenticate, byPeerCertificate } from '../rpc/authentication.ts';
import { type Endpoint, rpcEndpoint } from '../rpc/endpoint.ts';
import type { PeerCredentials } from './links.ts';
import { nodeHeader, type PeerHandlers, peerMethods, peerServerName, versionHeader } from './methods.ts';

/** The first byte of a TLS connection (RFC 8446, section 5.1: content type handshake). */
const tlsHandshake = 0x16;
const firstByteTimeoutMs = 10_000;
const limits = {
  maxMessageBytes: 64 * 1024 * 1024,
  maxInFlight: 20_000,
  maxConnections: 256,
  maxBuffered: 64 * 1024 * 1024,
  // Whoever asks has a deadline of its own, and says so when it has passed.
  deadlineMs: 3_600_000,
  pingMs: 2_000,
};

export interface PeerEndpointOptions {
  readonly handlers: PeerHandlers;
  readonly onMistake: (error: unknown, method: string) => void;
}

export function peerEndpoint({ handlers, onMistake }: PeerEndpointOptions): Endpoint {
  return rpcEndpoint({ methods: peerMethods, handlers, authenticate, limits, onMistake });
}

const isPeer = byPeerCertificate(peerServerName);

/** Whoever is no peer, or speaks a later version than this program knows, is told so. */
const authenticate: Authenticate = (request) => isPeer(request) ?? newerVersion(request);

function newerVersion({ headers }: IncomingMessage): string | undefined {
  const version = Number(headers[versionHeader]);
  if (Number.isInteger(version) && version <= peerProtocolVersion) return undefined;
  const node = String(headers[nodeHeader]);
  return `this node speaks version ${peerProtocolVersion} of the peer protocol, node ${node} speaks ${version}: it is to be upgraded first`;
}

/** Sessions are not resumed: a ticket would be taken for the proof that a certificate is, whatever was shown to get it. */
export const noTickets = constants.SSL_OP_NO_TICKET;

/** What a TLS server shows to, and wants of, those who ask for the name of peers. */
export function peerContext({ certificate: cert, key, ca }: PeerCredentials): SecureContext {
  return createSecureContext({ cert, key, ca, minVersion: 'TLSv1.3', secureOptions: noTickets });
}

/** A TLS server for peers alone, for a port whose other clients speak clear text. */
export function createPeerServer({ certificate: cert, key, ca }: PeerCredentials): TlsServer {
  return createTlsServer(
    {
      cert,
      key,
      ca,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      secureOptions: noTickets,
      handshakeTimeout: 10_000,
    },
    (_, response) => response.writeHead(404).end(),
  );
}

/** Has connections to `server` that begin with TLS go to `tlsServer`. To be called before it listens. */
export function divertTls(server: Server, tlsServer: TlsServer): void {
  const others = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const onError = () => socket.destroy();
    const onTimeout = () => socket.destroy();
    socket.on('error', onError).setTimeout(firstByteTimeoutMs, onTimeout);
    socket.once('readable', () => {
      const first = socket.read(1) as Buffer | null;
      socket.removeListener('error', onError).removeListener('timeout', onTimeout).setTimeout(0);
      if (first === null) {
        socket.destroy();
        return;
      }
      socket.unshift(first);
      if (first[0] === tlsHandshake) tlsServer.emit('connection', socket);
      else for (const listener of others) listener.call(server, socket);
    });
  });
}
