// `amphi lb`: load balancers.
import type { Command } from 'commander';
import { RpcError } from '../channels/rpc/errors.ts';
import type { ListenerView, LoadBalancerView } from '../domain/views.ts';
import type { Act } from './act.ts';
import { CliFailure } from './failure.ts';
import { allPages, loadBalancerIdOf } from './find.ts';
import { examples } from './help.ts';
import { createCommand } from './lb-create.ts';
import { explainCommand, showAttributes, showCommand } from './lb-show.ts';
import { statisticsColumns } from './statistics.ts';
import { commandId, timeout, untilGone, untilSettled, wait } from './waiting.ts';

export function lbCommand(program: Command, act: Act): void {
  const lb = program.command('lb').description('Load balancers.');
  examples(lb, 'amphi lb ls', 'amphi lb create --name web --project demo --listener http:80 --member 10.0.0.1:8080');
  addList(lb, act);
  showCommand(lb, act);
  createCommand(lb, act);
  addDelete(lb, act);
  addFailover(lb, act);
  explainCommand(lb, act);
  addStatistics(lb, act);
}

function addList(lb: Command, act: Act): void {
  const command = lb
    .command('ls')
    .description('List load balancers.')
    .option('--project <id>', 'only those of this project')
    .action(
      act(({ withCommand, output }, _, { project }) =>
        withCommand(async (client) => {
          const list = (marker: object) => client.call('loadBalancer.list', { projectId: project, ...marker });
          output.list(await allPages<LoadBalancerView>(list), [
            { title: 'ID', of: (view) => view.id },
            { title: 'NAME', of: (view) => view.name },
            { title: 'PROJECT', of: (view) => view.projectId },
            { title: 'VIP', of: (view) => view.vipAddress },
            { title: 'PROVISIONING', of: (view) => view.provisioningStatus },
            { title: 'OPERATING', of: (view) => view.operatingStatus },
          ]);
        }),
      ),
    );
  examples(command, 'amphi lb ls', 'amphi lb ls --project demo -o json');
}

function addStatistics(lb: Command, act: Act): void {
  const command = lb
    .command('stats <id-or-name>')
    .description('Show what a load balancer and its listeners have counted, as of some seconds ago.')
    .action(
      act(({ withCommand, output }, [which = '']) =>
        withCommand(async (client) => {
          const id = await loadBalancerIdOf(client, which);
          const list = (marker: object) => client.call('listener.list', { loadBalancerId: id, ...marker });
          const listeners = await allPages<ListenerView>(list);
          const own = await Promise.all(
            listeners.map(async (listener) => ({
              id: listener.id,
              name: listener.name,
              ...(await client.call('listener.statistics', { id: listener.id })),
            })),
          );
          const all = await client.call('loadBalancer.statistics', { id });
          if (output.isJson) return output.show({ id, ...all, listeners: own });
          output.list(
            [{ id: 'all', name: '', ...all }, ...own],
            [
              { title: 'LISTENER', of: (row) => row.id },
              { title: 'NAME', of: (row) => row.name },
              ...statisticsColumns,
            ],
          );
        }),
      ),
    );
  examples(command, 'amphi lb stats web', 'amphi lb stats web -o json');
}

function addDelete(lb: Command, act: Act): void {
  const command = lb
    .command('delete <id-or-name>')
    .alias('rm')
    .description('Delete a load balancer.')
    .option('--cascade', 'with everything in it', false)
    .addOption(commandId())
    .addOption(wait())
    .addOption(timeout())
    .action(
      act(({ withCommand, output }, [which = ''], { cascade, commandId: key, wait: waits, timeout: seconds }) =>
        withCommand(async (client) => {
          const id = await loadBalancerIdOf(client, which);
          const answer = await client
            .call('loadBalancer.delete', { id, cascade, ...(key === undefined ? {} : { commandId: key }) })
            .catch(sayingCascade);
          if (waits === true) await untilGone(client, id, Number(seconds));
          if (output.isJson) output.show(answer);
          else output.say(waits === true ? `load balancer ${id} is deleted` : `load balancer ${id} is being deleted`);
        }),
      ),
    );
  examples(command, 'amphi lb delete web --cascade --wait');
}

/** The refusal in the words of the API, and the way on. */
function sayingCascade(error: unknown): never {
  if (!(error instanceof RpcError) || error.data.field !== 'cascade') throw error;
  throw new CliFailure(`${error.message}: --cascade deletes it with everything in it`, error);
}

function addFailover(lb: Command, act: Act): void {
  const command = lb
    .command('failover <id-or-name>')
    .description('Replace the amphorae of a load balancer.')
    .addOption(commandId())
    .addOption(wait())
    .addOption(timeout())
    .action(
      act(({ withCommand, output }, [which = ''], { commandId: key, wait: waits, timeout: seconds }) =>
        withCommand(async (client) => {
          const id = await loadBalancerIdOf(client, which);
          await client.call('loadBalancer.failover', { id, ...(key === undefined ? {} : { commandId: key }) });
          // What was refused before is refused still, and no matter of the failover.
          if (waits === true) await untilSettled(client, id, Number(seconds), 'itself');
          await showAttributes(client, output, await client.call('loadBalancer.show', { id }));
        }),
      ),
    );
  examples(command, 'amphi lb failover web --wait');
}
