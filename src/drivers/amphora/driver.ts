// The amphora port: what the controller says to the agent inside an amphora.
import type { TlsFile } from '../../domain/haproxy/tls.ts';
import type { InterfaceRule } from '../../domain/interface-rules.ts';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import type { LvsListener } from '../../domain/lvs/render.ts';
import type { VrrpInstance } from '../../domain/vrrp/keepalived.ts';
import type { AgentEndpoint } from '../compute/driver.ts';
import type { PluggedPort } from '../network/driver.ts';

/** Whom to talk to: the agent at `endpoint` must prove by its certificate to be `amphoraId`. */
export interface AmphoraAddress {
  readonly amphoraId: AmphoraId;
  readonly endpoint: AgentEndpoint;
}

export interface AmphoraInfo {
  readonly apiVersion: string;
  readonly hostname: string;
  readonly haproxyVersion: string;
  /** SHA-256 of the certificate the agent showed, hex. */
  readonly certificateFingerprint: string;
  readonly certificateExpiresAt: Date;
}

export interface ServeRequest {
  readonly loadBalancerId: LoadBalancerId;
  readonly vipAddress: string;
  readonly port: PluggedPort;
  /** What the agent's own filter lets through to the port; given for a port of SR-IOV, where nothing else comes in. */
  readonly rules?: readonly InterfaceRule[];
  /** haproxy.cfg, or null when nothing shall be served: haproxy is then stopped and removed. */
  readonly configuration: string | null;
  /** What the configuration names of certificates, keys and lists. */
  readonly files: readonly TlsFile[];
  /** What LVS shall balance, all of it; null when this load balancer never had any, so that nobody need look. */
  readonly lvs: readonly LvsListener[] | null;
  /** Of one of a pair: what decides which of the two has the VIP. Absent: left as it is. Holds a secret. */
  readonly vrrp?: VrrpInstance;
}

export type ServeResult =
  | { readonly accepted: true }
  /** The amphora said no and goes on with what it had; `reason` is what haproxy printed. */
  | { readonly accepted: false; readonly reason: string };

/** What an amphora holds for a load balancer: its haproxy, and, if `hasLvs`, maybe listeners of LVS. */
export interface HeldBy {
  readonly loadBalancerId: LoadBalancerId;
  readonly hasLvs: boolean;
}

/**
 * All calls fail with TransientFailure or PermanentFailure, stop early when `signal` aborts, and may be repeated.
 */
export interface AmphoraDriver {
  readonly name: string;
  /** Answers when the agent is up. TransientFailure while it is not. */
  info(amphora: AmphoraAddress, signal: AbortSignal): Promise<AmphoraInfo>;
  /**
   * Makes the amphora serve exactly `configuration` and `lvs` on the VIP: plug, upload files and configurations, start or
   * reload, in this order, each left out where the amphora has it already. Files that are not needed any more are removed. One
   * of a pair takes the VIP when the two have agreed on that. A refusal is a result, not a failure.
   */
  serve(amphora: AmphoraAddress, request: ServeRequest, signal: AbortSignal): Promise<ServeResult>;
  /**
   * Has the amphora serve nothing of this load balancer any more. What it serves of others stays. Without `hasLvs`, nobody looks for
   * listeners of LVS.
   */
  withdraw(amphora: AmphoraAddress, held: HeldBy, signal: AbortSignal): Promise<void>;
  /** Has one of a pair leave the VIP to the other one at once. It tells nothing of itself any more, and is to be deleted. */
  handOver(amphora: AmphoraAddress, signal: AbortSignal): Promise<void>;
  /** Gives the agent another amphora-agent.conf: it sends its heartbeats where that says from now on. */
  configure(amphora: AmphoraAddress, agentConfiguration: string, signal: AbortSignal): Promise<void>;
  /**
   * Gives the agent another certificate with its key, PEM: it shows that one from the next connection on. Names the same amphora,
   * of the same authority. A failure leaves the outcome open: `info` tells.
   */
  certify(amphora: AmphoraAddress, serverPem: string, signal: AbortSignal): Promise<void>;
  /**
   * `servedDigest` of what the amphora holds for this load balancer; undefined when it holds nothing. Without `hasLvs`, nobody looks
   * for listeners of LVS.
   */
  configurationDigest(amphora: AmphoraAddress, held: HeldBy, signal: AbortSignal): Promise<string | undefined>;
  close(): Promise<void>;
}
