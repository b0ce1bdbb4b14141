// `amphi amphora`: the machines that balance traffic.
import { statisticsColumns } from './statistics.ts';
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import type { CommandClient } from '../channels/command/client.ts';
import { RpcError } from '../channels/rpc/errors.ts';
import type { AmphoraView } from '../domain/views.ts';
import type { Act } from './act.ts';
import { allPages, loadBalancerIdOf } from './find.ts';
import { CliFailure } from './failure.ts';
import { examples } from './help.ts';
import { parsePace } from './numbers.ts';
import { timeout, untilReplaced, wait as waitOption } from './waiting.ts';

/** The first, and how many share it with that. */
export function loadBalancersOf({
  loadBalancerId,
  otherLoadBalancerIds,
}: Pick<AmphoraView, 'loadBalancerId' | 'otherLoadBalancerIds'>): string | null {
  if (loadBalancerId === null || otherLoadBalancerIds.length === 0) return loadBalancerId;
  return `${loadBalancerId} and ${otherLoadBalancerIds.length} more`;
}

export function amphoraCommand(program: Command, act: Act): void {
  const amphora = program.command('amphora').description('Amphorae: the machines that balance traffic.');
  examples(amphora, 'amphi amphora ls --lb web', 'amphi amphora failover 5c6f1d2e-…');
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
            { title: 'LOAD BALANCER', of: loadBalancersOf },
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
  const stats = amphora
    .command('stats <id>')
    .description('Show what an amphora has counted for each listener, as of some seconds ago.')
    .action(
      act(({ withCommand, output }, [id = '']) =>
        withCommand(async (client) => {
          const { items } = await client.call('amphora.statistics', { id });
          output.list(items, [
            { title: 'LISTENER', of: (row) => row.listenerId },
            { title: 'LOAD BALANCER', of: (row) => row.loadBalancerId },
            ...statisticsColumns,
          ]);
        }),
      ),
    );
  examples(stats, 'amphi amphora stats 5c6f1d2e-…');
  const failover = amphora
    .command('failover <id>')
    .description('Replace an amphora of a load balancer.')
    .addOption(waitOption('until it is gone and others serve; fails when a load balancer ends in ERROR'))
    .addOption(timeout())
    .action(
      act(({ withCommand, output }, [id = ''], { wait: waits, timeout: seconds }) =>
        withCommand(async (client) => {
          const before = await client.call('amphora.show', { id });
          const answer = await client.call('amphora.failover', { id });
          if (waits === true) await untilReplaced(client, before, Number(seconds));
          if (output.isJson) output.show(answer);
          else output.say(`amphora ${id} is ${waits === true ? 'replaced' : 'being replaced'}`);
        }),
      ),
    );
  examples(failover, 'amphi amphora failover 5c6f1d2e-…', 'amphi amphora failover 5c6f1d2e-… --wait');
  addConfigure(amphora, act);
  const rotate = amphora
    .command('rotate <id>')
    .description('Give an amphora another certificate now. Traffic does not notice.')
    .action(
      act(({ withCommand, output }, [id = '']) =>
        withCommand(async (client) => {
          const answer = await client.call('amphora.rotateCertificate', { id });
          if (output.isJson) output.show(answer);
          else output.say(`amphora ${id} is being given another certificate`);
        }),
      ),
    );
  examples(rotate, 'amphi amphora rotate 5c6f1d2e-…');
}

function addConfigure(amphora: Command, act: Act): void {
  const configure = amphora
    .command('configure [id]')
    .description(
      'Give the agent of an amphora its configuration again, for one or for all: after a change of heartbeat.key.',
    )
    .option('--all', 'every amphora that is up')
    .option('--per-second <count>', 'with --all: how many a second', parsePace, 10)
    .action(
      act(({ withCommand, output }, [id], { all, perSecond }) =>
        withCommand(async (client) => {
          if ((id === undefined) === (all !== true))
            throw new CliFailure('expected either the id of an amphora, or --all');
          const ids = id === undefined ? await idsOfAll(client) : [id];
          const refused = await configureEach(client, ids, 1000 / Number(perSecond));
          const told = ids.length - refused.length;
          if (output.isJson) output.show({ told, refused });
          else output.say(`${told} of ${ids.length} are given their configuration`);
          for (const { id: which, reason } of refused) output.say(`${which}: ${reason}`);
          if (id !== undefined && refused.length > 0) throw new CliFailure(refused[0]?.reason ?? '');
        }),
      ),
    );
  examples(configure, 'amphi amphora configure 5c6f1d2e-…', 'amphi amphora configure --all --per-second 5');
}

async function idsOfAll(client: CommandClient): Promise<readonly string[]> {
  const all = await allPages<AmphoraView>((marker) => client.call('amphora.list', marker));
  return all.filter(({ status }) => status === 'READY' || status === 'ALLOCATED').map(({ id }) => id);
}

/** One that has gone meanwhile is passed over, and named. */
async function configureEach(
  client: CommandClient,
  ids: readonly string[],
  pauseMs: number,
): Promise<readonly { readonly id: string; readonly reason: string }[]> {
  const refused: { id: string; reason: string }[] = [];
  for (const [index, id] of ids.entries()) {
    if (index > 0) await wait(pauseMs);
    try {
      await client.call('amphora.configure', { id });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      refused.push({ id, reason: error.message });
    }
  }
  return refused;
}
