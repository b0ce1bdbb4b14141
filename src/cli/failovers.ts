// `amphi failovers`: amphorae that are silent and not replaced, why, and the way to have them replaced after all.
import type { Command } from 'commander';
import type { OrderScope } from '../domain/cluster/orders.ts';
import type { Act } from './act.ts';
import { loadBalancersOf } from './amphora.ts';
import { CliFailure } from './failure.ts';
import { examples } from './help.ts';
import { showOrders, tellHowMany, whoAsks } from './maintenance.ts';
import { parseWholeNumber } from './numbers.ts';

export function failoversCommand(program: Command, act: Act): void {
  const failovers = program
    .command('failovers')
    .description('Failovers of silent amphorae: what is held, and what is left of the pace.');
  examples(failovers, 'amphi failovers', 'amphi failovers release --zone az1');
  const list = failovers
    .command('ls', { isDefault: true })
    .description('List silent amphorae whose failover is held, those held longest first.')
    .option('--limit <n>', 'at most so many', parseWholeNumber, 100)
    .action(
      act(({ withInspect, output }, _, { limit }) =>
        withInspect(async (client) => {
          const view = await client.call('failovers.list', { limit });
          if (output.isJson) return output.show(view);
          output.list(
            view.held,
            [
              { title: 'AMPHORA', of: (held) => held.amphoraId },
              { title: 'LOAD BALANCER', of: loadBalancersOf },
              { title: 'ZONE', of: (held) => held.zone },
              { title: 'HOST', of: (held) => held.host },
              { title: 'SINCE', of: (held) => held.since },
              { title: 'HELD BY', of: (held) => held.kind },
            ],
            'no failover is held',
          );
          for (const why of new Set(view.held.map((held) => `${held.kind}: ${held.why}`))) output.say(why);
          const counts = Object.entries(view.counts).map(([kind, count]) => `${count} by ${kind}`);
          if (counts.length > 0) output.say(`held: ${counts.join(', ')}`);
          output.say(`${view.left} of ${view.perMinute} failovers are left of this minute`);
          if (view.releases.length === 0) return;
          output.say('\nReleased');
          showOrders(output, view.releases, noRelease);
        }),
      ),
    );
  examples(list, 'amphi failovers', 'amphi failovers ls', 'amphi failovers ls -o json');
  const release = failovers
    .command('release')
    .description('Have failovers that a breaker holds go on, at the usual pace. Maintenance holds them all the same.')
    .option('--zone <zone>', 'of amphorae in this availability zone')
    .option('--host <host>', 'of amphorae on this machine')
    .option('--all', 'of all amphorae')
    .option('--minutes <n>', 'for so long; given again, it counts from then', parseWholeNumber, 30)
    .option('--reason <text>', 'why, for the record')
    .action(
      act(({ withInspect, output }, _, options) =>
        withInspect(async (client) => {
          const { minutes, reason } = options;
          const given = {
            minutes,
            ...(typeof reason === 'string' && { reason }),
            by: whoAsks(),
          };
          const where = whereOf(options);
          const { releases, amphorae } = await client.call('failovers.release', { ...where, ...given });
          showOrders(output, releases, noRelease);
          tellHowMany(output, amphorae, where.name);
        }),
      ),
    );
  examples(release, 'amphi failovers release --zone az1', 'amphi failovers release --all --minutes 60');
  const revoke = failovers
    .command('revoke')
    .description('Take a release back: breakers hold failovers there again. Those that have begun go on.')
    .option('--zone <zone>', 'the release of this availability zone')
    .option('--host <host>', 'the release of this machine')
    .option('--all', 'the release of all amphorae; those of zones and machines stay')
    .action(
      act(({ withInspect, output }, _, options) =>
        withInspect(async (client) => {
          const { releases } = await client.call('failovers.revoke', { ...whereOf(options), by: whoAsks() });
          showOrders(output, releases, noRelease);
        }),
      ),
    );
  examples(revoke, 'amphi failovers revoke --zone az1', 'amphi failovers revoke --all');
}

const noRelease = 'no release is in force';

/** @throws CliFailure unless it is exactly one of them */
function whereOf({ zone, host, all }: Readonly<Record<string, unknown>>): {
  readonly scope: OrderScope;
  readonly name?: string;
} {
  const given = [zone, host, all].filter((option) => option !== undefined);
  if (given.length !== 1) throw new CliFailure(`expected one of --zone, --host and --all, given ${given.length}`);
  if (typeof zone === 'string') return { scope: 'zone', name: zone };
  return typeof host === 'string' ? { scope: 'host', name: host } : { scope: 'fleet' };
}
