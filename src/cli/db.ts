// `amphi db`: the database's schema and state.
import type { Command } from 'commander';
import { isRunning, readRunFile } from '../config/data-folder.ts';
import { existingFolder } from '../db/embedded-postgres/place.ts';
import { startEmbeddedPostgres } from '../db/embedded-postgres.ts';
import { migrate } from '../db/migrate.ts';
import { refuseTransactionPooler } from '../db/pooler.ts';
import { databaseStatus } from '../db/status.ts';
import type { Act } from './act.ts';
import type { Context } from './context.ts';
import { CliFailure } from './failure.ts';
import { restoreCheckCommand } from './db-restore-check.ts';
import { examples } from './help.ts';

export function dbCommand(program: Command, act: Act): void {
  const db = program.command('db').description('The database: its schema and its state.');
  examples(db, 'amphi db status', 'AMPHI_DATABASE_URL=postgresql://… amphi db migrate');
  const migration = db
    .command('migrate')
    .description('Bring the database to the schema of this version. `up` and `run` do it too.')
    .action(
      act((context) =>
        withDatabase(context, async (url) => {
          await refuseTransactionPooler(url);
          await migrate(url);
          const { migrationsApplied } = await databaseStatus(url);
          if (context.output.isJson) context.output.show({ migrationsApplied });
          else context.output.say(`the database is up to date: ${migrationsApplied} migrations applied`);
        }),
      ),
    );
  examples(migration, 'AMPHI_DATABASE_URL=postgresql://… amphi db migrate');
  const status = db
    .command('status')
    .description('Whether the database can be reached, is migrated, and keeps what it acknowledges.')
    .action(
      act((context) =>
        withDatabase(refusingToMakeOne(context), async (url) => {
          const found = await databaseStatus(url);
          context.output.show(found);
          if (found.warnings.length > 0) throw new CliFailure(found.warnings.join('; '));
        }),
      ),
    );
  examples(status, 'amphi db status', 'amphi db status -o json');
  restoreCheckCommand(db, act);
}

/** Who asks how a database is must not make one. */
function refusingToMakeOne(context: Context): Context {
  const { database, dataDir } = context.settings().config;
  if (database.url === undefined && existingFolder(dataDir) === undefined) {
    throw new CliFailure(`there is no database in ${dataDir}, and database.url is not set; \`amphi up\` makes one`);
  }
  return context;
}

/** The database of the settings, of the running controller, or the one in the data folder, started for the moment. */
async function withDatabase(context: Context, work: (url: string) => Promise<void>): Promise<void> {
  const { database, dataDir } = context.settings().config;
  const run = readRunFile(dataDir);
  const known = database.url ?? (run !== undefined && isRunning(run) ? run.databaseUrl : undefined);
  if (known !== undefined) return work(known);
  const server = await startEmbeddedPostgres({ dataDir, log: () => undefined });
  try {
    await work(server.url);
  } finally {
    if (!server.adopted) await server.stop('fast');
  }
}
