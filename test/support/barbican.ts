// A real Barbican (Debian's python3-barbican) on SQLite, beside a real Keystone, for the tests of a file.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { adminPassword, freePort, hasKeystone } from './keystone.ts';
import { processes } from './processes.ts';
import { tempFolder } from './temp-folder.ts';
import { waitFor } from './wait-for.ts';

export function hasBarbican(): boolean {
  return hasKeystone() && existsSync('/usr/lib/python3/dist-packages/barbican');
}

/** Call `start` once, in a hook. Call this at the top level of a test file. */
export function useBarbican(): { readonly start: (keystoneUrl: string) => Promise<string> } {
  let stop: () => Promise<unknown> = async () => undefined;
  afterAll(() => stop());
  const start = processes();
  const folder = tempFolder('barbican-server');
  return {
    async start(keystoneUrl) {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      configure(folder, url, keystoneUrl);
      const program = join(folder, 'serve.py');
      writeFileSync(program, server(folder, port));
      const running = start('/usr/bin/python3', [program], { env: { HOME: folder }, cwd: folder });
      stop = () => {
        running.kill('SIGKILL');
        return running.ended;
      };
      await waitFor(async () => (await fetch(url)).status === 300, {
        timeoutMs: 60_000,
        describe: 'Barbican to answer',
      });
      return url;
    },
  };
}

/** It looks for its settings in the home folder. */
function configure(folder: string, url: string, keystoneUrl: string): void {
  mkdirSync(join(folder, '.barbican'));
  const lines = [
    '[DEFAULT]',
    `host_href = ${url}`,
    `sql_connection = sqlite:///${join(folder, 'barbican.db')}`,
    'db_auto_create = true',
    'transport_url = fake://',
    '[database]',
    `connection = sqlite:///${join(folder, 'barbican.db')}`,
    '[queue]',
    'enable = false',
    '[secretstore]',
    'enabled_secretstore_plugins = store_crypto',
    '[crypto]',
    'enabled_crypto_plugins = simple_crypto',
    '[keystone_authtoken]',
    `auth_url = ${keystoneUrl}`,
    `www_authenticate_uri = ${keystoneUrl}`,
    'auth_type = password',
    'username = admin',
    `password = ${adminPassword}`,
    'project_name = admin',
    'user_domain_id = default',
    'project_domain_id = default',
  ];
  writeFileSync(join(folder, '.barbican', 'barbican.conf'), `${lines.join('\n')}\n`);
  const paste = [
    '[composite:main]',
    'use = egg:Paste#urlmap',
    '/: versions',
    '/v1: api',
    '[app:versions]',
    'paste.app_factory = barbican.api.app:create_version_app',
    '[pipeline:api]',
    'pipeline = authtoken context microversion main_app',
    '[app:main_app]',
    'paste.app_factory = barbican.api.app:create_main_app',
    '[filter:authtoken]',
    'paste.filter_factory = keystonemiddleware.auth_token:filter_factory',
    '[filter:context]',
    'paste.filter_factory = barbican.api.middleware.context:ContextMiddleware.factory',
    '[filter:microversion]',
    'paste.filter_factory = barbican.api.middleware.microversion:MicroversionMiddleware.factory',
  ];
  writeFileSync(join(folder, 'paste.ini'), `${paste.join('\n')}\n`);
}

/** One request at a time: its SQLite has one writer. */
function server(folder: string, port: number): string {
  return [
    'from wsgiref.simple_server import make_server',
    'from paste import deploy',
    `application = deploy.loadapp('config:${join(folder, 'paste.ini')}')`,
    `make_server('127.0.0.1', ${port}, application).serve_forever()`,
    '',
  ].join('\n');
}
