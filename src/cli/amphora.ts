// `amphi amphora`: the machines that balance traffic.
import type { Command } from 'commander';
import type { AmphoraView } from '../domain/views.ts';
import type { Act } from './act.ts';
import { allPages, loadBalancerIdOf } from './find.ts';
import { examples } from './help.ts';

export function amphoraCommand(program: Command, act: Act): void {
  const amphora = program.command('amphora').description('Amphorae: the machines that balance traffic.');
  const list = amphora
    .command('ls')
    .description('List amphorae, spares included.')
    .option('--lb <id-or-name>', 'only those of this load balancer')
    .action(
      act(({ withCommand, output }, _, { lb }) =>
        withCommand(async (client) => {
          const within = typeof lb === 'string' ? { loadBalancerId: await loadBalancerIdOf(client, lb) } : {};
          const page = (marker: object) => client.call('amphora.list', { ...within, ...marker });
          output.list(await allPages<AmphoraView>(page), [
            { title: 'ID', of: (view) => view.id },
            { title: 'STATUS', of: (view) => view.status },
            { title: 'LOAD BALANCER', of: (view) => view.loadBalancerId },
            { title: 'ROLE', of: (view) => view.role },
            { title: 'AGENT', of: (view) => (view.agentHost === null ? null : `${view.agentHost}:${view.agentPort}`) },
            { title: 'HAPROXY', of: (view) => view.haproxyVersion },
          ]);
        }),
      ),
    );
  examples(list, 'amphi amphora ls', 'amphi amphora ls --lb web');
  const show = amphora
    .command('show <id>')
    .description('Show an amphora.')
    .action(
      act(({ withCommand, output }, [id = '']) =>
        withCommand(async (client) => output.show(await client.call('amphora.show', { id }))),
      ),
    );
  examples(show, 'amphi amphora show 5c6f1d2e-…');
  const failover = amphora
    .command('failover <id>')
    .description('Replace an amphora of a load balancer.')
    .action(
      act(({ withCommand, output }, [id = '']) =>
        withCommand(async (client) => {
          const answer = await client.call('amphora.failover', { id });
          if (output.isJson) output.show(answer);
          else output.say(`amphora ${id} is being replaced`);
        }),
      ),
    );
  examples(failover, 'amphi amphora failover 5c6f1d2e-…');
}
