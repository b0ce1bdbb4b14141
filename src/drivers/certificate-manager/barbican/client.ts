// Requests to Barbican, as this service or as a user of it. What comes back is bounded in size and time.
import { KeystoneError, type ServiceToken } from '../../keystone/service-token.ts';
import { PermanentFailure, TransientFailure } from '../../failure.ts';
import { mostSecretBytes } from '../pem.ts';

export interface BarbicanAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** Who asks. Gives the answer to a GET, whatever its status. @throws TransientFailure */
export type AskBarbican = (path: string, accept: string, signal: AbortSignal) => Promise<BarbicanAnswer>;

const timeoutMs = 10_000;

export class BarbicanClient {
  readonly #url: string;
  readonly #service: ServiceToken;

  /** `url` with or without `/v1`. */
  constructor(url: string, service: ServiceToken) {
    this.#url = url.replace(/\/+$/, '').replace(/\/v1$/, '');
    this.#service = service;
  }

  /** As the user of that token. */
  as(token: string): AskBarbican {
    return (path, accept, signal) => this.#send('GET', path, { accept, 'x-auth-token': token }, undefined, signal);
  }

  /** As this service. A token that is not taken any more is renewed once. */
  readonly asService: AskBarbican = async (path, accept, signal) => {
    for (const isSecond of [false, true]) {
      const token = await this.#own(() => this.#service.get(signal));
      const answer = await this.as(token)(path, accept, signal);
      if (answer.status !== 401 || isSecond) return answer;
      this.#service.forget(token);
    }
    throw new Error('not reached');
  };

  /** Lets this service read what the user of that token may share. Says whether it was taken. */
  async grant(path: string, token: string, signal: AbortSignal): Promise<boolean> {
    const userId = await this.#own(() => this.#service.userId(signal));
    const access = await this.as(token)(`${path}/acl`, 'application/json', signal);
    if (userId === undefined || access.status !== 200) return false;
    const users = readersIn(access.body);
    const headers = { 'x-auth-token': token, 'content-type': 'application/json', accept: 'application/json' };
    const body = JSON.stringify({ read: { users: [...new Set([...users, userId])] } });
    return (await this.#send('PATCH', `${path}/acl`, headers, body, signal)).status === 200;
  }

  async #own<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof KeystoneError)) throw error;
      const message = `Keystone gives no token for Barbican: ${error.message}`;
      throw new TransientFailure(message, { call: 'barbican token', cause: error });
    }
  }

  async #send(
    method: 'GET' | 'PATCH',
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<BarbicanAnswer> {
    const call = `barbican ${method} ${path}`;
    const soon = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      const init = { method, headers, signal: soon, redirect: 'error' as const, ...(body !== undefined && { body }) };
      const response = await fetch(`${this.#url}/v1${path}`, init);
      return { status: response.status, body: await bounded(response, call) };
    } catch (error) {
      if (error instanceof PermanentFailure) throw error;
      const { message, cause } = error as Error;
      const why = cause instanceof Error ? cause.message : message;
      throw new TransientFailure(`Barbican cannot be asked: ${why}`, { call, cause: error });
    }
  }
}

async function bounded(response: Response, call: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > mostSecretBytes) {
      throw new PermanentFailure(`Barbican answered with more than ${mostSecretBytes} bytes`, { call });
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function readersIn(body: Buffer): readonly string[] {
  const { read } = JSON.parse(body.toString('utf8')) as { readonly read?: { readonly users?: readonly string[] } };
  return read?.users ?? [];
}
