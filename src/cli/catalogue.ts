// `amphi flavor` and `amphi availability-zone`: what administrators offer. Each has a profile of its own, which is made and removed
// with it; what a profile may say is the domain's (`allCapabilities`), so that a new key is an option here without more ado.
import { type Command, Option } from 'commander';
import type { CommandClient } from '../channels/command/client.ts';
import { RpcError } from '../channels/rpc/errors.ts';
import type { Capability } from '../domain/catalogue.ts';
import { isUuid } from '../domain/ids.ts';
import type { LoadBalancerView } from '../domain/views.ts';
import type { Act } from './act.ts';
import { CliFailure } from './failure.ts';
import { allPages } from './find.ts';
import { examples } from './help.ts';
import { availabilityZones, flavors, type Offer, type OfferKind } from './offers.ts';
import type { Output } from './output.ts';

type Options = Readonly<Record<string, unknown>>;

export function flavorCommand(program: Command, act: Act): void {
  const command = program
    .command('flavor')
    .description('Flavors: what the amphorae of a load balancer are, and whether it is a pair.');
  addCommands(command, act, flavors);
  examples(command, 'amphi flavor create pair --loadbalancer-topology ACTIVE_STANDBY', 'amphi flavor ls');
}

export function availabilityZoneCommand(program: Command, act: Act): void {
  const command = program
    .command('availability-zone')
    .alias('az')
    .description('Availability zones: where the amphorae of a load balancer are.');
  addCommands(command, act, availabilityZones);
  examples(command, 'amphi availability-zone create north --compute-zone az1', 'amphi availability-zone ls');
}

function addCommands(parent: Command, act: Act, kind: OfferKind): void {
  const { word, capabilities } = kind;
  const article = word === 'flavor' ? 'a' : 'an';
  const which = word === 'flavor' ? '<id-or-name>' : '<name>';
  const path = `amphi ${parent.name()}`;
  const list = parent
    .command('ls')
    .description(`List each ${word} with what it says.`)
    .action(
      act(({ withCommand, output }) =>
        withCommand(async (client) => showOffers(output, await kind.list(client), `there is no ${word} yet`)),
      ),
    );
  examples(list, `${path} ls`, `${path} ls -o json`);
  const create = parent
    .command('create <name>')
    .description(`Offer ${article} ${word}. What is not said of it is as it is without one.`)
    .option('--description <text>', 'a description for people');
  for (const capability of capabilities) create.addOption(optionFor(capability));
  create.action(
    act(({ withCommand, output }, [name = ''], options) =>
      withCommand(async (client) => {
        await createOffer(client, kind, name, options);
        showOffer(output, await offerOf(client, kind, name));
      }),
    ),
  );
  examples(create, `${path} create gold --${optionName(capabilities[0])} ${sampleOf(capabilities[0])}`);
  for (const isEnabled of [true, false]) {
    const verb = isEnabled ? 'enable' : 'disable';
    const command = parent
      .command(`${verb} ${which}`)
      .description(`${isEnabled ? 'Have' : 'Let no'} load balancers be created with it. Those that have it keep it.`)
      .action(
        act(({ withCommand, output }, [given = '']) =>
          withCommand(async (client) => {
            const { key, name } = await offerOf(client, kind, given);
            await kind.change(client, key, isEnabled);
            showOffer(output, await offerOf(client, kind, name));
          }),
        ),
      );
    examples(command, `${path} ${verb} gold`);
  }
  const remove = parent
    .command(`rm ${which}`)
    .alias('delete')
    .description(`Remove ${article} ${word} that no load balancer has.`)
    .action(
      act(({ withCommand, output }, [given = '']) =>
        withCommand(async (client) => {
          const offer = await offerOf(client, kind, given);
          await removeOffer(client, kind, offer);
          if (output.isJson) output.show({ ...offer.key, name: offer.name });
          else output.say(`${word} ${offer.name} is removed`);
        }),
      ),
    );
  examples(remove, `${path} rm gold`);
}

