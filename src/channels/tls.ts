// TLS of the control port, both sides: PEM files read and checked, so that what is wrong is said at the start and by name.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** What a server shows, and whom it knows. PEM. */
export interface ServerTls {
  readonly certificate: string;
  readonly key: string;
  /** Clients with a certificate signed by one of these need no token. */
  readonly clientCa: string | undefined;
}

/** What a client trusts, and what it shows. PEM. */
export interface ClientTls {
  /** Authorities instead of those that Node knows. */
  readonly ca?: string | undefined;
  /** The one certificate that the server must show, whatever name is in it; instead of `ca`. */
  readonly pinned?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server is asked for, and must have, instead of its address. */
  readonly serverName?: string | undefined;
}

/** A file that TLS cannot be made with; the message names it and says why. */
export class TlsFileError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'TlsFileError';
  }
}

/** A file with what its reader calls it, such as the setting that names it. */
export interface NamedFile {
  readonly name: string;
  readonly path: string;
}

/** A certificate and its key. @throws TlsFileError when one cannot be read, is not PEM, or they are no pair */
export function readKeyPair(certificate: NamedFile, key: NamedFile): { certificate: string; key: string } {
  const certificatePem = readCertificates(certificate);
  const keyPem = read(key);
  const privateKey = parsed(key, 'a private key in PEM without a passphrase', () => createPrivateKey(keyPem));
  if (!belongs(certificatePem, privateKey)) {
    throw new TlsFileError(`${key.name}: ${key.path} is not the key of the certificate in ${certificate.path}`);
  }
  return { certificate: certificatePem, key: keyPem };
}

/** One certificate or several. @throws TlsFileError when the file cannot be read or is not PEM */
export function readCertificates(file: NamedFile): string {
  const pem = read(file);
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [''];
  for (const block of blocks) parsed(file, 'certificates in PEM', () => new X509Certificate(block));
  return pem;
}

function read({ name, path }: NamedFile): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new TlsFileError(`${name}: ${path} cannot be read: ${(error as Error).message}`, error);
  }
}

function parsed<T>({ name, path }: NamedFile, expected: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    // Not the cause: it may quote the file.
    throw new TlsFileError(`${name}: expected ${expected}, ${path} holds something else`);
  }
}

function belongs(certificatePem: string, key: KeyObject): boolean {
  return new X509Certificate(certificatePem).checkPrivateKey(key);
}

/** Options for `tls.connect`. */
export function tlsOptions({ ca, pinned, certificate, key, serverName }: ClientTls): object {
  const shown = { cert: certificate, key, ...(serverName === undefined ? {} : { servername: serverName }) };
  if (pinned === undefined) return { ...shown, ca };
  const { fingerprint256 } = new X509Certificate(pinned);
  return {
    ...shown,
    ca: pinned,
    // It need not be an authority's.
    allowPartialTrustChain: true,
    checkServerIdentity: (_: string, peer: { readonly fingerprint256: string }) =>
      peer.fingerprint256 === fingerprint256
        ? undefined
        : new Error('it shows another certificate than it started with'),
  };
}
