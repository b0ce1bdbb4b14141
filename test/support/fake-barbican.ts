// As much of Barbican as a reader sees: secrets with payloads, containers, and who may read them. Tokens are names of users, but
// for those that its Keystone gave to services.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Secret {
  readonly payload: Buffer;
  readonly type: string;
  readonly owner: string;
  /** Others who may read it. */
  readers: string[];
}

export interface FakeBarbican {
  readonly url: string;
  /** `METHOD path` of every request, in order. */
  readonly calls: string[];
  /** Stores a payload and gives its reference. The user owns it, and may read it. */
  secret(payload: string | Buffer, owner: string, type?: string): string;
  container(secrets: Readonly<Record<string, string>>, owner: string, type?: string): string;
  /** Lets the service read it. */
  share(ref: string): void;
  /** What it answers instead, while set. */
  failure: number | undefined;
  close(): Promise<void>;
}

/** `isService` knows the tokens of services, whose user is called `user`. */
export async function startFakeBarbican(isService: (token: string) => boolean): Promise<FakeBarbican> {
  const secrets = new Map<string, Secret>();
  const containers = new Map<string, { owner: string; readers: string[]; body: object }>();
  const calls: string[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    calls.push(`${method} ${url}`);
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const reply = (status: number, content: object = {}) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
    if (barbican.failure !== undefined) return reply(barbican.failure);
    const token = String(request.headers['x-auth-token'] ?? '');
    const user = isService(token) ? 'user' : token;
    // A token that its Keystone does not know any more.
    if (user === '' || /^[0-9a-f-]{36}$/.test(user)) return reply(401);
    const [, kind = '', id = '', what = ''] =
      /^\/v1\/(secrets|containers)\/([0-9a-f-]{36})(\/payload|\/acl)?$/.exec(url) ?? [];
    const object = kind === 'secrets' ? secrets.get(id) : containers.get(id);
    if (object === undefined) return reply(404);
    const isOwner = object.owner === user;
    if (!isOwner && !object.readers.includes(user)) return reply(403);
    if (what === '/acl') {
      if (!isOwner) return reply(403);
      if (method === 'PATCH') object.readers = (JSON.parse(body) as { read: { users: string[] } }).read.users;
      return reply(200, { read: { users: object.readers, 'project-access': true } });
    }
    if ('body' in object) return reply(200, object.body);
    if (what === '') return reply(200, { status: 'ACTIVE', content_types: { default: object.type } });
    if (request.headers.accept !== object.type) return reply(406);
    response.writeHead(200, { 'content-type': object.type }).end(object.payload);
  }

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // References name the public endpoint, which is not the one that the service asks.
  const ref = (kind: string, id: string) => `https://barbican.example/key-manager/v1/${kind}/${id}`;
  const barbican: FakeBarbican = {
    url,
    calls,
    failure: undefined,
    secret(payload, owner, type = typeof payload === 'string' ? 'text/plain' : 'application/octet-stream') {
      const id = randomUUID();
      secrets.set(id, { payload: Buffer.from(payload), owner, readers: [], type });
      return ref('secrets', id);
    },
    container(named, owner, type = 'certificate') {
      const id = randomUUID();
      const body = { type, secret_refs: Object.entries(named).map(([name, secret_ref]) => ({ name, secret_ref })) };
      containers.set(id, { owner, readers: [], body });
      return ref('containers', id);
    },
    share(shared) {
      const id = shared.slice(-36);
      (secrets.get(id) ?? containers.get(id))?.readers.push('user');
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return barbican;
}
