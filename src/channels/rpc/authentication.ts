// Who may open a connection: whoever shows the token. Only where a server is told so, and on loopback, everybody may.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

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

/** For loopback only. Pages of a browser on the same machine are kept out: they always say where they come from. */
export const everybody: Authenticate = ({ headers }) =>
  headers.origin === undefined ? undefined : 'web pages may not connect without a token';

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
