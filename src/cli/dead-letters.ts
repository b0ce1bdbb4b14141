// `amphi dead-letters`: messages that found no actor.
import type { Command } from 'commander';
import type { Act } from './act.ts';
import { examples } from './help.ts';

export function deadLettersCommand(program: Command, act: Act): void {
  const command = program
    .command('dead-letters')
    .description('List the newest messages that found no actor.')
    .action(
      act(({ withInspect, output }) =>
        withInspect(async (client) => {
          const { deadLetters } = await client.call('deadLetters.list');
          output.list(deadLetters, [
            { title: 'AT', of: (letter) => letter.at },
            { title: 'ACTOR', of: (letter) => letter.path },
            { title: 'MESSAGE', of: (letter) => letter.type },
          ]);
        }),
      ),
    );
  examples(command, 'amphi dead-letters', 'amphi dead-letters -o json');
}
