// Where secrets must not be: whoever reads logs, process lists or the database learns none.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { existingFolder } from '../../../src/db/embedded-postgres/place.ts';
import {
  amphoraProcesses,
  createWeb,
  type RunningAmphi,
  untilActive,
  useAmphi,
  useBackends,
} from '../../support/amphi.ts';
import { built } from '../../support/built.ts';
import { processes } from '../../support/processes.ts';
import { waitFor } from '../../support/wait-for.ts';

const amphi = useAmphi('secrets');
const backends = useBackends(['one', 'two']);
const start = processes();
let running: RunningAmphi;
let output = '';
/** What each secret is → the secret, or a part of it that is as good. */
let secrets: ReadonlyMap<string, string>;
let rows: readonly string[] = [];
let commandLines = '';

/** A life with everything in it that handles secrets: boots, pushes, a failover, refusals, a wrong token. */
beforeAll(async () => {
  running = await amphi.up({ AMPHI_LOG_LEVEL: 'trace', AMPHI_SPARES_SIZE: '1' });
  const client = await running.connect();
  const { id } = await createWeb(client, await backends.ports(), 8080);
  await untilActive(client, id);
  const keysOfTheFirst = keys();
  const [lost] = (await client.call('amphora.list', { loadBalancerId: id })).items;
  const group = amphoraProcesses(amphi.dataDir).find((one) => one.amphoraId === lost?.id)?.group ?? 0;
  process.kill(-group, 'SIGKILL');
  await waitFor(
    async () => (await client.call('amphora.list', { loadBalancerId: id })).items.every((one) => one.id !== lost?.id),
    { timeoutMs: 30_000, describe: 'another amphora' },
  );
  await untilActive(client, id);
  await client
    .call('listener.create', { loadBalancerId: id, protocol: 'TCP', protocolPort: 8080 })
    .catch(() => undefined);
  const url = `http://127.0.0.1:${running.controlPort}/metrics`;
  expect((await fetch(url, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
  rows = await everyRow();
  commandLines = everyCommandLine();
  secrets = new Map([...named(), ...keysOfTheFirst, ...keys()]);
  await running.stop();
  output = running.process.output();
});

function named(): readonly (readonly [string, string])[] {
  return ['control.token', 'heartbeat.key', 'postgresql.password'].map((name) => {
    const secret = readFileSync(join(amphi.dataDir, name), 'utf8').trim();
    expect(secret.length).toBeGreaterThan(16);
    return [name, secret];
  });
}

/** Each line of each private key in the data folder: of authorities and of amphorae. */
function keys(): readonly (readonly [string, string])[] {
  return files(amphi.dataDir).flatMap((file) => {
    const text = readFileSync(file, 'latin1');
    return [...text.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]*)-----END/g)].flatMap(([, body = '']) =>
      body
        .split('\n')
        .filter((line) => line.length > 20)
        .map((line, index) => [`${file} line ${index + 1}`, line] as const),
    );
  });
}

function files(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith(join(amphi.dataDir, 'postgresql', 'data')));
}

/** Of tables and views alike: events, snapshots, commands and the rows for reading. */
async function everyRow(): Promise<readonly string[]> {
  const tables = await running.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const texts = await Promise.all(
    tables.map(({ name }) => running.query<{ text: string }>(`select t::text as text from ${name} t`)),
  );
  return texts.flat().map(({ text }) => text);
}

function everyCommandLine(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    })
    .join('\n');
}

function secretsIn(text: string): readonly string[] {
  return [...secrets].filter(([, secret]) => text.includes(secret)).map(([what]) => what);
}

describe('a secret', () => {
  test('is known to this test: tokens, keys of authorities, keys of three amphorae', () => {
    const amphorae = [...secrets.keys()].filter((what) => what.includes('/amphorae/') && what.endsWith('line 1'));
    expect(amphorae.length).toBeGreaterThanOrEqual(3);
    const authorities = [...secrets.keys()].filter((what) => /\/(client-)?ca\.key line 1$/.test(what));
    expect(authorities).toHaveLength(2);
  });

  test('is not in the log of the controller, of amphorae or of PostgreSQL', () => {
    expect(output).toContain('shards were taken up');
    expect(secretsIn(output)).toEqual([]);
    const logs = [amphi.dataDir, existingFolder(amphi.dataDir) ?? '']
      .flatMap(files)
      .filter((file) => /\.log(\.\d+)?$/.test(file));
    expect(logs.length).toBeGreaterThanOrEqual(3);
    for (const file of logs)
      expect({ file, found: secretsIn(readFileSync(file, 'utf8')) }).toEqual({ file, found: [] });
  });

  test('is not in the arguments of any process', () => {
    expect(commandLines).toContain('agent/main.js');
    expect(secretsIn(commandLines)).toEqual([]);
  });

  test('is not in the database', () => {
    expect(rows.some((row) => row.includes('loadBalancerCreated'))).toBe(true);
    expect(secretsIn(rows.join('\n'))).toEqual([]);
    expect(rows.filter((row) => row.includes('PRIVATE KEY'))).toEqual([]);
  });

  test('is in files that only their owner may read', () => {
    const own = files(amphi.dataDir).filter((file) => secretsIn(readFileSync(file, 'latin1')).length > 0);
    expect(own.length).toBeGreaterThanOrEqual(6);
    for (const file of own) expect({ file, mode: statSync(file).mode & 0o077 }).toEqual({ file, mode: 0 });
  });
});

test('a log that cannot be written costs lines, not the program', async () => {
  const script = `import { openLog } from ${JSON.stringify(built('cli/log.js'))};
    const log = openLog('info', false);
    for (let line = 0; line < 100; line++) log.info('x'.repeat(100));
    setTimeout(() => { log.info('again'); console.log('alive'); }, 50);`;
  const shell = 'exec "$0" --input-type=module -e "$1" 2>/dev/full';
  const program = start('/bin/sh', ['-c', shell, process.execPath, script]);
  expect({ status: await program.ended, output: program.output() }).toEqual({ status: 0, output: 'alive\n' });
});
