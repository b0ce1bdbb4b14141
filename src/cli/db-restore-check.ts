// `amphi db restore-check`: how the world differs from a database that was restored from an older backup. Asks a running
// node, because only nodes have drivers.
import type { Command } from 'commander';
import type { RestoreView } from '../channels/inspect/methods.ts';
import type { Act } from './act.ts';
import { CliFailure } from './failure.ts';
import { examples } from './help.ts';
import type { Output } from './output.ts';

export function restoreCheckCommand(db: Command, act: Act): void {
  const check = db
    .command('restore-check')
    .description(
      'Compare the world with the database, after it was restored from an older backup. Fails while nodes only look, or something differs.',
    )
    .option('--accept', 'show the differences and let nodes work again, with the database as it is')
    .action(
      act(({ withInspect, output }, _, options) =>
        withInspect(async (client) => {
          const found = await client.call('restore.check', { accept: options['accept'] === true });
          print(found, output);
          const { accepted, observing, differences } = found;
          if (accepted || options['accept'] === true) return;
          if (observing !== null) throw new CliFailure(`nodes only look: ${observing}`);
          if (differences.length > 0)
            throw new CliFailure(`the world differs from the database in ${differences.length} points`);
        }),
      ),
    );
  examples(check, 'amphi db restore-check', 'amphi db restore-check -o json', 'amphi db restore-check --accept');
}

function print(found: RestoreView, output: Output): void {
  if (output.isJson) return output.show(found);
  const { instances, amphorae, loadBalancers, differences, accepted } = found;
  output.say(
    `${instances} instances, ${amphorae} amphorae, ${loadBalancers} load balancers; ${differences.length} differences`,
  );
  if (differences.length > 0) {
    output.list(differences, [
      { title: 'kind', of: ({ kind }) => kind },
      { title: 'what', of: ({ sentence }) => sentence },
    ]);
  }
  if (accepted) output.say('nodes work again');
}
