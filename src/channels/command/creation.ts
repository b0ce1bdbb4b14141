// What a load balancer is created as, beside what is in it: by its flavor, its availability zone, its provider, and where its VIP
// shall be. All of it is looked up before anybody hears of the command.
import { type InstanceKind, kindKey, plainInstance } from '../../domain/amphora/kind.ts';
import { type Provider, providers, type Wish, wishOf } from '../../domain/catalogue.ts';
import { deriveId, type LoadBalancerId } from '../../domain/ids.ts';
import type { LoadBalancerCommand } from '../../domain/load-balancer/commands.ts';
import { RpcError } from '../rpc/errors.ts';
import type { ParamsOf } from '../rpc/method.ts';
import { attributesIn } from './attributes.ts';
import type { ChangeContext } from './dispatch.ts';
import type { CommandMethods } from './methods.ts';
import type { CommandPorts } from './ports.ts';
import { loadBalancerShape } from './shapes.ts';
import { refuseWithout, vipWishOf } from './vip.ts';

export type CreateParams = ParamsOf<CommandMethods['loadBalancer.create']>;
type CreateCommand = Extract<LoadBalancerCommand, { type: 'createLoadBalancer' }>;

/** @throws RpcError when a load balancer may not be created so */
export async function creationOf(
  ports: CommandPorts,
  params: CreateParams,
  { command, signal }: ChangeContext,
): Promise<Omit<CreateCommand, 'listeners' | 'pools'>> {
  const { network, placement } = ports;
  refuseWithout(network, params);
  const place = await vipWishOf(network, params, signal);
  const wish = await wishedFor(ports, params);
  const { topology = placement.topology, instances, validVipNetworks, perAmphora, antiAffinity, provider } = wish;
  if (validVipNetworks?.includes(place.networkId) === false) {
    const what = `Supplied VIP network ${place.networkId} is not valid in availability zone ${params.availabilityZone}`;
    throw refused('vipNetworkId', what);
  }
  return {
    type: 'createLoadBalancer',
    ...(topology !== 'SINGLE' && { topology }),
    ...(!isSame(instances, plainInstance) && { instances }),
    ...(perAmphora > 1 && { perAmphora }),
    ...(antiAffinity !== undefined && { antiAffinity }),
    ...(provider !== 'amphora' && { provider }),
    ...(wish.allowsMemberSriov && { allowsMemberSriov: true }),
    loadBalancerId: deriveId<LoadBalancerId>(command.id, 'loadBalancer'),
    projectId: params.projectId,
    vip: { ...place, ...(wish.hasSriovVip && { vnicType: 'direct' }) },
    attributes: attributesIn(loadBalancerShape, params),
  };
}

/** What flavor and availability zone ask for. */
async function wishedFor(
  { catalogue }: CommandPorts,
  { flavorId, availabilityZone, provider }: CreateParams,
): Promise<Wish & { readonly provider: Provider }> {
  const asked = provider === null ? undefined : knownProvider(provider);
  const profile = flavorId === null ? undefined : await profileOfFlavor(catalogue, flavorId);
  if (profile !== undefined && asked !== undefined && profile.providerName !== asked) {
    const message = `Flavor '${flavorId}' is not compatible with provider '${asked}'`;
    throw new RpcError('invalid', message, { field: 'provider' });
  }
  const zoneData = availabilityZone === null ? undefined : await dataOfZone(catalogue, availabilityZone);
  const { providerName = 'amphora', flavorData } = profile ?? {};
  return { ...wishOf(flavorData, zoneData), provider: asked ?? providerName };
}

function knownProvider(name: string): Provider {
  const known = providers.find((provider) => provider === name);
  if (known === undefined) throw new RpcError('invalid', `Provider '${name}' is not enabled.`, { field: 'provider' });
  return known;
}

async function profileOfFlavor(catalogue: CommandPorts['catalogue'], id: string) {
  const flavor = await catalogue.find('flavor', id);
  if (flavor === undefined) throw refused('flavorId', `Invalid flavor_id. There is no flavor ${id}.`);
  if (!flavor.enabled) throw notAllowed('flavorId', 'flavor', id);
  return catalogue.find('flavorProfile', flavor.flavorProfileId);
}

async function dataOfZone(catalogue: CommandPorts['catalogue'], name: string): Promise<string | undefined> {
  const zone = await catalogue.find('availabilityZone', name);
  if (zone === undefined) throw refused('availabilityZone', `Invalid availability zone. There is none named ${name}.`);
  if (!zone.enabled) throw notAllowed('availabilityZone', 'availability_zone', name);
  const profile = await catalogue.find('availabilityZoneProfile', zone.availabilityZoneProfileId);
  return profile?.availabilityZoneData;
}

function isSame(one: InstanceKind, other: InstanceKind): boolean {
  return kindKey({ topology: 'SINGLE', ...one }) === kindKey({ topology: 'SINGLE', ...other });
}

function refused(field: string, what: string): RpcError {
  return new RpcError('invalid', `Validation failure: ${what}`, { field });
}

function notAllowed(field: string, option: string, value: string): RpcError {
  const message = `The selected ${option} is not allowed in this deployment: ${value}`;
  return new RpcError('invalid', message, { field });
}
