// Drivers whose world is this process's memory. Calls are recorded; each can be told to fail, to hang, or to succeed
// without saying so.
import { causesOf } from '../../src/domain/causes.ts';
import type { AmphoraDriver, ServeRequest, ServeResult } from '../../src/drivers/amphora/driver.ts';
import type { CertificateDriver } from '../../src/drivers/certificate/driver.ts';
import type { CertificateManager } from '../../src/drivers/certificate-manager/driver.ts';
import type { ComputeDriver, Instance } from '../../src/drivers/compute/driver.ts';
import { PermanentFailure, TransientFailure } from '../../src/drivers/failure.ts';
import type { NetworkDriver, Vip } from '../../src/drivers/network/driver.ts';

export type Misbehaviour = 'fail' | 'hang' | 'succeed-silently';

export class FakeWorld {
  readonly instances = new Map<string, Instance>();
  readonly vips = new Map<string, Vip>();
  /** Amphora → what it was told to serve last. */
  readonly served = new Map<string, ServeRequest>();
  /** Amphora → load balancers that it serves. */
  readonly serving = new Map<string, Set<string>>();
  /** Amphora → the agent's configuration that it was given last. */
  readonly configured = new Map<string, string>();
  /** Fingerprints, where certificates would be. */
  readonly certified = new Map<string, string>();
  readonly calls: string[] = [];
  /** The same calls, with the commands that they were made for. */
  readonly madeFor = new Map<string, readonly string[]>();
  /** Every other one is there. */
  readonly missingSubnets = new Set<string>();
  /** Call name → what its next calls do, in order. */
  readonly misbehave = new Map<string, Misbehaviour[]>();
  /** Configurations that contain this text are refused. */
  refuses: string | undefined;
  /** Amphora → text of configurations that it alone refuses. */
  readonly refusesOne = new Map<string, string>();
  /** Held by a test while calls of that name shall wait. */
  readonly gates = new Map<string, Promise<void>>();
  #nextAddress = 10;
  #issued = 0;

