// The certificate manager port: who keeps the certificates, keys and lists that users refer to. Contents are fetched for one
// push and forgotten; nothing of this service writes them anywhere but to amphorae.
import type { SecretKind } from '../../domain/load-balancer/tls.ts';

export interface SecretRequest {
  /** As the user gave it. */
  readonly ref: string;
  readonly kind: SecretKind;
  /** Project of the load balancer that is to serve it. */
  readonly projectId: string;
  /** Token of the user who refers to it, and must be allowed to read it; without, nobody is asked. */
  readonly userToken?: string | undefined;
}

/**
 * Fails with TransientFailure (the manager cannot be asked) or PermanentFailure (there is nothing of that name, or it cannot
 * be served), with a message that names the reference and shows nothing of the content. Stops early when `signal` aborts.
 */
export interface CertificateManager {
  readonly name: string;
  /**
   * The content as haproxy reads it, PEM, checked: of a `certificate` the certificate, its key without a passphrase, and the
   * chain; of an `authority` certificates; of `revocations` lists.
   */
  fetch(request: SecretRequest, signal: AbortSignal): Promise<string>;
  close(): Promise<void>;
}
