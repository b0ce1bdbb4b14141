// The compute port: where amphorae run. An instance is named by its amphora's id, so every call can be repeated and
// a step that was lost in a crash finds what it made before.
import type { Apart, InstanceKind, InstancePlace } from '../../domain/amphora/kind.ts';
import type { Offers } from '../../domain/catalogue.ts';
import type { AmphoraId, DeploymentId } from '../../domain/ids.ts';

/** Where the agent of an amphora listens (mutual TLS). */
export interface AgentEndpoint {
  readonly host: string;
  readonly port: number;
}

export interface Instance {
  readonly amphoraId: AmphoraId;
  /** The driver's own name for the instance: a pid, a container id, a server id. */
  readonly computeId: string;
  /** `ACTIVE`: powered on and its address known; the agent may still be starting. */
  readonly status: 'BUILD' | 'ACTIVE' | 'STOPPED' | 'ERROR';
  readonly agent: AgentEndpoint | undefined;
  /** A sentence for operators when status is ERROR; when it is STOPPED, who ended it, unless nobody meant to. */
  readonly fault?: string | undefined;
  /** Where it is, and of what image; absent where the driver does not know. */
  readonly place?: InstancePlace;
}

export interface InstanceRequest {
  readonly amphoraId: AmphoraId;
  readonly deploymentId: DeploymentId;
  /**
   * Files the instance gets before its first start (a config drive): path relative to `/etc/octavia` → content, such as
   * `amphora-agent.conf`, `certs/server.pem`, `certs/client_ca.pem`. Holds secrets: written with mode 0600, never logged.
   */
  readonly files: Readonly<Record<string, string>>;
  /** Of it, what the driver `offers`. All that is null or absent is as the driver has it. */
  readonly kind?: InstanceKind;
  /** Whose machine it is not to share; a driver that knows no machines pays no heed. */
  readonly apartFrom?: Apart;
}

/**
 * All calls fail with TransientFailure or PermanentFailure, stop early when `signal` aborts, and may be repeated.
 */
export interface ComputeDriver {
  readonly name: string;
  /**
   * Whether an instance that `list` does not name certainly does not run. True where the list comes from the kernel or is
   * the world itself; false for a service that may answer from a stale or partial view.
   */
  readonly listsEverything: boolean;
  /**
   * What can be asked of an instance, by flavors and availability zones; nothing else is ever asked. `antiAffinity`: instances are
   * on machines that the driver can tell apart.
   */
  readonly offers: Offers;
  /**
   * Makes the instance `amphora-<id>`, or adopts the one of that name (which keeps the files it was made with).
   * Returns as soon as the instance exists; it may still be in BUILD.
   */
  create(request: InstanceRequest, signal: AbortSignal): Promise<Instance>;
  /** The instance of that amphora; undefined when there is none. */
  get(amphoraId: AmphoraId, signal: AbortSignal): Promise<Instance | undefined>;
  /** Stops and removes the instance. Resolves only when it is known to run no more; no error when there is none. */
  delete(amphoraId: AmphoraId, signal: AbortSignal): Promise<void>;
  /** Every instance that carries this deployment's id. */
  list(signal: AbortSignal): Promise<readonly Instance[]>;
  /** Ends connections the driver holds; instances stay. */
  close(): Promise<void>;
}
