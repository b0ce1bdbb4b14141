// `amphi lb show` and `amphi lb explain`: one load balancer, as people read it.
import type { Command } from 'commander';
import type { CommandClient } from '../channels/command/client.ts';
import type { ExplanationView } from '../domain/operator-views.ts';
import type {
  ListenerStatusView,
  LoadBalancerView,
  PoolStatusView,
  StatusTreeView,
  StatusView,
} from '../domain/views.ts';
import type { Act } from './act.ts';
import { loadBalancerIdOf } from './find.ts';
import { examples } from './help.ts';
import type { Output } from './output.ts';

export function showCommand(lb: Command, act: Act): void {
  const command = lb
    .command('show <id-or-name>')
    .description('Show a load balancer and the statuses of everything in it.')
    .action(
      act(({ withCommand, output }, [which = '']) =>
        withCommand(async (client) => {
          const id = await loadBalancerIdOf(client, which);
          const view = await client.call('loadBalancer.show', { id });
          const status = await client.call('loadBalancer.status', { id });
          if (output.isJson) return output.show({ ...view, status });
          await showAttributes(client, output, view);
          output.say('');
          for (const line of statusLines(status)) output.say(line);
        }),
      ),
    );
  examples(command, 'amphi lb show web', 'amphi lb show 5c6f1d2e-… -o json');
}

/** What is in it is left to those who show statuses; a flavor has its name beside its id. */
export async function showAttributes(client: CommandClient, output: Output, view: LoadBalancerView): Promise<void> {
  if (output.isJson) return output.show(view);
  const { listeners: _listeners, pools: _pools, ...own } = view;
  const flavors = view.flavorId === null ? [] : (await client.call('flavor.list')).items;
  const flavor = flavors.find(({ id }) => id === view.flavorId);
  output.show({ ...own, ...(flavor && { flavorId: `${flavor.name} (${flavor.id})` }) });
}

/** A line for each object: its kind, its name where it has one, what it does, its id, and its statuses. */
export function statusLines(status: StatusTreeView): readonly string[] {
  return [
    statusLine(0, 'load balancer', status),
    ...status.listeners.flatMap(listenerLines),
    ...status.pools.flatMap((pool) => poolLines(1, pool, ['of no listener'])),
  ];
}

function listenerLines(listener: ListenerStatusView): readonly string[] {
  const { protocol, protocolPort, l7Policies, pools } = listener;
  return [
    statusLine(1, 'listener', listener, [`${protocol} port ${protocolPort}`]),
    ...l7Policies.map((policy) => statusLine(2, 'L7 policy', policy, [policy.action])),
    ...pools.flatMap((pool) => poolLines(2, pool)),
  ];
}

function poolLines(depth: number, pool: PoolStatusView, remarks: readonly string[] = []): readonly string[] {
  const { healthMonitor, members } = pool;
  return [
    statusLine(depth, 'pool', pool, remarks),
    ...(healthMonitor === null ? [] : [statusLine(depth + 1, `${healthMonitor.type} monitor`, healthMonitor)]),
    ...members.map((member) =>
      statusLine(depth + 1, 'member', member, [`${member.address} port ${member.protocolPort}`]),
    ),
  ];
}

function statusLine(depth: number, kind: string, view: StatusView, remarks: readonly string[] = []): string {
  const { id, name, provisioningStatus, operatingStatus } = view;
  const words = [...(name === '' ? [] : [name]), ...remarks].join(', ');
  return `${'  '.repeat(depth)}${[kind, words, `(${id})`].filter((word) => word !== '').join(' ')}: ${provisioningStatus}, ${operatingStatus}`;
}

export function explainCommand(lb: Command, act: Act): void {
  const command = lb
    .command('explain <id-or-name>')
    .description('Say why a load balancer is as it is: steps, failures, next tries, amphorae, owner, history.')
    .action(
      act(({ withCommand, output }, [which = '']) =>
        withCommand(async (client) => {
          const id = await loadBalancerIdOf(client, which);
          const explanation = await client.call('loadBalancer.explain', { id });
          if (output.isJson) output.show(explanation);
          else explain(output, explanation);
        }),
      ),
    );
  examples(command, 'amphi lb explain web');
}

function explain(output: Output, explanation: ExplanationView): void {
  const { why, owner, steps, commands, unsettled, amphorae, history, provisioningStatus, operatingStatus, wakeAt } =
    explanation;
  output.say(`${explanation.name || explanation.id}: ${provisioningStatus}, ${operatingStatus}`);
  for (const reason of why) output.say(`  ${reason}`);
  output.say('');
  output.say(owner === null ? 'no node owns it' : `owned by node ${owner.nodeId}, epoch ${owner.epoch}`);
  output.say(steps.length === 0 ? 'nothing is under way' : '\nSteps');
  if (steps.length > 0) {
    output.list(steps, [
      { title: 'STEP', of: (step) => step.key },
      { title: 'STATE', of: (step) => step.state },
      { title: 'SINCE', of: (step) => step.startedAt },
      { title: 'FAILURES', of: (step) => step.failures },
      { title: 'NEXT TRY', of: (step) => step.retryAt },
    ]);
    for (const { key, call, requestId, lastError } of steps) {
      if (lastError === null) continue;
      const where = [call, requestId === null ? null : `request ${requestId}`].filter((word) => word !== null);
      output.say(`\n${key} last failed${where.length === 0 ? '' : ` (${where.join(', ')})`}:`);
      for (const line of lastError.split('\n')) output.say(`  ${line}`);
    }
  }
  if (commands.length > 0) output.say(`\nfor ${commands.length === 1 ? 'command' : 'commands'} ${commands.join(', ')}`);
  if (wakeAt !== null) output.say(`looks again at ${wakeAt}`);
  for (const { kind, name, id, provisioningStatus: status, errorReason } of unsettled) {
    output.say(`\n${kind} ${name || id}: ${status}${errorReason === null ? '' : ':'}`);
    for (const line of errorReason?.split('\n') ?? []) output.say(`  ${line}`);
  }
  output.say('\nAmphorae');
  output.list(amphorae, [
    { title: 'ID', of: (amphora) => amphora.id },
    { title: 'STATUS', of: (amphora) => amphora.status },
    { title: 'ROLE', of: (amphora) => amphora.role },
    {
      title: 'AGENT',
      of: (amphora) => (amphora.agentHost === null ? null : `${amphora.agentHost}:${amphora.agentPort}`),
    },
    { title: 'REASON', of: (amphora) => amphora.errorReason },
  ]);
  output.say('\nLast events');
  output.list(history, [
    { title: 'SEQ', of: (entry) => entry.seq },
    { title: 'AT', of: (entry) => entry.at },
    { title: 'EVENTS', of: (entry) => entry.events.map((event) => event.type) },
  ]);
}
