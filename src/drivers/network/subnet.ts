// IPv4 arithmetic and the rules of a network that has one subnet, shared by the drivers that make addresses up.
import type { Subnet, VipRequest, VipResolution } from './driver.ts';

/** A parsed CIDR: first and last address as unsigned numbers, both reserved (network and broadcast). */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** @throws Error when `cidr` is not IPv4 in CIDR notation. */
export function rangeOf(cidr: string): AddressRange {
  const [address = '', length = ''] = cidr.split('/');
  const number = toNumber(address);
  if (number === undefined || !/^\d+$/.test(length) || Number(length) > 32)
    throw new Error(`not an IPv4 subnet: ${cidr}`);
  const size = 2 ** (32 - Number(length));
  const first = Math.floor(number / size) * size;
  return { first, last: first + size - 1 };
}

/** `127.0.0.1` → 2130706433; undefined for anything but four plain decimal numbers. */
export function toNumber(address: string): number | undefined {
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address)?.slice(1);
  if (octets === undefined || octets.some((octet) => Number(octet) > 255 || String(Number(octet)) !== octet))
    return undefined;
  return octets.reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

export function toAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

/** Why the address cannot be a VIP of the subnet, as a sentence; undefined when it can. */
export function objectionTo(address: string, subnet: Subnet): string | undefined {
  const number = toNumber(address);
  if (number === undefined) return `${address} is not an IPv4 address`;
  const { first, last } = rangeOf(subnet.cidr);
  if (number < first || number > last) return `${address} is outside of subnet ${subnet.id} (${subnet.cidr})`;
  if (number === first) return `${address} is the network address of ${subnet.cidr}`;
  if (number === last) return `${address} is the broadcast address of ${subnet.cidr}`;
  if (address === subnet.gateway) return `${address} is the gateway of ${subnet.cidr}`;
  return undefined;
}

/** `NetworkDriver.resolveVip` where there is one network, with these subnets, and no ports but those of this service. */
export function resolveIn(subnets: readonly [Subnet, ...Subnet[]], request: VipRequest): VipResolution {
  const { subnetId, networkId, portId, address } = request;
  const [first] = subnets;
  if (portId !== null) return { ok: false, field: 'vipPortId', reason: `there is no port ${portId}` };
  if (networkId !== null && networkId !== first.networkId) {
    return {
      ok: false,
      field: 'vipNetworkId',
      reason: `there is no network ${networkId}; expected ${first.networkId}`,
    };
  }
  const named = subnets.find(({ id }) => id === subnetId);
  if (subnetId !== null && named === undefined) {
    const expected = subnets.map(({ id }) => id).join(' or ');
    return { ok: false, field: 'vipSubnetId', reason: `there is no subnet ${subnetId}; expected ${expected}` };
  }
  const fitting = subnets.find((subnet) => address !== null && objectionTo(address, subnet) === undefined);
  const subnet = named ?? fitting ?? first;
  const reason = address === null ? undefined : objectionTo(address, subnet);
  if (reason !== undefined) return { ok: false, field: 'vipAddress', reason };
  return { ok: true, subnetId: subnet.id, networkId: subnet.networkId, address };
}

/** Of one of them. @throws Error when there is none of that id */
export function subnetOf(subnets: readonly Subnet[], id: string): Subnet {
  const found = subnets.find((subnet) => subnet.id === id);
  if (found === undefined) throw new Error(`there is no subnet ${id}`);
  return found;
}
