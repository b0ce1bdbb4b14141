// `amphi alerts`: what needs somebody's attention, and what did.
import type { Command } from 'commander';
import { subscribeAlerts } from '../channels/command/client.ts';
import type { AlertChange, AlertView } from '../domain/alert-views.ts';
import type { Act } from './act.ts';
import { CliFailure } from './failure.ts';
import { allPages, loadBalancerIdOf } from './find.ts';
import { examples } from './help.ts';
import type { Output } from './output.ts';

export function alertsCommand(program: Command, act: Act): void {
  const command = program
    .command('alerts')
    .description('Show what is not well: members, pools, listeners and load balancers, since when and why.')
    .option('--lb <id-or-name>', 'only of this load balancer')
    .option('--project <id>', 'only of this project')
    .option('--all', 'past alerts too')
    .option('--follow', 'and go on with what happens from now on')
    .action(
      act(({ withCommand, output }, _, { lb, project, all, follow }) =>
        withCommand(async (client) => {
          const loadBalancerId = typeof lb === 'string' ? await loadBalancerIdOf(client, lb) : undefined;
          const inProject = (change: AlertChange) => project === undefined || change.projectId === project;
          const tell = (change: AlertChange) => inProject(change) && say(output, change);
          // Before the list is read: what happens in between is told twice rather than not at all.
          if (follow === true) await subscribeAlerts(client, tell, loadBalancerId);
          const query = { loadBalancerId, projectId: project, openOnly: all !== true };
          const alerts = await allPages<AlertView>((marker) => client.call('alerts.list', { ...query, ...marker }));
          if (follow === true && output.isJson) for (const alert of alerts) output.line(alert);
          else showAlerts(output, alerts, all === true ? 'there was no alert yet' : 'no alert is open');
          if (follow !== true) return;
          await client.closed;
          throw new CliFailure('the controller has ended the connection: what happens from now on is not heard');
        }),
      ),
    );
  examples(command, 'amphi alerts', 'amphi alerts --lb web --all', 'amphi alerts --follow');
}

function showAlerts(output: Output, alerts: readonly AlertView[], whenNone: string): void {
  output.list(
    alerts,
    [
      { title: 'SINCE', of: (alert) => alert.since },
      { title: 'CLEARED', of: ({ clearedAt, wellSince }) => clearedAt ?? (wellSince && `well since ${wellSince}`) },
      { title: 'STATUS', of: (alert) => alert.status },
      { title: 'KIND', of: (alert) => alert.kind },
      { title: 'NAME', of: (alert) => alert.name || alert.objectId },
      { title: 'LOAD BALANCER', of: (alert) => alert.loadBalancerName || alert.loadBalancerId },
      { title: 'TIMES', of: (alert) => alert.times },
      { title: 'REASON', of: (alert) => alert.reason },
    ],
    whenNone,
  );
}

/** A line for each, in JSON as for people. */
function say(output: Output, change: AlertChange): void {
  if (output.isJson) return output.line(change);
  const { at, what, kind, name, objectId, loadBalancerName, loadBalancerId, oldStatus, newStatus } = change;
  const where = kind === 'loadBalancer' ? '' : ` of ${loadBalancerName || loadBalancerId}`;
  output.say(`${at}  ${what}  ${kind} ${name || objectId}${where}: ${oldStatus} -> ${newStatus} (${remark(change)})`);
}

/** Why it is so, or how long it was. */
function remark({ what, reason, since, times }: AlertChange): string {
  if (what !== 'cleared') return reason;
  return times === 1 ? `since ${since}` : `since ${since}, ${times} times`;
}