  async #call<T>(name: string, key: string, signal: AbortSignal, effect: () => T): Promise<T> {
    this.calls.push(`${name} ${key}`);
    this.madeFor.set(`${name} ${key}`, causesOf(signal));
    await this.gates.get(name);
    signal.throwIfAborted();
    const behaviour = this.misbehave.get(name)?.shift();
    if (behaviour === 'fail') throw new TransientFailure(`${name} was told to fail`, { call: `fake ${name}` });
    if (behaviour === 'hang') return new Promise<T>(() => undefined);
    const result = effect();
    return behaviour === 'succeed-silently' ? new Promise<T>(() => undefined) : result;
  }

  readonly compute: ComputeDriver = {
    name: 'fake',
    listsEverything: true,
    offers: [],
    create: ({ amphoraId }, signal) =>
      this.#call('compute.create', amphoraId, signal, () => {
        const host = '127.0.0.1';
        const made = { amphoraId, computeId: `c-${amphoraId}`, status: 'ACTIVE', agent: { host, port: 9443 } } as const;
        const instance = this.instances.get(amphoraId) ?? made;
        this.instances.set(amphoraId, instance);
        return instance;
      }),
    get: (amphoraId, signal) => this.#call('compute.get', amphoraId, signal, () => this.instances.get(amphoraId)),
    delete: (amphoraId, signal) =>
      this.#call('compute.delete', amphoraId, signal, () => {
        this.instances.delete(amphoraId);
        this.served.delete(amphoraId);
        this.serving.delete(amphoraId);
      }),
    list: (signal) => this.#call('compute.list', '', signal, () => [...this.instances.values()]),
    close: async () => undefined,
  };

  readonly network: NetworkDriver = {
    name: 'fake',
    offers: { qosPolicies: true, securityGroups: true, sriovPorts: true },
    subnets: async () => [],
    resolveVip: async ({ subnetId, address }) =>
      subnetId !== null && this.missingSubnets.has(subnetId)
        ? { ok: false, field: 'vipSubnetId', reason: `there is no subnet ${subnetId}` }
        : { ok: true, subnetId: 'subnet', networkId: 'network', address },
    allocateVip: ({ loadBalancerId, subnetId, address, taken }, signal) =>
      this.#call('network.allocateVip', loadBalancerId, signal, () => {
        const known = this.vips.get(loadBalancerId);
        if (known !== undefined && !taken.includes(known.address)) return known;
        const offered = address ?? `10.0.0.${this.#nextAddress++}`;
        const vip = { portId: `port-${loadBalancerId}`, address: offered, subnetId, networkId: 'network' };
        this.vips.set(loadBalancerId, vip);
        return vip;
      }),
    plugVip: ({ amphoraId }, signal) =>
      this.#call('network.plugVip', amphoraId, signal, () => ({
        subnetCidr: '10.0.0.0/24',
        gateway: null,
        macAddress: 'fa:16:3e:00:00:01',
        vrrpAddress: `own-${amphoraId}`,
        portId: null,
        mtu: null,
      })),
    unplugVip: ({ amphoraId }, signal) => this.#call('network.unplugVip', amphoraId, signal, () => undefined),
    releaseVip: (loadBalancerId, signal) =>
      this.#call('network.releaseVip', loadBalancerId, signal, () => void this.vips.delete(loadBalancerId)),
    close: async () => undefined,
  };

  readonly amphora: AmphoraDriver = {
    name: 'fake',
    info: ({ amphoraId }, signal) =>
      this.#call('amphora.info', amphoraId, signal, () => {
        if (!this.instances.has(amphoraId)) throw new TransientFailure('not reachable', { call: 'fake info' });
        return {
          apiVersion: '1.0',
          hostname: `amphora-${amphoraId}`,
          haproxyVersion: '2.6.12',
          certificateFingerprint: this.certified.get(amphoraId) ?? 'ab',
          certificateExpiresAt: new Date('2030-01-01T00:00:00Z'),
        };
      }),
    serve: ({ amphoraId }, request, signal): Promise<ServeResult> =>
      this.#call('amphora.serve', amphoraId, signal, () => {
        const refused = this.refusesOne.get(amphoraId) ?? this.refuses;
        if (refused !== undefined && request.configuration?.includes(refused) === true) {
          return { accepted: false, reason: `haproxy does not know ${refused}` } as const;
        }
        this.served.set(amphoraId, request);
        this.serving.set(amphoraId, (this.serving.get(amphoraId) ?? new Set()).add(request.loadBalancerId));
        return { accepted: true } as const;
      }),
    withdraw: ({ amphoraId }, { loadBalancerId }, signal) =>
      this.#call('amphora.withdraw', amphoraId, signal, () => void this.serving.get(amphoraId)?.delete(loadBalancerId)),
    handOver: ({ amphoraId }, signal) => this.#call('amphora.handOver', amphoraId, signal, () => undefined),
    configure: ({ amphoraId }, agentConfiguration, signal) =>
      this.#call('amphora.configure', amphoraId, signal, () => void this.configured.set(amphoraId, agentConfiguration)),
    certify: ({ amphoraId }, serverPem, signal) =>
      this.#call('amphora.certify', amphoraId, signal, () => void this.certified.set(amphoraId, serverPem.trim())),
    configurationDigest: async () => undefined,
    close: async () => undefined,
  };

  /** What stands behind references; those of `missing` are not there. */
  readonly missing = new Set<string>();
  readonly certificateManager: CertificateManager = {
    name: 'fake',
    fetch: ({ ref, kind }, signal) =>
      this.#call('certificateManager.fetch', ref, signal, () => {
        if (this.missing.has(ref)) throw new PermanentFailure(`${ref} is not there`, { call: 'fake fetch' });
        return `${kind} of ${ref}\n`;
      }),
    close: async () => undefined,
  };

  readonly certificate: CertificateDriver = {
    name: 'fake',
    issue: async () => {
      const fingerprint = `fingerprint ${++this.#issued}`;
      return {
        certificatePem: '',
        privateKeyPem: fingerprint,
        fingerprint,
        expiresAt: new Date('2031-01-01T00:00:00Z'),
      };
    },
    clientCaPem: () => '',
    controllerCredentials: () => ({ certificatePem: '', privateKeyPem: '', serverCaPem: '' }),
  };
}