/** `compute_flavor` is `--compute-flavor`. */
function optionFor({ name, description, takes }: Capability): Option {
  const flag = `--${optionName({ name })}`;
  if (takes === 'flag') return new Option(flag, description);
  if (takes === 'text') return new Option(`${flag} <text>`, description);
  if (takes === 'count') return new Option(`${flag} <number>`, description).argParser(numberOrText);
  if (takes !== 'texts') return new Option(`${flag} <choice>`, description).choices(takes);
  const several = (text: string, before: readonly string[] = []) => [...before, text];
  return new Option(`${flag} <text>`, `${description} May be repeated.`).argParser(several);
}

/** What is no number is refused by whoever knows what is expected. */
function numberOrText(text: string): number | string {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function optionName(capability: Pick<Capability, 'name'> | undefined): string {
  return (capability?.name ?? '').replaceAll('_', '-');
}

function sampleOf(capability: Capability | undefined): string {
  return typeof capability?.takes === 'object' ? (capability.takes.at(-1) ?? '') : 'az1';
}

async function createOffer(client: CommandClient, kind: OfferKind, name: string, options: Options): Promise<void> {
  const said = kind.capabilities.flatMap((capability) => {
    const given = options[optionFor(capability).attributeName()];
    return given === undefined ? [] : [[capability.name, given] as const];
  });
  const { description } = options;
  const own = { name, ...(description !== undefined && { description }) };
  const profileId = await kind.createProfile(client, name, JSON.stringify(Object.fromEntries(said)));
  try {
    await kind.create(client, own, profileId);
  } catch (error) {
    if (error instanceof RpcError && error.code !== 'unavailable') await kind.deleteProfile(client, profileId);
    throw error;
  }
}

async function removeOffer(client: CommandClient, kind: OfferKind, offer: Offer): Promise<void> {
  try {
    await kind.remove(client, offer.key);
  } catch (error) {
    if (!(error instanceof RpcError) || error.code !== 'conflict') throw error;
    const all = await allPages<LoadBalancerView>((marker) => client.call('loadBalancer.list', marker));
    const users = all.filter((view) => kind.isOf(view, offer)).map(({ id, name }) => name || id);
    const more = users.length > mostNamed ? [`${users.length - mostNamed} more`] : [];
    throw new CliFailure(
      `${kind.word} ${offer.name} is in use by ${[...users.slice(0, mostNamed), ...more].join(', ')}. No new ones get it after \`disable\``,
      error,
    );
  }
  await kind.deleteProfile(client, offer.profileId).catch((error: unknown) => {
    // Another one refers to it, which was made by the API.
    if (!(error instanceof RpcError) || error.code !== 'conflict') throw error;
  });
}

/** Load balancers that a refusal names; the rest is counted. */
const mostNamed = 10;

/** @throws CliFailure naming those that there are */
async function offerOf(client: CommandClient, kind: OfferKind, given: string): Promise<Offer> {
  const offers = await kind.list(client);
  const found = offers.find(({ key, name }) => name === given || ('id' in key && isUuid(given) && key.id === given));
  if (found !== undefined) return found;
  const known = offers.length === 0 ? 'there are none' : `known: ${offers.map(({ name }) => name).join(', ')}`;
  throw new CliFailure(`there is no ${kind.word} ${given}; ${known}`);
}

interface Row extends Pick<Offer, 'name' | 'description' | 'enabled' | 'data'> {
  readonly id?: string;
}

function rowOf({ key, name, description, enabled, data }: Offer): Row {
  return { ...key, name, description, enabled, data };
}

function showOffer(output: Output, offer: Offer): void {
  if (output.isJson) output.show(rowOf(offer));
  else showOffers(output, [offer], '');
}

function showOffers(output: Output, offers: readonly Offer[], whenNone: string): void {
  const rows = offers.map(rowOf);
  const isWithIds = rows.some(({ id }) => id !== undefined);
  output.list(
    rows,
    [
      { title: 'NAME', of: (row) => row.name },
      ...(isWithIds ? [{ title: 'ID', of: (row: Row) => row.id }] : []),
      { title: 'ENABLED', of: (row) => row.enabled },
      { title: 'SAYS', of: (row) => Object.entries(row.data).map(([key, value]) => `${key}=${String(value)}`) },
      { title: 'DESCRIPTION', of: (row) => row.description },
    ],
    whenNone,
  );
}
