// What nodes and tests say to the noop world, and what it answers: JSON, one message a line, over TCP on loopback.
// Requests carry an id, so many may be under way on one connection.
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import type { InterfaceRule } from '../../domain/interface-rules.ts';
import type { InstanceKind } from '../../domain/amphora/kind.ts';
import type { VnicType } from '../../domain/load-balancer/attributes.ts';
import type { ServeRequest, ServeResult } from '../amphora/driver.ts';
import type { Instance, InstanceRequest } from '../compute/driver.ts';
import type { AllocateVip, PluggedPort, PlugVip, Subnet, Vip, VipRequest, VipResolution } from '../network/driver.ts';

/** The calls of the three drivers: what goes in and what comes out. */
export interface WorldCalls {
  'compute.create': { params: InstanceRequest; result: Instance };
  'compute.get': { params: { readonly amphoraId: AmphoraId }; result: Instance | null };
  'compute.delete': { params: { readonly amphoraId: AmphoraId }; result: null };
  'compute.list': { params: { readonly deploymentId: string }; result: readonly Instance[] };
  'network.subnets': { params: object; result: readonly Subnet[] };
  'network.resolveVip': { params: VipRequest; result: VipResolution };
  'network.allocateVip': { params: AllocateVip; result: Vip };
  'network.plugVip': { params: PlugVip; result: PluggedPort };
  'network.unplugVip': { params: Omit<PlugVip, 'policy'>; result: null };
  'network.releaseVip': { params: { readonly loadBalancerId: LoadBalancerId }; result: null };
  'amphora.info': { params: { readonly amphoraId: AmphoraId }; result: WireAmphoraInfo };
  'amphora.serve': { params: Omit<ServeRequest, 'files'> & { readonly amphoraId: AmphoraId }; result: ServeResult };
  'amphora.withdraw': {
    params: { readonly amphoraId: AmphoraId; readonly loadBalancerId: LoadBalancerId };
    result: null;
  };
  'amphora.handOver': { params: { readonly amphoraId: AmphoraId }; result: null };
  'amphora.configure': {
    params: { readonly amphoraId: AmphoraId; readonly agentConfiguration: string };
    result: null;
  };
  'amphora.certify': {
    params: { readonly amphoraId: AmphoraId; readonly certificatePem: string };
    result: null;
  };
  'amphora.configurationDigest': {
    params: { readonly amphoraId: AmphoraId; readonly loadBalancerId: LoadBalancerId };
    result: string | null;
  };
}

export type WorldCall = keyof WorldCalls;

export interface WireAmphoraInfo {
  readonly hostname: string;
  readonly certificateFingerprint: string;
  /** Milliseconds since the epoch. */
  readonly certificateExpiresAt: number;
}

/** How long calls take, in milliseconds: always the same, or spread evenly. */
export type Latency = number | { readonly from: number; readonly to: number };

/**
 * How a call goes wrong. `fail`: TransientFailure without effect. `refuse`: PermanentFailure without effect. `hang`: no
 * effect, no answer. `loseAnswer`: the effect takes place, no answer. `failAfter`: the effect takes place, then TransientFailure.
 */
export type Fault = 'fail' | 'refuse' | 'hang' | 'loseAnswer' | 'failAfter';

export interface Behaviour {
  /** `*` stands for every call. A later rule beats an earlier one. */
  readonly call: WorldCall | '*';
  /** Only calls for this amphora or load balancer. */
  readonly key?: string;
  readonly latency?: Latency;
  readonly fault?: Fault;
  /** The fault strikes the next n calls only. */
  readonly next?: number;
  /** The fault strikes with this probability; 1 when absent. */
  readonly probability?: number;
}

