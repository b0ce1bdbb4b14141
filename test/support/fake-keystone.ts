// As much of Keystone as a service sees: it gives tokens for passwords, and says what tokens are worth.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeToken {
  readonly projectId?: string;
  readonly roles: readonly string[];
  /** Default: in an hour. */
  readonly expiresAt?: Date;
}

export interface FakeKeystone {
  readonly url: string;
  /** Token → what it is worth. */
  readonly tokens: Map<string, FakeToken>;
  /** How often it was asked about tokens, and for tokens. */
  readonly asked: { validations: number; logins: number };
  /** The tokens of services end. */
  expireServiceTokens(): void;
  isService(token: string): boolean;
  /** What it answers instead, while set. */
  failure: number | undefined;
  close(): Promise<void>;
}

export const servicePassword = 'password-of-the-service';

export async function startFakeKeystone(): Promise<FakeKeystone> {
  const tokens = new Map<string, FakeToken>();
  const services = new Set<string>();
  const asked = { validations: 0, logins: 0 };
  const server = createServer((request, response) => void answer(request, response));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = (status: number, body: object, headers: Record<string, string> = {}) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    let text = '';
    for await (const chunk of request) text += String(chunk);
    if (keystone.failure !== undefined) return void reply(keystone.failure, {});
    if (request.url?.split('?')[0] !== '/v3/auth/tokens') return void reply(404, {});
    if (request.method === 'POST') {
      asked.logins++;
      const { auth } = JSON.parse(text) as { auth: { identity: { password: { user: { password: string } } } } };
      if (auth.identity.password.user.password !== servicePassword) return void reply(401, {});
      const id = randomUUID();
      services.add(id);
      return void reply(201, tokenBody({ roles: ['service'] }), { 'x-subject-token': id });
    }
    asked.validations++;
    if (!services.has(String(request.headers['x-auth-token']))) return void reply(401, {});
    const token = tokens.get(String(request.headers['x-subject-token']));
    reply(token === undefined ? 404 : 200, token === undefined ? {} : tokenBody(token));
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const keystone: FakeKeystone = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tokens,
    asked,
    failure: undefined,
    expireServiceTokens: () => services.clear(),
    isService: (token) => services.has(token),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return keystone;
}

function tokenBody({ projectId, roles, expiresAt = new Date(Date.now() + 3_600_000) }: FakeToken): object {
  return {
    token: {
      expires_at: expiresAt.toISOString(),
      user: { id: 'user', name: 'somebody' },
      roles: roles.map((name) => ({ id: name, name })),
      ...(projectId === undefined ? {} : { project: { id: projectId, name: projectId } }),
    },
  };
}
