// Who may open a connection: whoever shows the token, or a certificate of an authority that is trusted. Only where a server
// is told so, and on loopback, everybody may.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

/** Says why a connection is refused; undefined when it is not. */
export type Authenticate = (request: IncomingMessage) => string | undefined;

/** `Authorization: Bearer <token>`, compared in constant time. */
export function byToken(token: string): Authenticate {
  const wanted = digest(token);
  return ({ headers }) => {
    const given = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (given === undefined) return 'expected a header "Authorization: Bearer <token>"';
    return timingSafeEqual(digest(given), wanted) ? undefined : 'the token is not the one of this controller';
  };
}

/** A certificate that the server's authority for clients signed; who shows none is left to `otherwise`. */
export function byCertificate(otherwise: Authenticate | undefined): Authenticate {
  return (request) => {
    const { socket } = request;
    if (socket instanceof TLSSocket && hasProvenItself(socket)) return undefined;
    if (otherwise !== undefined && request.headers.authorization !== undefined) return otherwise(request);
    const expected = 'expected a client certificate signed by the authority of this controller';
    return otherwise === undefined ? expected : `${expected}, or a header "Authorization: Bearer <token>"`;
  };
}

/** Another node of the cluster: whoever asked for that name, and shows a certificate of the authority that goes with it. */
export function byPeerCertificate(serverName: string): Authenticate {
  return ({ socket }) => {
    const isPeer = socket instanceof TLSSocket && hasProvenItself(socket) && servernameOf(socket) === serverName;
    return isPeer ? undefined : 'expected a certificate signed by the authority of this cluster';
  };
}

/**
 * It has shown a certificate of the server's authority on this very connection. A session that is resumed counts as authorized
 * to Node whatever was shown on the one before.
 */
function hasProvenItself(socket: TLSSocket): boolean {
  return socket.authorized && !socket.isSessionReused() && Object.keys(socket.getPeerCertificate()).length > 0;
}

function servernameOf(socket: TLSSocket): unknown {
  return (socket as { readonly servername?: unknown }).servername;
}

/** For loopback only. Pages of a browser on the same machine are kept out: they always say where they come from. */
export const everybody: Authenticate = ({ headers }) =>
  headers.origin === undefined ? undefined : 'web pages may not connect without a token';

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
