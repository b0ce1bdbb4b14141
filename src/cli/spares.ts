// `amphi spares`: the pool of amphorae that wait for work.
import type { Command } from 'commander';
import type { Act } from './act.ts';
import { examples } from './help.ts';

export function sparesCommand(program: Command, act: Act): void {
  const command = program
    .command('spares')
    .description('Show the pool of spare amphorae.')
    .action(
      act(({ withCommand, output }) => withCommand(async (client) => output.show(await client.call('spares.show')))),
    );
  examples(command, 'amphi spares', 'amphi spares -o json');
}
