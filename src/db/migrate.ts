// Brings a database to the schema of this version: generated migrations, the append function, the journal's partitions,
// and the rows that every deployment has. Under a lock, because drizzle's migrator takes none.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { families, familyNames } from '../domain/ownership.ts';
import { appendFunctionSql } from './append-function.ts';
import { makeJournalPartitions } from './journal-partitions.ts';
import { lockClasses } from './lock-classes.ts';

/**
 * Idempotent, and safe to run from several processes at once.
 *
 * @throws Error when the database cannot be reached or refuses a migration
 */
export async function migrate(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1, 0)', [lockClasses.migration]);
    await client.query('set client_min_messages = warning');
    await applyMigrations(drizzle(client), { migrationsFolder: migrationsFolder() });
    await client.query(appendFunctionSql());
    await makeJournalPartitions(client);
    await client.query(`insert into deployment (id) select $1 where not exists (select 1 from deployment)`, [
      randomUUID(),
    ]);
    await client.query(
      `insert into shards (family, shard)
       select f, s from unnest($1::text[], $2::int[]) w (f, n), generate_series(0, n - 1) s on conflict do nothing`,
      [familyNames, familyNames.map((family) => families[family].shards)],
    );
  } finally {
    await client.end();
  }
}

/** `drizzle/` stands at the top of the project, above `src/` and above `dist/src/` alike. */
export function migrationsFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'drizzle', 'meta', '_journal.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('the folder drizzle/ with the migrations is missing from this installation');
    folder = parent;
  }
  return join(folder, 'drizzle');
}
