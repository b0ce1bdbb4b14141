// The network of local amphorae: one subnet of loopback addresses, on which every process of this machine may listen.
//
// Nothing is made here and nothing is remembered, so nothing can be left behind. That no two load balancers get the same
// address is up to the caller: it claims the address by a row in the database, and asks again with the address in
// `taken` when the claim is refused.
import { createHash } from 'node:crypto';
import { deriveId, type LoadBalancerId } from '../../../domain/ids.ts';
import { PermanentFailure, TransientFailure } from '../../failure.ts';
import type { AllocateVip, NetworkDriver, PluggedPort, PlugVip, Subnet, Vip } from '../driver.ts';
import { objectionTo, rangeOf, resolveIn, toAddress, toNumber } from '../subnet.ts';

export interface LocalNetworkOptions {
  /** Of VIPs. */
  readonly cidr: string;
  /** Amphorae's own addresses: each has there the place that its agent has in `managementSubnet`, so no two share one. */
  readonly vrrpSubnet: string;
  readonly managementSubnet: string;
}

/** @throws Error when one of the subnets is not an IPv4 subnet. */
export function localNetwork({ cidr, vrrpSubnet, managementSubnet }: LocalNetworkOptions): NetworkDriver {
  const subnet: Subnet = {
    id: deriveId('local', 'subnet', cidr),
    name: 'local',
    networkId: deriveId('local', 'network', cidr),
    cidr,
    gateway: null,
  };
  for (const each of [cidr, vrrpSubnet, managementSubnet]) rangeOf(each);
  return {
    name: 'local',
    subnets: answer('subnets', () => [subnet]),
    resolveVip: (request, signal) => answer('resolveVip', () => resolveIn(subnet, request))(signal),
    allocateVip: (request, signal) => answer('allocateVip', () => allocate(subnet, request))(signal),
    plugVip: (request, signal) => answer('plugVip', () => portOf(request))(signal),
    unplugVip: (_, signal) => answer('unplugVip', () => undefined)(signal),
    releaseVip: (_, signal) => answer('releaseVip', () => undefined)(signal),
    close: () => Promise.resolve(),
  };

  function portOf({ amphoraId, agentHost }: PlugVip): PluggedPort {
    const hash = createHash('sha1').update(amphoraId).digest('hex');
    const macAddress = `02:00:${hash.slice(0, 2)}:${hash.slice(2, 4)}:${hash.slice(4, 6)}:${hash.slice(6, 8)}`;
    return { subnetCidr: cidr, gateway: null, macAddress, vrrpAddress: ownAddress(agentHost), portId: null, mtu: null };
  }

  /** An agent made when other subnets were set is alone at its own address. */
  function ownAddress(agentHost: string): string {
    const place = (toNumber(agentHost) ?? -1) - rangeOf(managementSubnet).first;
    const { first, last } = rangeOf(vrrpSubnet);
    return place > 0 && first + place < last ? toAddress(first + place) : agentHost;
  }
}

/** An answer that costs no waiting, in the manners of a driver. */
function answer<T>(call: string, compute: () => T): (signal: AbortSignal) => Promise<T> {
  return async (signal) => {
    if (signal.aborted)
      throw new TransientFailure(`network.local ${call} was given up`, { call: `network.local ${call}` });
    return compute();
  };
}

function allocate(subnet: Subnet, { loadBalancerId, subnetId, address, taken }: AllocateVip): Vip {
  const call = 'network.local allocateVip';
  if (subnetId !== subnet.id)
    throw new PermanentFailure(`there is no subnet ${subnetId}; expected ${subnet.id}`, { call });
  const objection = address === null ? undefined : objectionTo(address, subnet);
  if (objection !== undefined) throw new PermanentFailure(objection, { call });
  if (address !== null && taken.includes(address)) throw new PermanentFailure(`${address} is in use`, { call });
  const chosen = address ?? candidate(subnet, loadBalancerId, taken);
  if (chosen === undefined)
    throw new PermanentFailure(`subnet ${subnet.id} (${subnet.cidr}) has no free address`, { call });
  const portId = deriveId<string>(`lb-${loadBalancerId}-vip`);
  return { portId, address: chosen, subnetId: subnet.id, networkId: subnet.networkId };
}

/** Begins anywhere, by the load balancer's id, and goes on to the next that is not taken. */
function candidate(subnet: Subnet, loadBalancerId: LoadBalancerId, taken: readonly string[]): string | undefined {
  const { first, last } = rangeOf(subnet.cidr);
  const usable = last - first - 1;
  const start = createHash('sha1').update(loadBalancerId).digest().readUInt32BE();
  for (let tried = 0; tried <= taken.length && tried < usable; tried++) {
    const address = toAddress(first + 1 + ((start + tried) % usable));
    if (!taken.includes(address)) return address;
  }
  return undefined;
}
