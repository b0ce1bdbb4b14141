// `amphi maintenance`: has the whole cluster leave a zone, or everything, alone for a while.
import { hostname, userInfo } from 'node:os';
import type { Command } from 'commander';
import type { PastOrder } from '../domain/cluster/orders.ts';
import type { Act } from './act.ts';
import { examples } from './help.ts';
import type { Output } from './output.ts';

export function maintenanceCommand(program: Command, act: Act): void {
  const command = program
    .command('maintenance')
    .description('Show maintenance that is in force: no failovers, rotations and sweeps but those asked for by name.')
    .option('--history', 'what was in force before, too')
    .action(
      act(({ withInspect, output }, _, { history }) =>
        withInspect(async (client) => {
          const { maintenance } = await client.call('maintenance.list', { history: history === true });
          showOrders(output, maintenance, history === true ? 'there was no maintenance yet' : noMaintenance);
        }),
      ),
    );
  examples(command, 'amphi maintenance', 'amphi maintenance on --zone az1 --reason "switch replaced"');
  const on = command
    .command('on')
    .description('Leave a zone, or the whole fleet, alone until maintenance is off again. Creations and changes go on.')
    .option('--zone <zone>', 'only this availability zone, as compute calls it')
    .option('--reason <text>', 'why, for whoever finds it')
    .action(
      act(({ withInspect, output }, _, { zone, reason }) =>
        withInspect(async (client) => {
          const given = { ...(typeof reason === 'string' && { reason }), ...zoneOf(zone), by: whoAsks() };
          const { maintenance, amphorae } = await client.call('maintenance.on', given);
          showOrders(output, maintenance, noMaintenance);
          tellHowMany(output, amphorae, zone);
        }),
      ),
    );
  examples(on, 'amphi maintenance on --reason "network upgrade"', 'amphi maintenance on --zone az1');
  const off = command
    .command('off')
    .description('End the maintenance of a zone, or of the fleet.')
    .option('--zone <zone>', 'of this availability zone')
    .action(
      act(({ withInspect, output }, _, { zone }) =>
        withInspect(async (client) => {
          const { maintenance } = await client.call('maintenance.off', { ...zoneOf(zone), by: whoAsks() });
          showOrders(output, maintenance, noMaintenance);
        }),
      ),
    );
  examples(off, 'amphi maintenance off', 'amphi maintenance off --zone az1');
}

const noMaintenance = 'no maintenance is in force';

/** For the record: who is logged in here. */
export function whoAsks(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A user id without a name.
    return `${process.getuid?.() ?? '?'}@${hostname()}`;
  }
}

/** So that a wrong name is seen. */
export function tellHowMany(output: Output, amphorae: number, name: unknown): void {
  const where = typeof name === 'string' ? ` in ${name}` : '';
  output.say(`there ${amphorae === 1 ? 'is 1 amphora' : `are ${amphorae} amphorae`}${where} just now`);
}

export function showOrders(output: Output, orders: readonly PastOrder[], whenNone: string): void {
  output.list(
    orders,
    [
      { title: 'SCOPE', of: ({ scope, name }) => (name === null ? scope : `${scope} ${name}`) },
      { title: 'SINCE', of: ({ since }) => since },
      { title: 'BY', of: ({ by }) => by },
      { title: 'REASON', of: ({ reason }) => reason },
      { title: 'UNTIL', of: ({ until }) => until },
      { title: 'ENDED BY', of: ({ endedBy }) => endedBy },
    ],
    whenNone,
  );
}

function zoneOf(zone: unknown): { readonly zone?: string } {
  return typeof zone === 'string' ? { zone } : {};
}
