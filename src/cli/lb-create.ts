// `amphi lb create`: from options, or from a file with everything in it.
import { type Command, Option } from 'commander';
import type { CommandClient } from '../channels/command/client.ts';
import type { Act } from './act.ts';
import type { Context } from './context.ts';
import { CliFailure } from './failure.ts';
import { flavorIdOf } from './find.ts';
import { examples } from './help.ts';
import { showAttributes } from './lb-show.ts';
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
import { commandId, longestUnheardSeconds, timeout, untilHeard, untilSettled, wait } from './waiting.ts';

type Options = Readonly<Record<string, unknown>>;

export function createCommand(lb: Command, act: Act): void {
  const several =
    <T>(parse: (text: string) => T) =>
    (text: string, before: readonly T[]) => [...before, parse(text)];
  const command = lb
    .command('create')
    .description('Create a load balancer: of options, or of a file with everything in it.')
    .option('--name <name>', 'a name for people')
    .option('--project <id>', 'project that owns it; needed, here or as projectId in the file')
    .option(
      '--listener <protocol:port>',
      'http:80, https:443, tcp:5432 or udp:53; may be repeated',
      several(parseListener),
      [],
    )
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
    .option('--flavor <id-or-name>', 'what its amphorae are, and whether it is a pair: see `amphi flavor ls`')
    .option('--availability-zone <name>', 'where its amphorae are: see `amphi availability-zone ls`')
    .option('--vip-address <address>', 'address of the VIP; any free one without it')
    .option('--vip-subnet-id <id>', 'subnet of the VIP; the only one without it')
    .option('--file <file>', 'YAML or JSON with the parameters of loadBalancer.create; - for standard input')
    .addOption(commandId())
    .addOption(
      wait(
        `until it is ACTIVE and an amphora has said how it serves, which is waited for ${longestUnheardSeconds} s at most; fails when it ends in ERROR`,
      ),
    )
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
    const { file, flavor } = options;
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
    const given: Options = {
      ...fromFile,
      ...(file === undefined ? tree : {}),
      ...defined({
        name: options['name'],
        projectId: options['project'],
        vipAddress: options['vipAddress'],
        vipSubnetId: options['vipSubnetId'],
        flavorId: typeof flavor === 'string' ? await flavorIdOf(client, flavor) : undefined,
        availabilityZone: options['availabilityZone'],
        commandId: options['commandId'],
      }),
    };
    if (given['projectId'] === undefined || given['projectId'] === null) {
      throw new CliFailure('--project: expected the project that owns it (or projectId in the --file), given none');
    }
    const isPlaced = ['vipSubnetId', 'vipNetworkId', 'vipPortId'].some((name) => name in given);
    const params = isPlaced ? given : { ...given, vipSubnetId: await onlySubnet(client) };
    const { loadBalancer } = await client.call('loadBalancer.create', params);
    if (loadBalancer === null) throw new CliFailure('the load balancer of this command was deleted since');
    const { id } = loadBalancer;
    if (options['wait'] === true) await untilServing(client, id, Number(options['timeout']));
    await showAttributes(client, output, await client.call('loadBalancer.show', { id }));
  });
}

/** @throws CliFailure when it ends in ERROR or takes too long; that nothing is heard of it yet is only said */
async function untilServing(client: CommandClient, id: string, seconds: number): Promise<void> {
  const began = Date.now();
  await untilSettled(client, id, seconds);
  const left = seconds - (Date.now() - began) / 1000;
  if (await untilHeard(client, id, Math.min(left, longestUnheardSeconds))) return;
  process.stderr.write('amphi: it is ACTIVE, but no amphora has said yet how it serves\n');
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
