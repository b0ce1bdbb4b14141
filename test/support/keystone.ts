// A real Keystone (Debian's python3-keystone) on SQLite, for the tests of a file: set up in a folder of its own, gone
// when the file is done.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll } from '@jest/globals';
import { processes } from './processes.ts';
import { tempFolder } from './temp-folder.ts';
import { waitFor } from './wait-for.ts';

export function hasKeystone(): boolean {
  return existsSync('/usr/bin/keystone-manage') && existsSync('/usr/bin/keystone-wsgi-public');
}

export const adminPassword = 'password-of-the-administrator';

export interface Keystone {
  /** Without `/v3`. */
  readonly url: string;
  /** Where its endpoints are. */
  readonly region: string;
  /** A call as its administrator, to a path below `/v3`. @throws Error with the answer when that is a refusal */
  call<T>(method: string, path: string, body?: object): Promise<T>;
}

export interface ScopedToken {
  readonly token: string;
  readonly projectId: string;
}

const domain = { id: 'default' };
const region = 'one';

/** A token for a project. `url` is without `/v3`. */
export async function keystoneToken(
  url: string,
  { user, password, project }: { readonly user: string; readonly password: string; readonly project: string },
): Promise<ScopedToken> {
  const identity = { methods: ['password'], password: { user: { name: user, password, domain } } };
  const response = await fetch(`${url}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity, scope: { project: { name: project, domain } } } }),
  });
  const body = (await response.json()) as { token: { project: { id: string } } };
  return { token: response.headers.get('x-subject-token') ?? '', projectId: body.token.project.id };
}

async function keystoneCall<T>(url: string, method: string, path: string, body?: object): Promise<T> {
  const { token } = await keystoneToken(url, { user: 'admin', password: adminPassword, project: 'admin' });
  const headers = { 'content-type': 'application/json', 'x-auth-token': token };
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const response = await fetch(`${url}/v3${path}`, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** Call `start` once, in a hook. Call this at the top level of a test file. */
export function useKeystone(): { readonly start: () => Promise<Keystone> } {
  let stop: () => Promise<unknown> = async () => undefined;
  afterAll(() => stop());
  const start = processes();
  const folder = tempFolder('keystone');
  return {
    async start() {
      const config = configuration(folder);
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      await setUp(config, url);
      const args = ['/usr/bin/keystone-wsgi-public', '--host', '127.0.0.1', '--port', String(port)];
      // Another Python may come first on the path; the packages belong to the system's.
      const server = start('/usr/bin/python3', args, { env: { OS_KEYSTONE_CONFIG_FILES: config }, cwd: folder });
      stop = () => {
        server.kill('SIGKILL');
        return server.ended;
      };
      await waitFor(async () => (await fetch(`${url}/v3`)).ok, { timeoutMs: 60_000, describe: 'Keystone to answer' });
      return { url, region, call: (...words) => keystoneCall(url, ...words) };
    },
  };
}

function configuration(folder: string): string {
  const [tokens, credentials] = [join(folder, 'fernet-keys'), join(folder, 'credential-keys')];
  for (const keys of [tokens, credentials]) mkdirSync(keys, { mode: 0o700 });
  const file = join(folder, 'keystone.conf');
  const lines = [
    '[database]',
    `connection = sqlite:///${databaseIn(folder)}`,
    'sqlite_synchronous = false',
    // It reads the same roles and projects again and again.
    '[cache]',
    'enabled = true',
    'backend = dogpile.cache.memory',
    '[token]',
    'provider = fernet',
    '[fernet_tokens]',
    `key_repository = ${tokens}`,
    '[credential]',
    `key_repository = ${credentials}`,
    '[identity]',
    'password_hash_rounds = 4',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

function databaseIn(folder: string): string {
  return join(folder, 'keystone.db');
}

/** SQLite lets readers keep writers waiting, until these give up, unless it is told so once. */
const lettingReadersBe = 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute("PRAGMA journal_mode=WAL")';

async function setUp(config: string, url: string): Promise<void> {
  const run = promisify(execFile);
  const manage = (...words: readonly string[]) => run('/usr/bin/keystone-manage', ['--config-file', config, ...words]);
  const { username } = userInfo();
  await manage('fernet_setup', '--keystone-user', username, '--keystone-group', username);
  await manage('credential_setup', '--keystone-user', username, '--keystone-group', username);
  await manage('db_sync');
  await run('/usr/bin/python3', ['-c', lettingReadersBe, databaseIn(dirname(config))]);
  const urls = ['admin', 'internal', 'public'].flatMap((kind) => [`--bootstrap-${kind}-url`, `${url}/v3`]);
  await manage('bootstrap', '--bootstrap-password', adminPassword, '--bootstrap-region-id', region, ...urls);
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
