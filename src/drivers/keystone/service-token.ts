// The token that this service shows to the services of an OpenStack: fetched from Keystone when it is needed, renewed before it
// ends.
import { z } from 'zod';

/** A user of Keystone in a project. */
export interface ServiceAccount {
  /** With or without `/v3`. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly userDomain: string;
  readonly project: string;
  readonly projectDomain: string;
}

/** Keystone gives no token. The message ends a sentence: why. */
export class KeystoneError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'KeystoneError';
  }
}

const tokenBody = z.object({ token: z.object({ expires_at: z.string(), user: z.object({ id: z.string() }) }) });

const renewBeforeMs = 60_000;
const loginTimeoutMs = 10_000;

/** Where Keystone gives tokens and says what they are worth. */
export function tokensUrl(url: string): string {
  return `${url.replace(/\/+$/, '').replace(/\/v3$/, '')}/v3/auth/tokens`;
}

interface Token {
  readonly id: string;
  readonly until: number;
  /** Of the service's user; undefined where Keystone did not say. */
  readonly userId: string | undefined;
}

export class ServiceToken {
  readonly #account: ServiceAccount;
  #current: Promise<Token> | undefined;
  #forgotten: string | undefined;

  constructor(account: ServiceAccount) {
    this.#account = account;
  }

  /** @throws KeystoneError */
  async get(signal: AbortSignal): Promise<string> {
    return (await this.#token(signal)).id;
  }

  /** Of the service's user. @throws KeystoneError */
  async userId(signal: AbortSignal): Promise<string | undefined> {
    return (await this.#token(signal)).userId;
  }

  /** The token is not taken any more. */
  forget(id: string): void {
    this.#forgotten = id;
  }

  async #token(signal: AbortSignal): Promise<Token> {
    const current = this.#current;
    if (current !== undefined) {
      const known = await current.catch(() => undefined);
      const isGood = known !== undefined && known.id !== this.#forgotten && known.until > Date.now() + renewBeforeMs;
      if (isGood) return known;
      // Whoever waited for the same failure asks again together.
      if (this.#current === current) this.#current = undefined;
    }
    signal.throwIfAborted();
    this.#current ??= this.#fetch();
    return this.#current;
  }

  async #fetch(): Promise<Token> {
    const { url, user: name, password, userDomain, project, projectDomain } = this.#account;
    const user = { name, password, domain: { name: userDomain } };
    const scope = { project: { name: project, domain: { name: projectDomain } } };
    const body = JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope } });
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const signal = AbortSignal.timeout(loginTimeoutMs);
    const response = await asked(() => fetch(tokensUrl(url), { method: 'POST', headers, body, signal }));
    const id = response.headers.get('x-subject-token');
    if (response.status !== 201 || id === null) {
      await response.body?.cancel();
      throw new KeystoneError(`it answered ${response.status} to this service's own user`);
    }
    const { data } = tokenBody.safeParse(await asked(() => response.json()));
    const until = data === undefined ? Date.now() + 10 * renewBeforeMs : Date.parse(data.token.expires_at);
    return { id, until, userId: data?.token.user.id };
  }
}

async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const { message, cause } = error as Error;
    throw new KeystoneError(cause instanceof Error ? cause.message : message, error);
  }
}
