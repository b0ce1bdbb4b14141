// The imagined outside world: instances, ports and what amphorae were told to serve. Holds state and answers calls; the
// network, the log and misbehaviour are around it.
import { X509Certificate } from 'node:crypto';
import { type AmphoraId, deriveId } from '../../domain/ids.ts';
import { servedDigest } from '../../domain/load-balancer/digest.ts';
import type { InstanceKind, InstancePlace } from '../../domain/amphora/kind.ts';
import type { Instance } from '../compute/driver.ts';
import { PermanentFailure, TransientFailure } from '../failure.ts';
import { rangeOf, toAddress } from '../network/subnet.ts';
import { WorldNetwork } from './network.ts';
import type { WireAmphoraInfo, WorldCall, WorldCalls, WorldPlug, WorldState } from './protocol.ts';

/** An instance with the amphora in it. */
export interface WorldInstance {
  readonly amphoraId: string;
  readonly deploymentId: string;
  readonly computeId: string;
  readonly host: string;
  files: Readonly<Record<string, string>>;
  readonly bootedAt: number;
  readonly kind?: InstanceKind;
  readonly place: InstancePlace;
  stopped: boolean;
  silent: boolean;
  /** Load balancer → configuration. */
  readonly configurations: Map<string, string>;
  /** Load balancer → configurations of its UDP and SCTP listeners. */
  readonly lvs: Map<string, readonly string[]>;
  /** Load balancer → address. */
  readonly vips: Map<string, string>;
  /** Load balancer → how that is plugged in. */
  readonly plugs: Map<string, WorldPlug>;
  vrrp: WorldState['instances'][number]['vrrp'];
}

export interface WorldEvents {
  created(instance: WorldInstance): void;
  gone(instance: WorldInstance): void;
  served(instance: WorldInstance): void;
  configured(instance: WorldInstance): void;
}

type Handlers = { [C in WorldCall]: (params: WorldCalls[C]['params']) => WorldCalls[C]['result'] };

export class World {
  bootMs = 0;
  /** Machines that instances are on; 0 for one each. */
  hosts = 0;
  refusedConfigurations: RegExp | undefined;
  readonly #instances = new Map<string, WorldInstance>();
  readonly #network: WorldNetwork;
  /** Address → amphorae that have it. */
  readonly #plugged = new Map<string, Set<string>>();
  #nextHost = rangeOf(managementCidr).first + 1;
  readonly #events: WorldEvents;
  readonly #now: () => number;

  constructor(events: WorldEvents, now: () => number, network = new WorldNetwork(false)) {
    this.#events = events;
    this.#now = now;
    this.#network = network;
  }

  /** @throws TransientFailure, PermanentFailure like the drivers. */
  answer(call: WorldCall, params: unknown): unknown {
    return (this.#handlers[call] as (params: unknown) => unknown)(params);
  }

  /** Other live amphorae that have the VIP of this plugged in. */
  sharers(address: string, amphoraId: string): readonly string[] {
    const all = this.#plugged.get(address) ?? new Set();
    return [...all].filter((other) => other !== amphoraId && this.#instances.get(other)?.stopped === false);
  }

  find(amphoraId: string): WorldInstance | undefined {
    return this.#instances.get(amphoraId);
  }

  kill(amphoraId: string): void {
    const instance = this.#instances.get(amphoraId);
    if (instance === undefined || instance.stopped) return;
    instance.stopped = true;
    this.#events.gone(instance);
  }

  state(): WorldState {
    return {
      instances: [...this.#instances.values()].map((instance) => ({
        amphoraId: instance.amphoraId,
        status: this.#view(instance).status,
        silent: instance.silent,
        vips: [...instance.vips.values()],
        plugs: Object.fromEntries(instance.plugs),
        configurations: Object.fromEntries(instance.configurations),
        lvs: Object.fromEntries(instance.lvs),
        vrrp: instance.vrrp,
        host: instance.place.host,
        kind: instance.kind ?? null,
      })),
      ports: this.#network.addresses(),
    };
  }

