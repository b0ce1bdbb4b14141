// `amphi lb`: load balancers.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CommandClient } from '../channels/command/client.ts';
import { RpcError } from '../channels/rpc/errors.ts';
import type { ExplanationView, ListenerView, LoadBalancerView, StatusTreeView } from '../domain/views.ts';
import type { Act } from './act.ts';
import type { Context } from './context.ts';
import { CliFailure } from './failure.ts';
import { allPages, loadBalancerIdOf } from './find.ts';
import { examples } from './help.ts';
import {
  type ListenerWish,
  type MemberWish,
  type MonitorWish,
  parseListener,
  parseMember,
  parseMonitor,
  readTreeFile,
  treeOf,
} from './lb-tree.ts';
import type { Output } from './output.ts';
import { statisticsColumns } from './statistics.ts';

type Options = Readonly<Record<string, unknown>>;

export function lbCommand(program: Command, act: Act): void {
  const lb = program.command('lb').description('Load balancers.');
  examples(lb, 'amphi lb ls', 'amphi lb create --name web --project demo --listener http:80 --member 10.0.0.1:8080');
  addList(lb, act);
  addShow(lb, act);
  addCreate(lb, act);
  addDelete(lb, act);
  addFailover(lb, act);
  addExplain(lb, act);
  addStatistics(lb, act);
}

const commandId = () => new Option('--command-id <id>', 'sent again with the same id, the command happens once');
const wait = () => new Option('--wait', 'until it is done; fails when it ends in ERROR');
const timeout = () => new Option('--timeout <seconds>', 'most time to wait').default(120).argParser(parseSeconds);

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !(seconds > 0)) throw new InvalidArgumentError('expected a number of seconds above 0.');
  return seconds;
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

function addShow(lb: Command, act: Act): void {
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
          output.show(view);
          output.say('');
          for (const line of statusLines(status)) output.say(line);
        }),
      ),
    );
  examples(command, 'amphi lb show web', 'amphi lb show 5c6f1d2e-… -o json');
}

function statusLines(status: StatusTreeView): readonly string[] {
  const line = (depth: number, kind: string, view: Omit<StatusTreeView, 'listeners'>, more = '') =>
    `${'  '.repeat(depth)}${kind} ${view.name === '' ? view.id : view.name}${more}: ${view.provisioningStatus}, ${view.operatingStatus}`;
  return [
    line(0, 'load balancer', status),
    ...status.listeners.flatMap((listener) => [
      line(1, 'listener', listener),
      ...listener.pools.flatMap((pool) => [
        line(2, 'pool', pool),
        ...(pool.healthMonitor === null ? [] : [line(3, `${pool.healthMonitor.type} monitor`, pool.healthMonitor)]),
        ...pool.members.map((member) => line(3, 'member', member, ` (${member.address} port ${member.protocolPort})`)),
      ]),
    ]),
  ];
}

function addCreate(lb: Command, act: Act): void {
  const several =
    <T>(parse: (text: string) => T) =>
    (text: string, before: readonly T[]) => [...before, parse(text)];
  const command = lb
    .command('create')
    .description('Create a load balancer: of options, or of a file with everything in it.')
    .option('--name <name>', 'a name for people')
    .option('--project <id>', 'project that owns it')
    .option('--listener <protocol:port>', 'http:80, https:443 or tcp:5432; may be repeated', several(parseListener), [])
    .option(
      '--certificate <reference>',
      'file:web or the URL of a secret, for https; may be repeated: the first for clients that name no other',
      several((text) => text),
      [],
    )
    .option('--member <address:port>', '10.0.0.1:8080; may be repeated', several(parseMember), [])
    .option('--monitor <type:path>', 'http:/health, http, or tcp', parseMonitor)
    .addOption(
      new Option('--algorithm <name>', 'how a member is chosen')
        .choices(['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP'])
        .default('ROUND_ROBIN'),
    )
    .option('--vip-address <address>', 'address of the VIP; any free one without it')
    .option('--vip-subnet-id <id>', 'subnet of the VIP; the only one without it')
    .option('--file <file>', 'YAML or JSON with the parameters of loadBalancer.create; - for standard input')
    .addOption(commandId())
    .addOption(wait())
    .addOption(timeout())
    .action(act((context, _, options) => create(context, options)));
  examples(
    command,
    'amphi lb create --name web --project demo --listener http:80 --member 10.0.0.1:8080 --monitor http:/health --wait',
    'amphi lb create --name shop --project demo --listener https:443 --certificate file:shop --member 10.0.0.1:8080',
    'amphi lb create --file tree.yaml --wait',
  );
}

/** Options that make a tree, and stand in the file otherwise. */
const treeOptions = ['listener', 'member', 'monitor', 'certificate'];

function isGiven(option: unknown): boolean {
  return Array.isArray(option) ? option.length > 0 : option !== undefined;
}

