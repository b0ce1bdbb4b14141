// What listeners and pools ask of a certificate manager: references by what stands behind them. Contents are never part of
// the domain's state.
import type { ListenerAttributes, ListenerTls, PoolAttributes, PoolTls, ServedTree } from './attributes.ts';

/** No TLS with clients: what every other protocol has. */
export const noListenerTls: ListenerTls = {
  defaultTlsContainerRef: null,
  sniContainerRefs: [],
  clientAuthentication: 'NONE',
  clientCaTlsContainerRef: null,
  clientCrlContainerRef: null,
  tlsCiphers: null,
  tlsVersions: [],
  alpnProtocols: [],
  hstsMaxAge: null,
  hstsIncludeSubdomains: false,
  hstsPreload: false,
};

/** No TLS with members. */
export const noPoolTls: PoolTls = {
  tlsEnabled: false,
  tlsContainerRef: null,
  caTlsContainerRef: null,
  crlContainerRef: null,
  tlsCiphers: null,
  tlsVersions: [],
  alpnProtocols: [],
};

/** What stands behind a reference: a certificate with its key, certificates of authorities, or a list of revoked ones. */
export type SecretKind = 'certificate' | 'authority' | 'revocations';

export interface SecretUse {
  /** The attribute that has the reference. */
  readonly field: string;
  readonly ref: string;
  readonly kind: SecretKind;
  /** Of revocations: the attribute and reference of the authorities that must have signed them. */
  readonly authority?: { readonly field: string; readonly ref: string };
}

const kinds: Readonly<Record<string, SecretKind>> = {
  defaultTlsContainerRef: 'certificate',
  sniContainerRefs: 'certificate',
  clientCaTlsContainerRef: 'authority',
  clientCrlContainerRef: 'revocations',
  tlsContainerRef: 'certificate',
  caTlsContainerRef: 'authority',
  crlContainerRef: 'revocations',
};

const authorityOf: Readonly<Record<string, string>> = {
  clientCrlContainerRef: 'clientCaTlsContainerRef',
  crlContainerRef: 'caTlsContainerRef',
};

/** The references among some attributes of a listener or a pool, in the order of the attributes. */
export function secretsIn(attributes: object): readonly SecretUse[] {
  return Object.entries(attributes).flatMap(([field, value]: [string, unknown]) => {
    const kind = kinds[field];
    if (kind === undefined) return [];
    const refs = (Array.isArray(value) ? value : [value]).filter((ref) => typeof ref === 'string');
    const authority = authorityIn(attributes as Readonly<Record<string, unknown>>, field);
    return refs.map((ref) => ({ field, ref, kind, ...authority }));
  });
}

function authorityIn(attributes: Readonly<Record<string, unknown>>, of: string): Pick<SecretUse, 'authority'> {
  const field = authorityOf[of] ?? '';
  const ref = attributes[field];
  return typeof ref === 'string' ? { authority: { field, ref } } : {};
}

/** Whether a change names a reference: what stands behind it may be new though the reference is not. */
export function namesSecrets(patch: object): boolean {
  return secretsIn(patch).length > 0;
}

/** Whether clients speak TLS with haproxy itself. */
export function terminatesTls({ protocol, defaultTlsContainerRef, sniContainerRefs }: ListenerAttributes): boolean {
  const hasCertificate = defaultTlsContainerRef !== null || sniContainerRefs.length > 0;
  return protocol === 'TERMINATED_HTTPS' || (protocol === 'PROMETHEUS' && hasCertificate);
}

/** References whose contents a tree is served with, each once; of what is down, nothing is served. */
export function secretsOf(tree: ServedTree): readonly SecretUse[] {
  const listeners = tree.listeners.filter((listener) => listener.adminStateUp && terminatesTls(listener));
  const pools = tree.pools.filter((pool) => pool.adminStateUp && pool.tlsEnabled);
  const uses = tree.adminStateUp ? [...listeners, ...pools].flatMap(secretsOfObject) : [];
  return [...new Map(uses.map((use) => [secretKey(use), use])).values()];
}

function secretsOfObject(object: ListenerAttributes | PoolAttributes): readonly SecretUse[] {
  return secretsIn(object);
}

/** One reference may be used as a certificate here and as an authority there. */
export function secretKey({ kind, ref }: Pick<SecretUse, 'kind' | 'ref'>): string {
  return `${kind} ${ref}`;
}