/** What tests tell the world. Takes effect at once; not written to the log of calls. */
export interface WorldControls {
  behave: { params: Behaviour; result: null };
  /** Forgets all behaviours and refusals. */
  behaveWell: { params: object; result: null };
  /** Begins the random numbers, for latencies and probabilities, anew. */
  seed: { params: { readonly seed: number }; result: null };
  /** Amphorae refuse configurations with a line that matches; null ends it. */
  refuseConfigurations: { params: { readonly pattern: string | null }; result: null };
  /** Machines for instances made from now on; 0 for one each, as in the beginning. */
  hosts: { params: { readonly count: number }; result: null };
  /** Milliseconds from create to ACTIVE, for instances made from now on. */
  bootTime: { params: { readonly ms: number }; result: null };
  /** How long heartbeats are on their way from now on, and with which probability each is lost there; 0 in the beginning. */
  carryHeartbeats: { params: { readonly delay: Latency; readonly loss: number }; result: null };
  /** Stops (true) or resumes the heartbeats of an amphora, which otherwise goes on. */
  silence: { params: { readonly amphoraId: string; readonly silent: boolean }; result: null };
  /** The instance dies: no heartbeats, no agent. It is still there, STOPPED, until it is deleted. */
  kill: { params: { readonly amphoraId: string }; result: null };
  state: { params: object; result: WorldState };
}

export type WorldControl = keyof WorldControls;

export interface WorldPlug {
  readonly vnicType: VnicType;
  /** Subnets of members that have a port of SR-IOV. */
  readonly sriovSubnetIds: readonly string[];
  /** What the agent's own filter lets through, as it was told last; absent when it was told nothing. */
  readonly rules?: readonly InterfaceRule[];
}

export interface WorldState {
  readonly instances: readonly {
    readonly amphoraId: string;
    readonly status: Instance['status'];
    readonly silent: boolean;
    /** VIP addresses that are plugged in. */
    readonly vips: readonly string[];
    /** Load balancer → how its VIP is plugged in here, as of the last call. */
    readonly plugs: Readonly<Record<string, WorldPlug>>;
    /** Load balancer → configuration. */
    readonly configurations: Readonly<Record<string, string>>;
    /** Load balancer → configurations of its UDP and SCTP listeners. */
    readonly lvs: Readonly<Record<string, readonly string[]>>;
    /** Of one of a pair: its own address, and that of the other one as it was told last. Null for one that stands alone. */
    readonly vrrp: { readonly address: string; readonly peerAddress: string | null; readonly priority: number } | null;
    readonly host: string | null;
    readonly kind: InstanceKind | null;
  }[];
  /** Load balancer → VIP address. */
  readonly ports: Readonly<Record<string, string>>;
}

export interface CallRequest {
  readonly id: number;
  readonly call: WorldCall;
  readonly params: unknown;
  readonly node: string;
  readonly epoch: number | null;
  /** Ids of the commands it is made for; from nodes that tell. */
  readonly commands?: readonly string[];
}

export interface ControlRequest {
  readonly id: number;
  readonly control: WorldControl;
  readonly params: unknown;
}

export type WorldRequest = CallRequest | ControlRequest;

export type WorldReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: 'transient' | 'permanent'; readonly message: string };

/** A line of the log of calls. */
export interface CallRecord {
  /** Milliseconds since the epoch, when the effect took place. */
  readonly at: number;
  readonly node: string;
  readonly epoch: number | null;
  readonly call: WorldCall;
  /** The amphora or load balancer it was about; null for calls about neither. */
  readonly key: string | null;
  /** The load balancer for whose sake, when `key` is an amphora. */
  readonly loadBalancer?: string;
  /** `ok`, `refused` (a configuration), `transient: …`, `permanent: …` or `hang`. */
  readonly result: string;
  /** Ids of the commands it was made for; absent for none. */
  readonly commands?: readonly string[];
  /** True when the effect took place but the caller was not told. */
  readonly unanswered?: true;
  /** Other live amphorae that have the same VIP plugged in at this moment. */
  readonly sharedWith?: readonly string[];
}

/** Splits a stream of text into lines. */
export function lineReader(onLine: (line: string) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  };
}
