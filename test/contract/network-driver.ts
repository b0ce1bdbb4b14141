// What every network driver promises, as tests: call it with a factory from a test file of the implementation.
import { randomUUID } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AmphoraId, LoadBalancerId } from '../../src/domain/ids.ts';
import type { NetworkDriver, Subnet, VipRequest } from '../../src/drivers/network/driver.ts';

export interface NetworkUnderTest {
  connect(): NetworkDriver;
  /** An address of the subnet that may be a VIP. */
  readonly usableAddress: string;
  readonly foreignAddress: string;
  readonly reservedAddress: string;
  /** Makes an instance that a VIP can be plugged into, where the driver wants one. */
  instance?(): Promise<{ readonly amphoraId: AmphoraId; readonly computeId: string }>;
}

export function networkDriverContract(name: string, under: NetworkUnderTest): void {
  const signal = new AbortController().signal;
  const nothing: VipRequest = { subnetId: null, networkId: null, portId: null, address: null };
  const newLoadBalancer = (): LoadBalancerId => randomUUID() as LoadBalancerId;
  let driver: NetworkDriver;
  let subnet: Subnet;

  describe(`network driver ${name}`, () => {
    beforeAll(async () => {
      driver = under.connect();
      const [first] = await driver.subnets(signal);
      if (first === undefined) throw new Error('a network driver has at least one subnet');
      subnet = first;
    });
    afterAll(() => driver.close());

    test('a subnet keeps its ids across restarts', async () => {
      const restarted = under.connect();
      expect(await restarted.subnets(signal)).toContainEqual(subnet);
      await restarted.close();
    });

    test('a request is resolved by subnet or by network, with or without an address', async () => {
      const { id: subnetId, networkId } = subnet;
      const resolved = { ok: true, subnetId, networkId };
      expect(await driver.resolveVip({ ...nothing, subnetId }, signal)).toEqual({ ...resolved, address: null });
      expect(await driver.resolveVip({ ...nothing, networkId }, signal)).toEqual({ ...resolved, address: null });
      const asked = { ...nothing, subnetId, address: under.usableAddress };
      expect(await driver.resolveVip(asked, signal)).toEqual({ ...resolved, address: under.usableAddress });
    });

    test('what cannot be is refused with the field and a reason', async () => {
      const { id: subnetId } = subnet;
      const cases: [Partial<VipRequest>, string, RegExp][] = [
        [{ subnetId: randomUUID() }, 'vipSubnetId', /no subnet/],
        [{ networkId: randomUUID() }, 'vipNetworkId', /no network/],
        [{ portId: randomUUID() }, 'vipPortId', /no port/],
        [{ subnetId, address: under.foreignAddress }, 'vipAddress', /outside/],
        [{ subnetId, address: under.reservedAddress }, 'vipAddress', /network address|broadcast/],
        [{ subnetId, address: 'not-an-address' }, 'vipAddress', /not an IPv4 address/],
      ];
      for (const [request, field, reason] of cases) {
        const refusal = { ok: false, field, reason: expect.stringMatching(reason) };
        expect(await driver.resolveVip({ ...nothing, ...request }, signal)).toEqual(refusal);
      }
    });

    test('allocating again gives the same VIP', async () => {
      const request = { loadBalancerId: newLoadBalancer(), subnetId: subnet.id, address: null, taken: [] };
      const vip = await driver.allocateVip(request, signal);
      expect(isIPv4(vip.address)).toBe(true);
      expect(vip).toMatchObject({ subnetId: subnet.id, networkId: subnet.networkId });
      expect(await driver.allocateVip(request, signal)).toEqual(vip);
      const restarted = under.connect();
      expect(await restarted.allocateVip(request, signal)).toEqual(vip);
      await restarted.close();
      await driver.releaseVip(request.loadBalancerId, signal);
    });

    test('an address that was asked for is given', async () => {
      const loadBalancerId = newLoadBalancer();
      const request = { loadBalancerId, subnetId: subnet.id, address: under.usableAddress, taken: [] };
      expect(await driver.allocateVip(request, signal)).toMatchObject({ address: under.usableAddress });
      await driver.releaseVip(loadBalancerId, signal);
    });

    test('an address that turned out to be taken is not offered again', async () => {
      const loadBalancerId = newLoadBalancer();
      const taken: string[] = [];
      for (let tried = 0; tried < 20; tried++) {
        const { address } = await driver.allocateVip(
          { loadBalancerId, subnetId: subnet.id, address: null, taken },
          signal,
        );
        expect(taken).not.toContain(address);
        taken.push(address);
      }
      await driver.releaseVip(loadBalancerId, signal);
    });

    test('an address that was asked for and is taken, or is outside, is a permanent failure', async () => {
      const asked = { loadBalancerId: newLoadBalancer(), subnetId: subnet.id };
      const taken = { ...asked, address: under.usableAddress, taken: [under.usableAddress] };
      await expect(driver.allocateVip(taken, signal)).rejects.toMatchObject({ name: 'PermanentFailure' });
      const outside = { ...asked, address: under.foreignAddress, taken: [] };
      await expect(driver.allocateVip(outside, signal)).rejects.toMatchObject({ name: 'PermanentFailure' });
    });

    test('further addresses are on their subnets, the same when allocated again, and told when the port is plugged', async () => {
      const other = (await driver.subnets(signal)).find(({ id }) => id !== subnet.id);
      if (other === undefined) throw new Error('there is one subnet only');
      const loadBalancerId = newLoadBalancer();
      const additional = [{ subnetId: other.id, address: null }];
      const request = { loadBalancerId, subnetId: subnet.id, address: null, additional, taken: [] };
      const vip = await driver.allocateVip(request, signal);
      const [further] = vip.additional ?? [];
      expect(further).toEqual({ subnetId: other.id, address: expect.any(String) });
      const asked = { subnetId: other.id, networkId: null, portId: null, address: further?.address ?? '' };
      expect(await driver.resolveVip(asked, signal)).toMatchObject({ ok: true, networkId: subnet.networkId });
      expect(await driver.allocateVip(request, signal)).toEqual(vip);
      const again = await driver.allocateVip({ ...request, taken: [further?.address ?? ''] }, signal);
      expect(again.additional?.[0]?.address).not.toBe(further?.address);
      const instance = (await under.instance?.()) ?? { amphoraId: randomUUID() as AmphoraId, computeId: 'none' };
      const policy = { qosPolicyId: null, securityGroupIds: [] };
      const port = await driver.plugVip(
        { loadBalancerId, vip: again, agentHost: '127.89.0.7', policy, ...instance },
        signal,
      );
      expect(port.additional).toEqual([
        { address: again.additional?.[0]?.address, subnetCidr: other.cidr, gateway: other.gateway },
      ]);
      await driver.releaseVip(loadBalancerId, signal);
    });

    test('plugging twice gives the same port, unplugging and releasing twice is no error', async () => {
      const loadBalancerId = newLoadBalancer();
      const instance = (await under.instance?.()) ?? { amphoraId: randomUUID() as AmphoraId, computeId: 'none' };
      const agentHost = '127.89.0.7';
      const vip = await driver.allocateVip({ loadBalancerId, subnetId: subnet.id, address: null, taken: [] }, signal);
      const policy = { qosPolicyId: null, securityGroupIds: [] };
      const plug = { loadBalancerId, vip, agentHost, policy, ...instance };
      const port = await driver.plugVip(plug, signal);
      expect(port.subnetCidr).toBe(subnet.cidr);
      expect(port.macAddress).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
      expect(isIPv4(port.vrrpAddress)).toBe(true);
      expect(await driver.plugVip(plug, signal)).toEqual(port);
      for (let times = 0; times < 2; times++) {
        await driver.unplugVip(plug, signal);
        await driver.releaseVip(loadBalancerId, signal);
      }
    });

    test('an aborted call fails as transient', async () => {
      await expect(driver.subnets(AbortSignal.abort())).rejects.toMatchObject({ name: 'TransientFailure' });
    });
  });
}
