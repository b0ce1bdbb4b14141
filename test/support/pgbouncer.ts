// A real pgbouncer in front of a database of the tests.
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import type { StartedProcess, StartProcess } from './processes.ts';
import { waitFor } from './wait-for.ts';

type Start = (command: string, args: readonly string[], options?: StartProcess) => StartedProcess;

/** Whether there is one on this machine. */
export function hasPgbouncer(): boolean {
  try {
    execFileSync('pgbouncer', ['--version'], { env: withSbin(), stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export interface Pgbouncer {
  readonly url: string;
  stop(): Promise<void>;
}

export interface PgbouncerSettings {
  readonly pool_mode: 'session' | 'transaction' | 'statement';
  readonly default_pool_size?: number;
  readonly server_round_robin?: 0 | 1;
}

/** `folder`: for its settings, which hold the database's password. */
export async function startPgbouncer(
  start: Start,
  folder: string,
  database: string,
  settings: PgbouncerSettings,
): Promise<Pgbouncer> {
  const { hostname, port, username, password, pathname } = new URL(database);
  const name = pathname.slice(1);
  const listenPort = await freePort();
  const file = join(folder, `pgbouncer-${listenPort}.ini`);
  const target = `host=${hostname} port=${port} dbname=${name} user=${username} password='${decodeURIComponent(password)}'`;
  const options = {
    listen_addr: '127.0.0.1',
    listen_port: listenPort,
    unix_socket_dir: '',
    auth_type: 'any',
    ...settings,
  };
  const lines = Object.entries(options).map(([key, value]) => `${key} = ${value}`);
  writeFileSync(file, `[databases]\n${name} = ${target}\n[pgbouncer]\n${lines.join('\n')}\n`, { mode: 0o600 });
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    // It refuses to run as root.
    const nobody = 65_534;
    chmodSync(folder, 0o711);
    chownSync(file, nobody, nobody);
  }
  const bouncer = start('pgbouncer', [...(isRoot ? ['-u', 'nobody'] : []), file], { env: withSbin() });
  const url = `postgresql://${username}@127.0.0.1:${listenPort}/${name}`;
  await waitFor(() => answers(url), { describe: 'pgbouncer to answer' }).catch((error: unknown) => {
    throw new Error(`pgbouncer does not answer: ${bouncer.output()}`, { cause: error });
  });
  return {
    url,
    async stop() {
      bouncer.kill('SIGTERM');
      await bouncer.ended;
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function withSbin(): Record<string, string> {
  return { ...(process.env as Record<string, string>), PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
