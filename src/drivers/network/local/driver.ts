// The network of local amphorae: two subnets of loopback addresses, on which every process of this machine may listen.
//
// Nothing is made here and nothing is remembered, so nothing can be left behind. That no two load balancers get the same
// address is up to the caller: it claims the address by a row in the database, and asks again with the address in
// `taken` when the claim is refused.
import { createHash } from 'node:crypto';
import { deriveId, type LoadBalancerId } from '../../../domain/ids.ts';
import { PermanentFailure, TransientFailure } from '../../failure.ts';
import type { AllocateVip, NetworkDriver, PluggedPort, PlugVip, Subnet, Vip } from '../driver.ts';
import { objectionTo, rangeOf, resolveIn, subnetOf, toAddress, toNumber } from '../subnet.ts';

export interface LocalNetworkOptions {
  /** Of VIPs. */
  readonly cidr: string;
  /** Of additional VIPs, on the same network. */
  readonly additionalCidr: string;
  /** Amphorae's own addresses: each has there the place that its agent has in `managementSubnet`, so no two share one. */
  readonly vrrpSubnet: string;
  readonly managementSubnet: string;
}

/** @throws Error when one of the subnets is not an IPv4 subnet. */
export function localNetwork({
  cidr,
  additionalCidr,
  vrrpSubnet,
  managementSubnet,
}: LocalNetworkOptions): NetworkDriver {
  const networkId: string = deriveId('local', 'network', cidr);
  const subnet = (name: string, range: string): Subnet => ({
    id: deriveId('local', 'subnet', range),
    name,
    networkId,
    cidr: range,
    gateway: null,
  });
  const subnets = [
    subnet('local', cidr),
    { ...subnet('local-additional', additionalCidr), isForAdditionalVips: true },
  ] as const;
  for (const each of [cidr, additionalCidr, vrrpSubnet, managementSubnet]) rangeOf(each);
  return {
    name: 'local',
    offers: { qosPolicies: false, securityGroups: false, sriovPorts: false },
    subnets: answer('subnets', () => subnets),
    resolveVip: (request, signal) => answer('resolveVip', () => resolveIn(subnets, request))(signal),
    allocateVip: (request, signal) => answer('allocateVip', () => allocate(subnets, request))(signal),
    plugVip: (request, signal) => answer('plugVip', () => portOf(request))(signal),
    unplugVip: (_, signal) => answer('unplugVip', () => undefined)(signal),
    releaseVip: (_, signal) => answer('releaseVip', () => undefined)(signal),
    close: () => Promise.resolve(),
  };

  function portOf({ amphoraId, agentHost, vip }: PlugVip): PluggedPort {
    const hash = createHash('sha1').update(amphoraId).digest('hex');
    const macAddress = `02:00:${hash.slice(0, 2)}:${hash.slice(2, 4)}:${hash.slice(4, 6)}:${hash.slice(6, 8)}`;
    const additional = (vip.additional ?? []).map(({ address, subnetId }) => ({
      address,
      subnetCidr: subnetOf(subnets, subnetId).cidr,
      gateway: null,
    }));
    return {
      subnetCidr: subnetOf(subnets, vip.subnetId).cidr,
      gateway: null,
      macAddress,
      vrrpAddress: ownAddress(agentHost),
      portId: null,
      mtu: null,
      ...(additional.length > 0 && { additional }),
    };
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

function allocate(subnets: readonly Subnet[], request: AllocateVip): Vip {
  const { loadBalancerId, subnetId, address, additional = [], taken } = request;
  const choose = (id: string, asked: string | null) => choice(subnets, id, asked, loadBalancerId, taken);
  const portId = deriveId<string>(`lb-${loadBalancerId}-vip`);
  const vip = { portId, address: choose(subnetId, address), subnetId, networkId: subnets[0]?.networkId ?? '' };
  if (additional.length === 0) return vip;
  return { ...vip, additional: additional.map((one) => ({ ...one, address: choose(one.subnetId, one.address) })) };
}

function choice(
  subnets: readonly Subnet[],
  subnetId: string,
  address: string | null,
  loadBalancerId: LoadBalancerId,
  taken: readonly string[],
): string {
  const call = 'network.local allocateVip';
  const subnet = subnets.find(({ id }) => id === subnetId);
  if (subnet === undefined) {
    const expected = subnets.map(({ id }) => id).join(' or ');
    throw new PermanentFailure(`there is no subnet ${subnetId}; expected ${expected}`, { call });
  }
  const objection = address === null ? undefined : objectionTo(address, subnet);
  if (objection !== undefined) throw new PermanentFailure(objection, { call });
  if (address !== null && taken.includes(address)) throw new PermanentFailure(`${address} is in use`, { call });
  const chosen = address ?? candidate(subnet, loadBalancerId, taken);
  if (chosen === undefined)
    throw new PermanentFailure(`subnet ${subnet.id} (${subnet.cidr}) has no free address`, { call });
  return chosen;
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
