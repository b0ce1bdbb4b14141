// `amphi actors`: the live tree, an actor's state, an entity's history.
import type { Command } from 'commander';
import type { ActorView } from '../domain/operator-views.ts';
import type { Act } from './act.ts';
import { CliFailure } from './failure.ts';
import { examples } from './help.ts';
import { parseWholeNumber } from './numbers.ts';

export function actorsCommand(program: Command, act: Act): void {
  const actors = program.command('actors').description('The live actors of a controller.');
  examples(actors, 'amphi actors tree', 'amphi actors show lb-5c6f1d2e-…', 'amphi actors history lb-5c6f1d2e-…');
  const tree = actors
    .command('tree')
    .description('Show every live actor of the node that is asked, of another one, or of all.')
    .option('--node <id>', 'of that node')
    .option('--all', 'of every node that can be reached')
    .action(
      act(({ withInspect, output }, _, { node, all }) =>
        withInspect(async (client) => {
          const { actors: live } = await client.call('actors.tree', { node, all: all === true });
          if (output.isJson) return output.list(live, []);
          for (const id of new Set(live.map((actor) => actor.node))) {
            if (all === true) output.say(`node ${id}`);
            for (const line of treeLines(live.filter((actor) => actor.node === id))) output.say(line);
          }
        }),
      ),
    );
  examples(tree, 'amphi actors tree', 'amphi actors tree --all', 'amphi actors tree -o json');
  const show = actors
    .command('show <path>')
    .description('Show an actor with its state, on whichever node it lives.')
    .option('--node <id>', 'for actors that every node has, such as health-watchdog')
    .action(
      act(({ withInspect, output }, [path = ''], { node }) =>
        withInspect(async (client) => {
          const { state, ...actor } = await client.call('actors.show', { path, node });
          if (output.isJson) return output.show({ ...actor, state });
          output.show(actor);
          output.say(`\n${JSON.stringify(state, null, 2)}`);
        }),
      ),
    );
  examples(show, 'amphi actors show spares-pool', 'amphi actors show lb-5c6f1d2e-…');
  addHistory(actors, act);
  const restart = actors
    .command('restart <path>')
    .description('Recover a durable actor from its journal; the way to go on after it was given up.')
    .action(
      act(({ withInspect, output }, [path = '']) =>
        withInspect(async (client) => {
          const answer = await client.call('actors.restart', { path });
          if (output.isJson) output.show(answer);
          else output.say(`${path} is restarted`);
        }),
      ),
    );
  examples(restart, 'amphi actors restart lb-5c6f1d2e-…');
}

function addHistory(actors: Command, act: Act): void {
  const history = actors
    .command('history <path>')
    .description('Show the newest entries of the journal of a load balancer or an amphora.')
    .option('--limit <n>', 'most entries', parseWholeNumber, 20)
    .action(
      act(({ withInspect, output }, [path = ''], { limit }) =>
        withInspect(async (client) => {
          const { entries } = await client.call('actors.history', { ...entityOf(path), limit });
          output.list(
            entries,
            [
              { title: 'SEQ', of: (entry) => entry.seq },
              { title: 'AT', of: (entry) => entry.at },
              { title: 'EPOCH', of: (entry) => entry.epoch },
              { title: 'COMMAND', of: (entry) => entry.commandId },
              { title: 'EVENTS', of: (entry) => entry.events.map((event) => event.type) },
            ],
            `the journal has nothing of ${path}: it never was, or was deleted and purged`,
          );
        }),
      ),
    );
  examples(history, 'amphi actors history lb-5c6f1d2e-…', 'amphi actors history amphora-9e7b… --limit 100 -o json');
}

/** `load-balancers/lb-<id>`, `lb-<id>` or `amphora-<id>`. */
function entityOf(path: string): { readonly kind: string; readonly id: string } {
  const [, kind, id = ''] = /(?:^|\/)(lb|amphora)-([0-9a-f-]{36})$/.exec(path) ?? [];
  if (kind === undefined) throw new CliFailure(`expected lb-<id> or amphora-<id>, got ${path}`);
  return { kind: kind === 'lb' ? 'loadBalancer' : 'amphora', id };
}

/** A line per actor, children indented under their parents. */
export function treeLines(actors: readonly ActorView[]): readonly string[] {
  const paths = actors.map(({ path }) => path.split('/'));
  return [
    'system',
    ...actors.map((actor, index) => {
      const parts = paths[index] ?? [];
      const { length } = parts;
      const isLast = !paths.slice(index + 1).some((later) => isSibling(parts, later));
      const trunks = parts.slice(0, -1).map((_, depth) => {
        const ancestor = parts.slice(0, depth + 1);
        return paths.slice(index + 1).some((later) => isSibling(ancestor, later)) ? '│   ' : '    ';
      });
      return `${trunks.join('')}${isLast ? '└── ' : '├── '}${parts[length - 1]}${remarks(actor)}`;
    }),
  ];
}

function isSibling(one: readonly string[], other: readonly string[]): boolean {
  return other.length === one.length && one.slice(0, -1).every((part, depth) => part === other[depth]);
}

function remarks({ handling, pending, restarts, lastError }: ActorView): string {
  const words = [
    ...(handling === null ? [] : [`handling ${handling}`]),
    ...(pending === 0 ? [] : [`${pending} waiting`]),
    ...(restarts === 0 ? [] : [`${restarts} restarts`]),
    ...(lastError === null ? [] : [`last error: ${lastError.message}`]),
  ];
  return words.length === 0 ? '' : `  (${words.join(', ')})`;
}
