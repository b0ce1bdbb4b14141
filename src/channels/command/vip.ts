// Where a load balancer's VIPs shall be: what was asked for, checked with the network before the command reaches anybody.
import type { RequestedVip, VipWish } from '../../domain/load-balancer/state.ts';
import { RpcError } from '../rpc/errors.ts';
import { askAgainMs } from './lookups.ts';
import type { CommandPorts, VipPlace } from './ports.ts';

export interface AdditionalVipParams {
  readonly subnetId: string;
  readonly ipAddress: string | null;
  readonly portId: string | null;
}

interface VipParams {
  readonly vipSubnetId: string | null;
  readonly vipNetworkId: string | null;
  readonly vipPortId: string | null;
  readonly vipAddress: string | null;
  readonly additionalVips: readonly AdditionalVipParams[];
}

type Network = CommandPorts['network'];
type Place = Extract<VipPlace, { ok: true }>;

/** Asks the network. @throws RpcError naming the field, as Octavia does; `unavailable` when the network cannot be asked */
export async function vipWishOf(network: Network, params: VipParams, signal: AbortSignal): Promise<VipWish> {
  const { vipSubnetId: subnetId, vipNetworkId: networkId, vipPortId: portId, vipAddress: address } = params;
  const place = await resolved(network, { subnetId, networkId, portId, address }, (field) => field, signal);
  const additional: RequestedVip[] = [];
  const used = new Set([place.subnetId]);
  for (const [index, one] of params.additionalVips.entries()) {
    const field = `additionalVips[${index}]`;
    if (used.has(one.subnetId))
      throw invalid(`${field}.subnetId`, `each VIP needs a subnet of its own, given ${one.subnetId} again`);
    used.add(one.subnetId);
    const wish = { subnetId: one.subnetId, networkId: null, portId: one.portId, address: one.ipAddress };
    const names: Readonly<Record<string, string>> = {
      vipSubnetId: 'subnetId',
      vipPortId: 'portId',
      vipAddress: 'ipAddress',
    };
    const found = await resolved(network, wish, (name) => `${field}.${names[name] ?? name}`, signal);
    if (found.networkId !== place.networkId) {
      throw invalid(`${field}.subnetId`, 'All VIP subnets must belong to the same network.');
    }
    additional.push({ subnetId: found.subnetId, requestedAddress: found.address });
  }
  const wish = { subnetId: place.subnetId, networkId: place.networkId, requestedAddress: place.address };
  return additional.length === 0 ? wish : { ...wish, additional };
}

async function resolved(
  network: Network,
  wish: Parameters<Network['resolveVip']>[0],
  fieldFor: (field: string) => string,
  signal: AbortSignal,
): Promise<Place> {
  const place = await network.resolveVip(wish, signal).catch((error: unknown) => {
    const message = `The network cannot be asked about the VIP: ${(error as Error).message}`;
    throw new RpcError('unavailable', message, { retryAfterMs: askAgainMs });
  });
  if (!place.ok) throw invalid(fieldFor(place.field), place.reason);
  return place;
}

/** One of several is named in the message too. */
function invalid(field: string, what: string): RpcError {
  const which = /^additionalVips(\[\d+\])/.exec(field)?.[1];
  const message = which === undefined ? what : `additional_vips${which}: ${what}`;
  return new RpcError('invalid', `Validation failure: ${message}`, { field });
}

/** @throws RpcError (`unsupported`) for what the network of this service does not have */
export function refuseWithout(
  { name, offers }: Network,
  given: { readonly vipQosPolicyId?: string | null | undefined; readonly vipSgIds?: readonly string[] | undefined },
): void {
  const refuse = (field: string, what: string): never => {
    throw new RpcError('unsupported', `The network driver ${name} has no ${what}.`, { field });
  };
  if ((given.vipQosPolicyId ?? null) !== null && !offers.qosPolicies) refuse('vipQosPolicyId', 'QoS policies');
  if ((given.vipSgIds ?? []).length > 0 && !offers.securityGroups) refuse('vipSgIds', 'security groups');
}
