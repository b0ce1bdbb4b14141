// Authentication by tokens of OpenStack: Keystone is asked what a token is worth, with a token of this service's own.
// Answers are kept for a short while.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Authenticate, type Caller, callerWith, unauthorized } from './access.ts';
import { KeystoneError, type ServiceAccount, ServiceToken, tokensUrl } from '../drivers/keystone/service-token.ts';
import { ApiError } from './errors.ts';

export interface KeystoneOptions extends ServiceAccount {
  /** How long a token that was confirmed is not asked about again. */
  readonly cacheMs: number;
}

const tokenBody = z.object({
  token: z.object({
    expires_at: z.string(),
    roles: z.array(z.object({ name: z.string() })).default([]),
    user: z.object({ id: z.string() }),
    project: z.object({ id: z.string() }).optional(),
  }),
});

interface Known {
  readonly caller: Caller;
  readonly until: number;
}

/** Tokens remembered. */
const mostKnown = 10_000;

export function byKeystone(options: KeystoneOptions): Authenticate {
  const tokens = tokensUrl(options.url);
  const service = new ServiceToken(options);
  // By hash: a dump of memory shows no tokens.
  const known = new Map<string, Known>();
  return async ({ token }, signal) => {
    if (token === undefined) throw required(tokens);
    const key = createHash('sha256').update(token).digest('base64');
    const before = known.get(key);
    if (before !== undefined && before.until > Date.now()) return { ...before.caller, token };
    known.delete(key);
    const body = await validated(tokens, token, service, signal);
    if (body === undefined) throw required(tokens);
    const { roles, user, project, expires_at: expiresAt } = body.token;
    const names = roles.map(({ name }) => name);
    const caller = callerWith(`user ${user.id}`, project?.id ?? null, names);
    const until = Math.min(Date.now() + options.cacheMs, Date.parse(expiresAt));
    known.set(key, { caller, until });
    const [oldest] = known.size > mostKnown ? known.keys() : [];
    if (oldest !== undefined) known.delete(oldest);
    return { ...caller, token };
  };
}

function required(tokens: string): ApiError {
  const challenge = { 'www-authenticate': `Keystone uri="${tokens.replace(/\/v3\/auth\/tokens$/, '')}"` };
  return unauthorized('The request you have made requires authentication.', challenge);
}

/** What the token is worth; undefined when it is worth nothing. @throws ApiError 503 */
async function validated(
  tokens: string,
  token: string,
  service: ServiceToken,
  signal: AbortSignal,
): Promise<z.infer<typeof tokenBody> | undefined> {
  // A header must not be split by what a client sends.
  if (!/^[\x21-\x7e]+$/.test(token)) return undefined;
  for (const isSecond of [false, true]) {
    const own = await service.get(signal).catch((error: unknown) => {
      throw error instanceof KeystoneError ? unavailable(error.message) : error;
    });
    const headers = { 'x-auth-token': own, 'x-subject-token': token, accept: 'application/json' };
    const response = await asked(() => fetch(`${tokens}?nocatalog`, { headers, signal }));
    if (response.status === 401 && !isSecond) {
      service.forget(own);
      await response.body?.cancel();
      continue;
    }
    if (response.status === 404) {
      await response.body?.cancel();
      return undefined;
    }
    if (response.status !== 200) throw unavailable(`it answered ${response.status}`);
    const parsed = tokenBody.safeParse(await asked(() => response.json()));
    if (!parsed.success) throw unavailable('its answer is not understood');
    return Date.parse(parsed.data.token.expires_at) > Date.now() ? parsed.data : undefined;
  }
  throw unavailable('it does not take the token of this service');
}

async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const { message, cause } = error as Error;
    throw unavailable(cause instanceof Error ? cause.message : message);
  }
}

function unavailable(why: string): ApiError {
  return new ApiError(503, `Keystone cannot be asked about the token: ${why}.`, { retryAfter: 1 });
}
