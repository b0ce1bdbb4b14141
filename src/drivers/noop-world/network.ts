// The network of the noop world: ports for VIPs on its two subnets or, in a world that was told so, on whichever network
// and subnet is named. Who is plugged in where is the world's.
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { deriveId } from '../../domain/ids.ts';
import { PermanentFailure } from '../failure.ts';
import type { AllocateVip, PluggedPort, Subnet, Vip, VipRequest, VipResolution } from '../network/driver.ts';
import { objectionTo, rangeOf, resolveIn, toAddress } from '../network/subnet.ts';

export const noopSubnet: Subnet = {
  id: deriveId('noop', 'subnet'),
  name: 'noop',
  networkId: deriveId('noop', 'network'),
  cidr: '10.0.0.0/8',
  gateway: '10.0.0.1',
};

/** For additional VIPs. */
const additionalSubnet: Subnet = {
  id: deriveId('noop', 'additional subnet'),
  name: 'noop-additional',
  networkId: noopSubnet.networkId,
  cidr: '192.168.0.0/16',
  gateway: '192.168.0.1',
  isForAdditionalVips: true,
};

export class WorldNetwork {
  readonly subnets = [noopSubnet, additionalSubnet] as const;
  readonly #isBoundless: boolean;
  /** Subnet that somebody named → its network. */
  readonly #imagined = new Map<string, string>();
  /** Load balancer → port. */
  readonly #ports = new Map<string, Vip>();
  /** Network and address → load balancer. */
  readonly #holders = new Map<string, string>();
  /** Subnet → where the search for a free address goes on. */
  readonly #nextVip = new Map<string, number>();

  /** `isBoundless`: every network and subnet that is named is there, with any address in it. */
  constructor(isBoundless: boolean) {
    this.#isBoundless = isBoundless;
  }

  resolve(request: VipRequest): VipResolution {
    const { subnetId, networkId, portId, address } = request;
    const isOwn = subnetId === null ? networkId === noopSubnet.networkId : this.#isOwn(subnetId);
    if (!this.#isBoundless || portId !== null || isOwn) return resolveIn(this.subnets, request);
    if (address !== null && isIP(address) === 0)
      return { ok: false, field: 'vipAddress', reason: `${address} is not an IP address` };
    const subnet = subnetId ?? deriveId<string>('noop', 'subnet', networkId ?? '');
    if (networkId !== null) this.#imagined.set(subnet, networkId);
    return { ok: true, subnetId: subnet, networkId: this.#networkOf(subnet), address };
  }

  /** @throws PermanentFailure */
  allocate(request: AllocateVip): Vip {
    const { loadBalancerId, taken } = request;
    const known = this.#ports.get(loadBalancerId);
    if (known !== undefined && !addressesOf(known).some((address) => taken.includes(address))) return known;
    const vip = this.#choose(request);
    this.release(loadBalancerId);
    this.#ports.set(loadBalancerId, vip);
    for (const address of addressesOf(vip)) this.#holders.set(`${vip.networkId}/${address}`, loadBalancerId);
    return vip;
  }

  release(loadBalancerId: string): void {
    const vip = this.#ports.get(loadBalancerId);
    for (const address of vip === undefined ? [] : addressesOf(vip))
      this.#holders.delete(`${vip?.networkId}/${address}`);
    this.#ports.delete(loadBalancerId);
  }

  /** Load balancer → VIP address. */
  addresses(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#ports].map(([loadBalancerId, { address }]) => [loadBalancerId, address]));
  }

  /** The port of an amphora that carries the VIP. */
  portOf(amphoraId: string, loadBalancerId: string, host: string, vip: Vip): PluggedPort {
    const hash = createHash('sha1').update(amphoraId).digest('hex');
    const macAddress = `fa:16:3e:${hash.slice(0, 2)}:${hash.slice(2, 4)}:${hash.slice(4, 6)}`;
    const portId = deriveId<string>(`lb-${loadBalancerId}-vrrp-${amphoraId}`);
    const plain = { ...this.#wayTo(vip.subnetId, vip.address), macAddress, vrrpAddress: host, portId, mtu: null };
    const port = vip.vnicType === 'direct' ? { ...plain, isSriov: true } : plain;
    if (vip.additional === undefined) return port;
    const additional = vip.additional.map(({ address, subnetId }) => ({ address, ...this.#wayTo(subnetId, address) }));
    return { ...port, additional };
  }

  #isOwn(subnetId: string): boolean {
    return this.subnets.some(({ id }) => id === subnetId);
  }

  #networkOf(subnetId: string): string {
    if (this.#isOwn(subnetId)) return noopSubnet.networkId;
    return this.#imagined.get(subnetId) ?? deriveId<string>('noop', 'network of', subnetId);
  }

  /** Imagined subnets look like the own one, or like one of IPv6. */
  #wayTo(subnetId: string, address: string): Pick<PluggedPort, 'subnetCidr' | 'gateway'> {
    if (isIP(address) === 6) return { subnetCidr: '2001:db8::/32', gateway: '2001:db8::1' };
    const { cidr, gateway } = this.subnets.find(({ id }) => id === subnetId) ?? noopSubnet;
    return { subnetCidr: cidr, gateway };
  }

  #choose({ loadBalancerId, subnetId, address, additional = [], taken }: AllocateVip): Vip {
    const networkId = this.#networkOf(subnetId);
    const choose = (id: string, asked: string | null): string =>
      asked === null
        ? this.#freeAddress(networkId, id, taken)
        : this.#grant(asked, networkId, id, loadBalancerId, taken);
    const portId = deriveId<string>(`lb-${loadBalancerId}-vip`);
    const vip = { portId, address: choose(subnetId, address), subnetId, networkId };
    if (additional.length === 0) return vip;
    return { ...vip, additional: additional.map((one) => ({ ...one, address: choose(one.subnetId, one.address) })) };
  }

  #freeAddress(networkId: string, subnetId: string, taken: readonly string[]): string {
    const subnet = this.subnets.find(({ id }) => id === subnetId) ?? noopSubnet;
    const { first, last } = rangeOf(subnet.cidr);
    let next = this.#nextVip.get(subnetId) ?? first + 1;
    for (let tried = first; tried < last; tried++) {
      const address = toAddress(next++);
      if (next >= last) next = first + 1;
      this.#nextVip.set(subnetId, next);
      const usable = objectionTo(address, subnet) === undefined;
      if (usable && !this.#holders.has(`${networkId}/${address}`) && !taken.includes(address)) return address;
    }
    throw new PermanentFailure(`subnet ${subnetId} has no free address`, { call: allocating });
  }

  #grant(
    address: string,
    networkId: string,
    subnetId: string,
    loadBalancerId: string,
    taken: readonly string[],
  ): string {
    const own = this.subnets.find(({ id }) => id === subnetId);
    const objection = own === undefined ? undefined : objectionTo(address, own);
    if (objection !== undefined) throw new PermanentFailure(objection, { call: allocating });
    const holder = this.#holders.get(`${networkId}/${address}`);
    if (taken.includes(address) || (holder !== undefined && holder !== loadBalancerId)) {
      throw new PermanentFailure(`${address} is in use`, { call: allocating });
    }
    return address;
  }
}

const allocating = 'network.noop allocateVip';

function addressesOf({ address, additional = [] }: Vip): readonly string[] {
  return [address, ...additional.map((one) => one.address)];
}
