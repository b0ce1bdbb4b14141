// The certificate port: the CA that signs amphorae's server certificates and the controller's client certificate.
import type { AmphoraId } from '../../domain/ids.ts';

export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** SHA-256 of the DER, hex. */
  readonly fingerprint: string;
  readonly expiresAt: Date;
}

/** PEM texts that let the controller talk to agents. */
export interface ControllerCredentials {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** The CA that signed amphorae's certificates. */
  readonly serverCaPem: string;
}

export interface CertificateDriver {
  readonly name: string;
  /**
   * A key pair and a certificate named by the amphora's id (subject CN and SAN dNSName), valid for the days that the
   * settings say. Every call makes a new key; the caller hands it over and forgets it.
   */
  issue(amphoraId: AmphoraId, signal: AbortSignal): Promise<IssuedCertificate>;
  /** The CA that agents shall trust for clients, PEM. */
  clientCaPem(): string;
  controllerCredentials(): ControllerCredentials;
}
