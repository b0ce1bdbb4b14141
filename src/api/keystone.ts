// Authentication by tokens of OpenStack: Keystone is asked what a token is worth, with a token of this service's own.
// Answers are kept for a short while.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Authenticate, type Caller, callerWith, unauthorized } from './access.ts';
import { ApiError } from './errors.ts';

export interface KeystoneOptions {
  /** With or without `/v3`. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly userDomain: string;
  readonly project: string;
  readonly projectDomain: string;
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
const renewBeforeMs = 60_000;

export function byKeystone(options: KeystoneOptions): Authenticate {
  const tokens = `${options.url.replace(/\/+$/, '').replace(/\/v3$/, '')}/v3/auth/tokens`;
  const service = new ServiceToken(tokens, options);
  // By hash: a dump of memory shows no tokens.
  const known = new Map<string, Known>();
  return async ({ token }, signal) => {
    if (token === undefined) throw required(tokens);
    const key = createHash('sha256').update(token).digest('base64');
    const before = known.get(key);
    if (before !== undefined && before.until > Date.now()) return before.caller;
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
    return caller;
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
    const own = await service.get(signal);
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

/** The token that this service shows to Keystone: fetched when it is needed, renewed before it ends. */
class ServiceToken {
  readonly #tokens: string;
  readonly #options: KeystoneOptions;
  #current: Promise<{ readonly id: string; readonly until: number }> | undefined;
  #forgotten: string | undefined;

  constructor(tokens: string, options: KeystoneOptions) {
    this.#tokens = tokens;
    this.#options = options;
  }

  /** @throws ApiError 503 */
  async get(signal: AbortSignal): Promise<string> {
    const current = this.#current;
    if (current !== undefined) {
      const known = await current.catch(() => undefined);
      const isGood = known !== undefined && known.id !== this.#forgotten && known.until > Date.now() + renewBeforeMs;
      if (isGood) return known.id;
      // Whoever waited for the same failure asks again together.
      if (this.#current === current) this.#current = undefined;
    }
    signal.throwIfAborted();
    this.#current ??= this.#fetch();
    return (await this.#current).id;
  }

  /** Keystone does not take it any more. */
  forget(id: string): void {
    this.#forgotten = id;
  }

  async #fetch(): Promise<{ readonly id: string; readonly until: number }> {
    const { user: name, password, userDomain, project, projectDomain } = this.#options;
    const user = { name, password, domain: { name: userDomain } };
    const scope = { project: { name: project, domain: { name: projectDomain } } };
    const body = JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope } });
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const signal = AbortSignal.timeout(10_000);
    const response = await asked(() => fetch(this.#tokens, { method: 'POST', headers, body, signal }));
    const id = response.headers.get('x-subject-token');
    if (response.status !== 201 || id === null) {
      await response.body?.cancel();
      throw unavailable(`it answered ${response.status} to this service's own user`);
    }
    const parsed = tokenBody.safeParse(await asked(() => response.json()));
    const until = parsed.success ? Date.parse(parsed.data.token.expires_at) : Date.now() + 10 * renewBeforeMs;
    return { id, until };
  }
}
