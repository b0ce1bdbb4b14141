// What every amphora driver promises. Called with something that makes an amphora and a way to see what it serves.
import { afterEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { type ListenerId, type LoadBalancerId, deriveId } from '../../src/domain/ids.ts';
import { renderHaproxy } from '../../src/domain/haproxy/render.ts';
import { servedDigest } from '../../src/domain/load-balancer/digest.ts';
import { renderLvs } from '../../src/domain/lvs/render.ts';
import type { AmphoraAddress, AmphoraDriver, ServeRequest } from '../../src/drivers/amphora/driver.ts';
import { PermanentFailure, TransientFailure } from '../../src/drivers/failure.ts';
import { servedTree } from '../support/served-tree.ts';

export interface AmphoraUnderTest {
  readonly driver: AmphoraDriver;
  readonly address: AmphoraAddress;
  readonly vipAddress: string;
  /** A port of the VIP on which somebody else listens already. */
  readonly takenPort: number;
  /** The address of an amphora that isn't there. */
  readonly nowhere: AmphoraAddress;
  /** Body of a GET at the VIP. Rejects when nobody listens. */
  request(port: number): Promise<string>;
  /** A server that answers with `name`, for use as a member. */
  member(name: string): Promise<{ readonly address: string; readonly port: number }>;
  end(): Promise<void>;
}

const signal = (): AbortSignal => AbortSignal.timeout(30_000);
const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

export function amphoraDriverContract(name: string, make: () => Promise<AmphoraUnderTest>): void {
  describe(`the amphora driver ${name}`, () => {
    const open: AmphoraUnderTest[] = [];
    afterEach(async () => {
      await Promise.all(open.splice(0).map((each) => each.end()));
    });
    const amphora = async (): Promise<AmphoraUnderTest> => {
      const made = await make();
      open.push(made);
      return made;
    };

    const loadBalancerId = deriveId<LoadBalancerId>('contract');
    const port = {
      subnetCidr: '127.90.0.0/16',
      gateway: null,
      macAddress: 'fa:16:3e:00:00:01',
      vrrpAddress: '127.90.0.1',
      portId: null,
      mtu: null,
    };
    const serving = (vipAddress: string, configuration: string | null): ServeRequest => ({
      loadBalancerId,
      vipAddress,
      port,
      configuration,
      lvs: null,
      files: [],
    });
    type Member = Awaited<ReturnType<AmphoraUnderTest['member']>>;
    const configured = (vip: string, protocolPort: number, { address, port: memberPort }: Member): string => {
      const tree = servedTree({
        loadBalancerId,
        vipAddresses: [vip],
        listener: { protocolPort, connectionLimit: 100 },
        members: [{ address, protocolPort: memberPort }],
        healthMonitor: {},
      });
      // A member never changes its address, and haproxy counts on it when it takes states over: another one, another id.
      return (renderHaproxy(tree) ?? '').replaceAll(deriveId('member', 0), deriveId('member', memberPort));
    };

    test('an amphora says what it is and shows its certificate', async () => {
      const { driver, address } = await amphora();
      const info = await driver.info(address, signal());
      expect(info.apiVersion).toBe('1.0');
      expect(info.certificateFingerprint).toMatch(/^[0-9a-f]{64}$/);
      expect(info.certificateExpiresAt.getTime()).toBeGreaterThan(Date.now());
    });

    test('what is served answers at the VIP, and is held byte for byte', async () => {
      const { driver, address, vipAddress, request, member } = await amphora();
      const configuration = configured(vipAddress, 8080, await member('first'));
      expect(await driver.configurationDigest(address, { loadBalancerId, hasLvs: false }, signal())).toBeUndefined();
      expect(await driver.serve(address, serving(vipAddress, configuration), signal())).toEqual({ accepted: true });
      expect(await request(8080)).toBe('first');
      expect(await driver.configurationDigest(address, { loadBalancerId, hasLvs: false }, signal())).toBe(
        md5(configuration),
      );
    });

    test('serving the same again is accepted, serving something else replaces it', async () => {
      const { driver, address, vipAddress, request, member } = await amphora();
      const first = configured(vipAddress, 8080, await member('first'));
      const second = configured(vipAddress, 8081, await member('second'));
      for (const configuration of [first, first, second]) {
        expect(await driver.serve(address, serving(vipAddress, configuration), signal())).toEqual({ accepted: true });
      }
      expect(await request(8081)).toBe('second');
      await expect(request(8080)).rejects.toThrow();
    });

    test('serving nothing ends what was served, any number of times', async () => {
      const { driver, address, vipAddress, request, member } = await amphora();
      await driver.serve(address, serving(vipAddress, configured(vipAddress, 8080, await member('first'))), signal());
      for (let time = 0; time < 2; time++) {
        expect(await driver.serve(address, serving(vipAddress, null), signal())).toEqual({ accepted: true });
      }
      await expect(request(8080)).rejects.toThrow();
      expect(await driver.configurationDigest(address, { loadBalancerId, hasLvs: false }, signal())).toBeUndefined();
    });

    test('load balancers that share it are served, looked at and withdrawn each by itself, with their UDP listeners', async () => {
      const { driver, address, vipAddress, request, member } = await amphora();
      const server = await member('both');
      const shared = [8080, 8081].map((protocolPort) => {
        const id = deriveId<LoadBalancerId>('sharer', protocolPort);
        const tree = servedTree({
          loadBalancerId: id,
          vipAddresses: [vipAddress],
          listener: { protocol: 'UDP', protocolPort },
          pool: { protocol: 'UDP' },
          members: [{ address: server.address, protocolPort: server.port }],
        });
        const own = {
          ...tree,
          listeners: tree.listeners.map((one) => ({ ...one, id: deriveId<ListenerId>('udp', protocolPort) })),
        };
        const configuration = configured(vipAddress, protocolPort, server)
          .replaceAll(loadBalancerId, id)
          .replaceAll(deriveId('listener'), deriveId('listener', protocolPort));
        const lvs = renderLvs(own);
        const held = { loadBalancerId: id, hasLvs: true };
        const digest = servedDigest(
          configuration,
          lvs.map((one) => one.configuration),
        );
        return { held, digest, request: { ...serving(vipAddress, configuration), loadBalancerId: id, lvs } };
      });
      for (const { request: asked } of shared) {
        expect(await driver.serve(address, asked, signal())).toEqual({ accepted: true });
      }
      for (const { held, digest } of shared)
        expect(await driver.configurationDigest(address, held, signal())).toBe(digest);
      expect(await Promise.all([request(8080), request(8081)])).toEqual(['both', 'both']);
      const [first, second] = shared as [(typeof shared)[0], (typeof shared)[0]];
      for (let time = 0; time < 2; time++) await driver.withdraw(address, first.held, signal());
      await expect(request(8080)).rejects.toThrow();
      expect(await driver.configurationDigest(address, first.held, signal())).toBeUndefined();
      expect(await request(8081)).toBe('both');
      expect(await driver.configurationDigest(address, second.held, signal())).toBe(second.digest);
    });

    test('a configuration that haproxy finds invalid is refused in haproxy’s words and changes nothing', async () => {
      const { driver, address, vipAddress, request, member } = await amphora();
      const good = configured(vipAddress, 8080, await member('first'));
      await driver.serve(address, serving(vipAddress, good), signal());
      const result = await driver.serve(address, serving(vipAddress, `${good}    balance nonsense\n`), signal());
      expect(result).toMatchObject({ accepted: false, reason: expect.stringMatching(/\[ALERT\].*balance/s) });
      expect(await request(8080)).toBe('first');
      expect(await driver.configurationDigest(address, { loadBalancerId, hasLvs: false }, signal())).toBe(md5(good));
    });

    test('a port that somebody else holds is a refusal, and what was served goes on and is held again', async () => {
      const { driver, address, vipAddress, takenPort, request, member } = await amphora();
      const server = await member('first');
      const good = configured(vipAddress, 8080, server);
      await driver.serve(address, serving(vipAddress, good), signal());
      const result = await driver.serve(
        address,
        serving(vipAddress, configured(vipAddress, takenPort, server)),
        signal(),
      );
      expect(result).toMatchObject({ accepted: false, reason: expect.stringMatching(/Address already in use/) });
      expect(await request(8080)).toBe('first');
      expect(await driver.configurationDigest(address, { loadBalancerId, hasLvs: false }, signal())).toBe(md5(good));
      expect(await driver.serve(address, serving(vipAddress, good), signal())).toEqual({ accepted: true });
    });

    test('a port that somebody else holds is a refusal at the first start too', async () => {
      const { driver, address, vipAddress, takenPort, request, member } = await amphora();
      const server = await member('first');
      const result = await driver.serve(
        address,
        serving(vipAddress, configured(vipAddress, takenPort, server)),
        signal(),
      );
      expect(result).toMatchObject({ accepted: false, reason: expect.stringMatching(/Address already in use/) });
      await driver.serve(address, serving(vipAddress, configured(vipAddress, 8080, server)), signal());
      expect(await request(8080)).toBe('first');
    });

    test('an amphora that is not there is a transient failure that names it', async () => {
      const { driver, nowhere } = await amphora();
      const failure = await driver.info(nowhere, AbortSignal.timeout(400)).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(TransientFailure);
      expect((failure as Error).message).toContain(nowhere.amphoraId);
    });

    test('an amphora under another one’s name is a permanent failure', async () => {
      const { driver, address, nowhere } = await amphora();
      const stranger = { amphoraId: nowhere.amphoraId, endpoint: address.endpoint };
      await expect(driver.info(stranger, signal())).rejects.toBeInstanceOf(PermanentFailure);
    });

    test('a call stops when its signal says so', async () => {
      const { driver, nowhere } = await amphora();
      const began = Date.now();
      await expect(driver.serve(nowhere, serving('127.90.0.2', null), AbortSignal.timeout(100))).rejects.toThrow(
        TransientFailure,
      );
      expect(Date.now() - began).toBeLessThan(2000);
    });
  });
}
