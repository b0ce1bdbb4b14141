// A fail-over to another server while the one of before lives on, read-only: on two servers of their own.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '../../../src/db/embedded-postgres.ts';
import { Journal } from '../../../src/db/journal.ts';
import { migrate } from '../../../src/db/migrate.ts';
import type { OwnershipSession } from '../../../src/db/ownership.ts';
import { openPool } from '../../../src/db/pool.ts';
import { OutcomeUnknownError } from '../../../src/domain/journal.ts';
import { startDatabaseProxy } from '../../support/database-proxy.ts';
import { entry, ownAll } from '../../support/entries.ts';
import { openTestSession } from '../../support/registration.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

// Before their folders go.
afterAll(() => Promise.all(folders.map(removeEmbeddedPostgres)));
const folders = [tempFolder('fail-over-before'), tempFolder('fail-over-after')];
let before: string;
let after: string;

beforeAll(async () => {
  const [one, two] = await Promise.all(
    folders.map((dataDir) => startEmbeddedPostgres({ dataDir, settings: { fsync: 'off' }, log: () => undefined })),
  );
  [before, after] = [one?.url ?? '', two?.url ?? ''];
  await Promise.all([migrate(before), migrate(after)]);
  // A replica has the passwords of what it replicates.
  const { username, password } = new URL(before);
  await run(after, `alter role ${username} password '${password}'`);
});

async function run(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

const makeReadOnly = ['alter system set default_transaction_read_only = on', 'select pg_reload_conf()'];
const makeWritable = ['set default_transaction_read_only = off', 'alter system reset default_transaction_read_only'];

/** A server's processes read a changed setting by and by. Gives the refusal. */
function untilRefused(session: OwnershipSession): Promise<unknown> {
  const refusal = () =>
    session.renew().then(
      () => undefined,
      (error: unknown) => error,
    );
  return waitFor(refusal, { describe: 'the server to be read-only' });
}

test('sessions and connections leave a server that takes no writes once their address leads to another one', async () => {
  const proxy = await startDatabaseProxy(before);
  const session = await openTestSession(proxy.url, { id: randomUUID() });
  let hasEnded = false;
  void session.ended.then(() => (hasEnded = true));
  const pool = openPool({ url: proxy.url, size: 2, onIdleError: () => undefined });
  const journal = new Journal(pool);
  try {
    const owner = await ownAll(pool);
    expect(await session.renew()).toBe(true);
    await run(before, ...makeReadOnly);
    // Read-only for a while is no reason to give the session up.
    expect(String(await untilRefused(session))).toMatch(/read-only/);
    await expect(journal.append(entry(randomUUID(), owner))).rejects.toThrow(OutcomeUnknownError);
    expect(hasEnded).toBe(false);
    await run(before, ...makeWritable, 'select pg_reload_conf()');
    await waitFor(() => session.renew().catch(() => false), { describe: 'the server to be writable again' });
    expect(await journal.append(entry(randomUUID(), owner))).toEqual({ type: 'written' });

    await run(before, ...makeReadOnly);
    const { password } = new URL(before);
    const target = new URL(after);
    target.password = password;
    proxy.leadTo(target.href);
    await run(target.href, `update shards set owner = '${owner.node}', epoch = ${owner.epoch}`);
    expect(String(await untilRefused(session))).toMatch(/read-only/);
    await session.ended;
    await expect(journal.append(entry(randomUUID(), owner))).rejects.toThrow(OutcomeUnknownError);
    expect(await journal.append(entry(randomUUID(), owner))).toEqual({ type: 'written' });
  } finally {
    await session.close();
    await pool.end();
    await proxy.close();
  }
});