  readonly #handlers: Handlers = {
    'compute.create': (request) => {
      const known = this.#instances.get(request.amphoraId);
      if (known !== undefined) return this.#view(known);
      const instance: WorldInstance = {
        ...request,
        computeId: deriveId('noop', 'instance', request.amphoraId),
        host: toAddress(this.#nextHost++),
        bootedAt: this.#now() + this.bootMs,
        place: this.#placeFor(request),
        stopped: false,
        silent: false,
        configurations: new Map(),
        lvs: new Map(),
        vips: new Map(),
        plugs: new Map(),
        vrrp: null,
      };
      this.#instances.set(request.amphoraId, instance);
      this.#events.created(instance);
      return this.#view(instance);
    },
    'compute.get': ({ amphoraId }) => {
      const instance = this.#instances.get(amphoraId);
      return instance === undefined ? null : this.#view(instance);
    },
    'compute.delete': ({ amphoraId }) => {
      const instance = this.#instances.get(amphoraId);
      if (instance === undefined) return null;
      for (const loadBalancerId of instance.vips.keys()) this.#unplug(instance, loadBalancerId);
      this.#instances.delete(amphoraId);
      if (!instance.stopped) this.#events.gone(instance);
      return null;
    },
    'compute.list': ({ deploymentId }) =>
      [...this.#instances.values()].filter((one) => one.deploymentId === deploymentId).map((one) => this.#view(one)),
    'network.subnets': () => this.#network.subnets,
    'network.resolveVip': (request) => this.#network.resolve(request),
    'network.allocateVip': (request) => this.#network.allocate(request),
    'network.plugVip': ({ amphoraId, loadBalancerId, vip, policy }) => {
      const instance = this.#instances.get(amphoraId);
      if (instance === undefined)
        throw new PermanentFailure(`there is no instance amphora-${amphoraId}`, { call: plugging });
      instance.vips.set(loadBalancerId, vip.address);
      const { vnicType = 'normal' } = vip;
      const { rules } = instance.plugs.get(loadBalancerId) ?? {};
      const sriovSubnetIds = policy.sriovSubnetIds ?? [];
      instance.plugs.set(loadBalancerId, { vnicType, sriovSubnetIds, ...(rules !== undefined && { rules }) });
      this.#plugged.set(vip.address, (this.#plugged.get(vip.address) ?? new Set()).add(amphoraId));
      return this.#network.portOf(amphoraId, loadBalancerId, instance.host, vip);
    },
    'network.unplugVip': ({ amphoraId, loadBalancerId }) => {
      const instance = this.#instances.get(amphoraId);
      if (instance !== undefined) this.#unplug(instance, loadBalancerId);
      return null;
    },
    'network.releaseVip': ({ loadBalancerId }) => {
      this.#network.release(loadBalancerId);
      return null;
    },
    'amphora.info': ({ amphoraId }) => infoOf(this.#agent(amphoraId, 'amphora.noop info')),
    'amphora.serve': ({ amphoraId, loadBalancerId, configuration, lvs, vrrp, rules }) => {
      const instance = this.#agent(amphoraId, 'amphora.noop serve');
      const plug = instance.plugs.get(loadBalancerId);
      if (plug !== undefined && rules !== undefined) instance.plugs.set(loadBalancerId, { ...plug, rules });
      const ofLvs = (lvs ?? []).map((listener) => listener.configuration);
      const reason = [configuration ?? '', ...ofLvs]
        .map((text) => this.#refusal(text))
        .find((one) => one !== undefined);
      if (reason !== undefined) return { accepted: false, reason };
      instance.lvs.set(loadBalancerId, ofLvs);
      if (configuration === null) instance.configurations.delete(loadBalancerId);
      else instance.configurations.set(loadBalancerId, configuration);
      if (vrrp !== undefined) {
        const { address, peerAddress, priority } = vrrp;
        instance.vrrp = { address, peerAddress, priority };
      }
      this.#events.served(instance);
      return { accepted: true };
    },
    'amphora.withdraw': ({ amphoraId, loadBalancerId }) => {
      const instance = this.#agent(amphoraId, 'amphora.noop withdraw');
      instance.configurations.delete(loadBalancerId);
      instance.lvs.delete(loadBalancerId);
      this.#events.served(instance);
      return null;
    },
    'amphora.handOver': ({ amphoraId }) => {
      this.#agent(amphoraId, 'amphora.noop handOver').vrrp = null;
      return null;
    },
    'amphora.configure': ({ amphoraId, agentConfiguration }) => {
      const instance = this.#agent(amphoraId, 'amphora.noop configure');
      instance.files = { ...instance.files, 'amphora-agent.conf': agentConfiguration };
      this.#events.configured(instance);
      return null;
    },
    'amphora.certify': ({ amphoraId, certificatePem }) => {
      const instance = this.#agent(amphoraId, 'amphora.noop certify');
      instance.files = { ...instance.files, 'certs/server.pem': certificatePem };
      return null;
    },
    'amphora.configurationDigest': ({ amphoraId, loadBalancerId }) => {
      const { configurations, lvs } = this.#agent(amphoraId, 'amphora.noop configurationDigest');
      return servedDigest(configurations.get(loadBalancerId) ?? null, lvs.get(loadBalancerId) ?? []) ?? null;
    },
  };

  /** The machine with the fewest instances, of those that are apart from others that are named. */
  #placeFor({ amphoraId, kind, apartFrom }: WorldCalls['compute.create']['params']): InstancePlace {
    const zone = kind?.computeZone ?? 'nova';
    const imageId = deriveId<string>('noop', 'image', kind?.imageTag ?? 'amphora');
    if (this.hosts === 0) return { host: `host-of-${amphoraId}`, zone, imageId };
    const counts = new Map<string, number>(Array.from({ length: this.hosts }, (_, index) => [`host-${index}`, 0]));
    const shunned = new Set<string | null>();
    for (const { amphoraId: id, place } of this.#instances.values()) {
      const count = counts.get(place.host ?? '');
      if (count !== undefined) counts.set(place.host ?? '', count + 1);
      if (apartFrom?.amphorae.includes(id as AmphoraId) === true) shunned.add(place.host);
    }
    const byLoad = [...counts].toSorted(([, one], [, other]) => one - other).map(([host]) => host);
    const host = byLoad.find((one) => !shunned.has(one)) ?? (apartFrom?.isHard === true ? undefined : byLoad[0]);
    if (host === undefined)
      throw new TransientFailure('no host is apart from the others', { call: 'compute.noop create' });
    return { host, zone, imageId };
  }

  #view({ amphoraId, computeId, host, bootedAt, stopped, place }: WorldInstance): Instance {
    const booted = this.#now() >= bootedAt;
    const status = stopped ? 'STOPPED' : booted ? 'ACTIVE' : 'BUILD';
    const agent = status === 'ACTIVE' ? { host, port: 9443 } : undefined;
    return { amphoraId: amphoraId as Instance['amphoraId'], computeId, status, agent, place };
  }

  #agent(amphoraId: string, call: string): WorldInstance {
    const instance = this.#instances.get(amphoraId);
    if (instance !== undefined && this.#view(instance).status === 'ACTIVE') return instance;
    throw new TransientFailure(`the agent of amphora ${amphoraId} does not answer`, { call });
  }

  #refusal(configuration: string): string | undefined {
    const pattern = this.refusedConfigurations;
    if (pattern === undefined) return undefined;
    const lines = configuration.split('\n');
    const index = lines.findIndex((line) => pattern.test(line));
    if (index === -1) return undefined;
    return `[ALERT] config : parsing [haproxy.cfg:${index + 1}] : '${lines[index]?.trim()}' is refused by the noop world.`;
  }

  #unplug(instance: WorldInstance, loadBalancerId: string): void {
    const address = instance.vips.get(loadBalancerId);
    instance.vips.delete(loadBalancerId);
    instance.plugs.delete(loadBalancerId);
    const plugged = this.#plugged.get(address ?? '');
    plugged?.delete(instance.amphoraId);
    if (plugged?.size === 0) this.#plugged.delete(address ?? '');
  }
}

const managementCidr = '172.16.0.0/12';
const plugging = 'network.noop plugVip';

/** A world that was given no certificate answers with an empty fingerprint. */
function infoOf({ amphoraId, files }: WorldInstance): WireAmphoraInfo {
  const hostname = `amphora-${amphoraId}`;
  const pem = files['certs/server.pem'];
  if (pem === undefined || !pem.includes('BEGIN CERTIFICATE')) {
    return { hostname, certificateFingerprint: '', certificateExpiresAt: 0 };
  }
  const certificate = new X509Certificate(pem);
  const certificateFingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
  return { hostname, certificateFingerprint, certificateExpiresAt: Date.parse(certificate.validTo) };
}
