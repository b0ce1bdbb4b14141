// A real haproxy that serves a tree as it is rendered, and requests to it.
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, type Server, type ServerResponse, createServer, request } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { localise } from '../../src/agent/haproxy/localise.ts';
import { renderAll } from '../../src/domain/haproxy/render.ts';
import type { Secrets } from '../../src/domain/haproxy/tls.ts';
import type { ServedTree } from '../../src/domain/load-balancer/attributes.ts';
import { isRunning, type StartedProcess } from './processes.ts';
import { waitFor } from './wait-for.ts';

type Start = (command: string, args: readonly string[], options?: { cwd?: string }) => StartedProcess;

/**
 * Serves the tree until the returned function is called. `edit` changes what is rendered, for what this host has not;
 * `secrets` is what stands behind its references.
 */
export async function serveTree(
  folder: string,
  startProcess: Start,
  tree: ServedTree,
  edit: (text: string) => string = (text) => text,
  secrets: Secrets = new Map(),
): Promise<() => Promise<void>> {
  const cwd = mkdtempSync(join(folder, 'haproxy-'));
  const { configuration, files } = renderAll(tree, { secrets });
  const place = join(cwd, 'certs', tree.loadBalancerId);
  mkdirSync(place, { recursive: true });
  for (const { name, content } of files) writeFileSync(join(place, name), content, { mode: 0o600 });
  const text = localise(edit(configuration ?? ''), {
    statsSocket: 'stats.sock',
    serverStateFile: 'servers-state',
    mostConnections: 500,
    privileged: false,
    exists: existsSync,
  });
  writeFileSync(join(cwd, 'haproxy.cfg'), text);
  const haproxy = startProcess('/usr/sbin/haproxy', ['-db', '-f', 'haproxy.cfg'], { cwd });
  const [vip = '', port = 0] = [tree.vipAddresses[0], tree.listeners[0]?.protocolPort];
  await waitFor(async () => !isRunning(haproxy.pid) || (await accepts(vip, port)), { describe: 'haproxy to listen' });
  if (!isRunning(haproxy.pid)) throw new Error(`haproxy does not take this: ${haproxy.output()}\n${text}`);
  return async () => {
    haproxy.kill('SIGTERM');
    await haproxy.ended;
  };
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

export interface Seen {
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

export interface TestMember {
  readonly port: number;
  /** Requests, in order. */
  readonly seen: readonly Seen[];
  /** Answers to `/slow` that it has not given yet. */
  readonly slow: readonly ServerResponse[];
}

/**
 * A function that starts members: each answers with its name and the headers given, until the test file is done. Call it
 * at the top level.
 */
export function testMembers(): (name: string, headers?: Readonly<Record<string, string>>) => Promise<TestMember> {
  const servers: Server[] = [];
  afterAll(async () => {
    for (const server of servers) server.closeAllConnections();
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  });
  return async (name, headers = {}) => {
    const seen: Seen[] = [];
    const slow: ServerResponse[] = [];
    const server = createServer((incoming, response) => {
      seen.push({ url: incoming.url, headers: incoming.headers });
      if (incoming.url === '/slow') slow.push(response);
      else response.writeHead(200, headers).end(name);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { port: (server.address() as AddressInfo).port, seen, slow };
  };
}

export interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  /** `name=value` of each cookie that is set. */
  readonly cookies: readonly string[];
  readonly body: string;
}

export interface Ask {
  readonly host: string;
  readonly port: number;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly localAddress?: string;
}

/** One request on a connection of its own. @throws when the connection is refused or ends early */
export function ask({ host, port, path = '/', headers = {}, localAddress }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const from = localAddress === undefined ? {} : { localAddress };
    const call = request({ host, port, path, headers, agent: false, ...from }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.on('error', reject);
      response.on('end', () => {
        const { location, 'set-cookie': given = [] } = response.headers;
        const cookies = given.map((text) => text.split(';')[0] ?? '');
        resolve({ status: response.statusCode ?? 0, location, cookies, body });
      });
    });
    call.on('error', reject);
    call.end();
  });
}
