// Authentication by tokens that stand in the settings, as hashes: for use without OpenStack.
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Authenticate, callerWith, unauthorized } from './access.ts';

export interface StaticToken {
  /** SHA-256 of the token, hex. */
  readonly hash: string;
  readonly projectId: string;
  readonly roles: readonly string[];
}

/** `<sha256>:<project>:<role>[+<role>…]`, as settings have it. Undefined for anything else. */
export function parseStaticToken(text: string): StaticToken | undefined {
  const [, hash, projectId, roles] = /^([0-9a-f]{64}):([^:\s]{1,36}):([a-z_+-]+)$/.exec(text) ?? [];
  if (hash === undefined || projectId === undefined || roles === undefined) return undefined;
  return { hash, projectId, roles: roles.split('+') };
}

export function byStaticToken(tokens: readonly StaticToken[]): Authenticate {
  const known = tokens.map((token) => ({ ...token, digest: Buffer.from(token.hash, 'hex') }));
  return async ({ token }) => {
    if (token === undefined)
      throw unauthorized('The request you have made requires authentication: X-Auth-Token is missing.');
    const digest = createHash('sha256').update(token).digest();
    // Compares with every hash, so that the time tells nothing.
    const matches = known.filter((candidate) => timingSafeEqual(candidate.digest, digest));
    const [match] = matches;
    if (match === undefined)
      throw unauthorized('The request you have made requires authentication: the token is not known.');
    return callerWith(`token ${match.hash.slice(0, 8)}`, match.projectId, match.roles);
  };
}
