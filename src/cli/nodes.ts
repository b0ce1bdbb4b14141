// `amphi nodes`: the processes that share the work.
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import type { InspectMethods } from '../channels/inspect/methods.ts';
import type { RpcClient } from '../channels/rpc/client.ts';
import { orderSentence } from '../domain/cluster/orders.ts';
import type { NodeView } from '../domain/operator-views.ts';
import type { Act } from './act.ts';
import { CliFailure } from './failure.ts';
import { examples } from './help.ts';
import { timeout } from './waiting.ts';

type InspectClient = RpcClient<InspectMethods>;

const pollMs = 200;

export function nodesCommand(program: Command, act: Act): void {
  const command = program
    .command('nodes')
    .description('List nodes that run, and those that stopped within a day.')
    .action(
      act(({ withInspect, output }) =>
        withInspect(async (client) => {
          const { nodes } = await client.call('nodes.list');
          const { maintenance } = await client.call('maintenance.list', {});
          output.list(nodes, [
            { title: 'ID', of: (node) => node.id },
            { title: 'STATE', of: stateOf },
            { title: 'ROLES', of: (node) => node.roles },
            { title: 'ADDRESS', of: (node) => node.address },
            { title: 'VERSION', of: (node) => node.version },
            { title: 'STARTED', of: (node) => node.startedAt },
            { title: 'LEASE UNTIL', of: (node) => node.leaseUntil },
            { title: 'SHARDS', of: (node) => node.shards },
            { title: 'HEALTH', of: (node) => node.healthShards },
            { title: 'RUNS', of: (node) => node.singletons },
          ]);
          for (const order of maintenance) output.say(orderSentence(order));
        }),
      ),
    );
  examples(command, 'amphi nodes', 'amphi nodes -o json', 'amphi nodes drain <id> --wait');
  const drain = command
    .command('drain <id>')
    .description('Have a node give its work to the others and take none, before it is stopped or upgraded.')
    .option('--wait', 'until it has given away all that others take')
    .addOption(timeout(60))
    .action(
      act(({ withInspect, output }, [id = ''], options) =>
        withInspect(async (client) => {
          await client.call('nodes.drain', { id, isDraining: true });
          if (options['wait'] === true) await refuseWhenAlone(client, id);
          if (options['wait'] === true) await untilDrained(client, id, Number(options['timeout']));
          output.show(await nodeOf(client, id));
        }),
      ),
    );
  examples(drain, 'amphi nodes drain 0f8b0c9e-… --wait');
  const undrain = command
    .command('undrain <id>')
    .description('Have a node that was drained take part again.')
    .action(
      act(({ withInspect, output }, [id = '']) =>
        withInspect(async (client) => {
          await client.call('nodes.drain', { id, isDraining: false });
          output.show(await nodeOf(client, id));
        }),
      ),
    );
  examples(undrain, 'amphi nodes undrain 0f8b0c9e-…');
}

function stateOf({ stoppedAt, isDraining }: NodeView): string {
  if (stoppedAt !== null) return `stopped ${stoppedAt}`;
  return isDraining ? 'draining' : 'running';
}

async function nodeOf(client: InspectClient, id: string): Promise<NodeView> {
  const { nodes } = await client.call('nodes.list');
  const node = nodes.find((one) => one.id === id);
  if (node === undefined) throw new CliFailure(`node ${id} is not there any more`);
  return node;
}

/** @throws CliFailure when nobody is there to take the work: waiting would never end */
async function refuseWhenAlone(client: InspectClient, id: string): Promise<void> {
  const { nodes } = await client.call('nodes.list');
  const others = nodes.filter((node) => node.id !== id && node.stoppedAt === null && !node.isDraining);
  if (others.length > 0) return;
  throw new CliFailure(
    `node ${id} keeps its work: no other node runs that could take it. It gives it away once one does`,
  );
}

async function untilDrained(client: InspectClient, id: string, seconds: number): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const { shards, healthShards, singletons } = await nodeOf(client, id);
    if (shards + healthShards + singletons.length === 0) return;
    if (Date.now() >= deadline) {
      throw new CliFailure(
        `node ${id} has ${shards} shards left after ${seconds} s: is there another node to take them?`,
      );
    }
    await wait(pollMs);
  }
}
