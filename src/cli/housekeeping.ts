// `amphi housekeeping`: chores of the controller, done now.
import type { Command } from 'commander';
import type { Act } from './act.ts';
import { examples } from './help.ts';

export function housekeepingCommand(program: Command, act: Act): void {
  const housekeeping = program.command('housekeeping').description('Chores of the controller, done now.');
  examples(housekeeping, 'amphi housekeeping sweep --dry-run');
  const sweep = housekeeping
    .command('sweep')
    .description('Remove instances that no amphora knows: seen twice, with the time of grace (sweep.grace) between.')
    .option('--dry-run', 'only say what would be removed')
    .action(
      act(({ withInspect, output }, _, options) =>
        withInspect(async (client) =>
          output.show(await client.call('housekeeping.sweep', { dryRun: options['dryRun'] === true })),
        ),
      ),
    );
  examples(sweep, 'amphi housekeeping sweep --dry-run', 'amphi housekeeping sweep -o json');
}
