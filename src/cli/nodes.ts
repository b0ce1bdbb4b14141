// `amphi nodes`: the processes that share the work.
import type { Command } from 'commander';
import type { Act } from './act.ts';
import { examples } from './help.ts';

export function nodesCommand(program: Command, act: Act): void {
  const command = program
    .command('nodes')
    .description('List nodes that run, and those that stopped within a day.')
    .action(
      act(({ withInspect, output }) =>
        withInspect(async (client) => {
          const { nodes } = await client.call('nodes.list');
          output.list(nodes, [
            { title: 'ID', of: (node) => node.id },
            { title: 'ROLES', of: (node) => node.roles },
            { title: 'VERSION', of: (node) => node.version },
            { title: 'STARTED', of: (node) => node.startedAt },
            { title: 'LEASE UNTIL', of: (node) => node.leaseUntil },
            { title: 'STOPPED', of: (node) => node.stoppedAt },
            { title: 'SHARDS', of: (node) => node.shards },
          ]);
        }),
      ),
    );
  examples(command, 'amphi nodes', 'amphi nodes -o json');
}
