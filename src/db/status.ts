// What state a database is in: reachable, migrated, durable.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { migrationsFolder } from './migrate.ts';

export interface DatabaseStatus {
  readonly server: string;
  readonly deploymentId: string | null;
  readonly migrationsApplied: number;
  readonly migrationsMissing: number;
  readonly loadBalancers: number | null;
  readonly journalEntries: number | null;
  readonly sizeBytes: number;
  readonly synchronousCommit: string;
  /** What an operator should know, a sentence each. */
  readonly warnings: readonly string[];
}

/** @throws Error when the database cannot be reached */
export async function databaseStatus(url: string): Promise<DatabaseStatus> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    return await readStatus(client);
  } finally {
    await client.end();
  }
}

async function readStatus(client: pg.Client): Promise<DatabaseStatus> {
  const one = async (text: string): Promise<string | null> => {
    const { rows } = await client.query<{ value: string | null }>(text);
    return rows[0]?.value ?? null;
  };
  const { entries } = JSON.parse(readFileSync(join(migrationsFolder(), 'meta', '_journal.json'), 'utf8')) as {
    entries: readonly unknown[];
  };
  const isMigrated = (await one(`select to_regclass('drizzle.__drizzle_migrations')::text as value`)) !== null;
  const applied = isMigrated
    ? Number(await one('select count(*)::text as value from drizzle.__drizzle_migrations'))
    : 0;
  const synchronousCommit = (await one(`select current_setting('synchronous_commit') as value`)) ?? '';
  const missing = Math.max(0, entries.length - applied);
  return {
    server: (await one('select version() as value')) ?? '',
    deploymentId: isMigrated ? await one('select id::text as value from deployment') : null,
    migrationsApplied: applied,
    migrationsMissing: missing,
    loadBalancers: isMigrated ? Number(await one('select count(*)::text as value from load_balancers')) : null,
    journalEntries: isMigrated ? Number(await one('select count(*)::text as value from journal')) : null,
    sizeBytes: Number(await one('select pg_database_size(current_database())::text as value')),
    synchronousCommit,
    warnings: [
      ...(missing > 0 ? [`${missing} migrations are missing: run \`amphi db migrate\``] : []),
      ...(applied > entries.length ? ['the database was migrated by a later version of amphi'] : []),
      ...(['off', 'local'].includes(synchronousCommit)
        ? [`synchronous_commit is ${synchronousCommit}: changes that were acknowledged can be lost; expected on`]
        : []),
    ],
  };
}