async function create({ withCommand, output }: Context, options: Options): Promise<void> {
  await withCommand(async (client) => {
    const { file } = options;
    const beside = treeOptions.find((name) => isGiven(options[name]));
    if (file !== undefined && beside !== undefined) {
      throw new CliFailure(`--file has listeners and members in it: expected no --${beside} beside it`);
    }
    const fromFile = typeof file === 'string' ? readTreeFile(file) : {};
    const tree = treeOf({
      listener: options['listener'] as readonly ListenerWish[],
      member: options['member'] as readonly MemberWish[],
      monitor: options['monitor'] as MonitorWish | undefined,
      algorithm: String(options['algorithm']),
      certificate: options['certificate'] as readonly string[],
    });
    const given = {
      ...fromFile,
      ...(file === undefined ? tree : {}),
      ...defined({
        name: options['name'],
        projectId: options['project'],
        vipAddress: options['vipAddress'],
        vipSubnetId: options['vipSubnetId'],
        commandId: options['commandId'],
      }),
    };
    const isPlaced = ['vipSubnetId', 'vipNetworkId', 'vipPortId'].some((name) => name in given);
    const params = isPlaced ? given : { ...given, vipSubnetId: await onlySubnet(client) };
    const { loadBalancer } = await client.call('loadBalancer.create', params);
    if (loadBalancer === null) throw new CliFailure('the load balancer of this command was deleted since');
    if (options['wait'] === true) await untilSettled(client, loadBalancer.id, Number(options['timeout']));
    const view = await client.call('loadBalancer.show', { id: loadBalancer.id });
    output.show(view);
  });
}

function defined(values: Options): Options {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

async function onlySubnet(client: CommandClient): Promise<string> {
  const { items } = await client.call('subnet.list');
  const usual = items.filter(({ isForAdditionalVips }) => isForAdditionalVips !== true);
  const [only] = usual;
  if (only !== undefined && usual.length === 1) return only.id;
  const known = usual.map(({ id, name, cidr }) => `${id} (${name}, ${cidr})`).join(', ');
  throw new CliFailure(`--vip-subnet-id is needed: there are ${usual.length} subnets: ${known}`);
}

const pollMs = 200;

/** @throws CliFailure saying why, when it, or something in it unless `itself` alone counts, ends in ERROR, or it takes longer */
export async function untilSettled(
  client: Pick<CommandClient, 'call'>,
  id: string,
  seconds: number,
  counts: 'everything' | 'itself' = 'everything',
): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; ; await sleep(pollMs)) {
    const { provisioningStatus: status } = await client.call('loadBalancer.show', { id });
    const isSettled = status === 'ACTIVE' || status === 'ERROR';
    if (!isSettled && Date.now() <= deadline) continue;
    const { why, unsettled } = await client.call('loadBalancer.explain', { id });
    if (status === 'ACTIVE' && (counts === 'itself' || unsettled.length === 0)) return;
    const state = isSettled ? `is ${status}` : `is ${status} after ${seconds} s`;
    throw new CliFailure([`load balancer ${id} ${state}:`, ...why, `see \`amphi lb explain ${id}\``].join('\n  '));
  }
}

function addDelete(lb: Command, act: Act): void {
  const command = lb
    .command('delete <id-or-name>')
    .description('Delete a load balancer.')
    .option('--cascade', 'with everything in it', false)
    .addOption(commandId())
    .addOption(wait())
    .addOption(timeout())
    .action(
      act(({ withCommand, output }, [which = ''], { cascade, commandId: key, wait: waits, timeout: seconds }) =>
        withCommand(async (client) => {
          const id = await loadBalancerIdOf(client, which);
          const answer = await client.call('loadBalancer.delete', { id, cascade, ...defined({ commandId: key }) });
          if (waits === true) await untilGone(client, id, Number(seconds));
          if (output.isJson) output.show(answer);
          else output.say(waits === true ? `load balancer ${id} is deleted` : `load balancer ${id} is being deleted`);
        }),
      ),
    );
  examples(command, 'amphi lb delete web --cascade --wait');
}

export async function untilGone(client: CommandClient, id: string, seconds: number): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; ; await sleep(pollMs)) {
    try {
      await client.call('loadBalancer.show', { id });
    } catch (error) {
      if (error instanceof RpcError && error.code === 'notFound') return;
      throw error;
    }
    if (Date.now() > deadline) throw new CliFailure(`load balancer ${id} is not gone after ${seconds} s`);
  }
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
          await client.call('loadBalancer.failover', { id, ...defined({ commandId: key }) });
          // What was refused before is refused still, and no matter of the failover.
          if (waits === true) await untilSettled(client, id, Number(seconds), 'itself');
          output.show(await client.call('loadBalancer.show', { id }));
        }),
      ),
    );
  examples(command, 'amphi lb failover web --wait');
}

function addExplain(lb: Command, act: Act): void {
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
  const { why, owner, steps, unsettled, amphorae, history, provisioningStatus, operatingStatus, wakeAt } = explanation;
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
