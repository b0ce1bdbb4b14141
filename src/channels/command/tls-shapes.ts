// The TLS attributes of listeners and pools as the command channel takes them. What is not given follows from the settings
// (`tls.…`) where TLS is spoken, and is nothing elsewhere: see tls.ts.
import { z } from 'zod';
import {
  alpnProtocols,
  type ListenerTls,
  type PoolTls,
  type TlsTerms,
  tlsVersions,
} from '../../domain/load-balancer/attributes.ts';
import { noListenerTls, noPoolTls } from '../../domain/load-balancer/tls.ts';
import { flag, oneOf, orNull, textLike, value, wholeNumber } from '../rpc/values.ts';
import { optional, type Shape } from './attributes.ts';

/** Certificates that a listener shows by name. */
const mostSni = 250;
const longestHsts = 2_147_483_647;

const refText = z.string().regex(/^[\x21-\x7e]{1,255}$/);
const ref = orNull(
  value('A reference of 1 to 255 characters, such as file:web or the URL of a secret of Barbican.', refText),
);

const refs = value(`A list of at most ${mostSni} references.`, z.array(refText).max(mostSni).readonly());

/** Also of what stands on the command line of no shell: a name is letters, digits and the signs of OpenSSL's cipher strings. */
const ciphers = orNull(textLike('An OpenSSL cipher string of 1 to 2048 characters.', /^[A-Za-z0-9+!:@=_.-]+$/, 2048));

function listOf<const T extends readonly [string, ...string[]]>(choices: T) {
  return value(
    `A list of ${choices.join(', ')}, none of them twice.`,
    z
      .array(z.enum(choices))
      .refine((given) => new Set(given).size === given.length)
      .readonly(),
  );
}

function terms(settings: string): Shape<TlsTerms> {
  return {
    tlsCiphers: optional(ciphers, null, `Ciphers, those of TLS 1.3 among them. \`${settings}Ciphers\` unless given.`),
    tlsVersions: optional(listOf(tlsVersions), [], `Versions of TLS. \`${settings}Versions\` unless given.`),
    alpnProtocols: optional(
      listOf(alpnProtocols),
      [],
      `Protocols offered by ALPN, the preferred first. \`${settings}Alpn\` unless given.`,
    ),
  };
}

export const listenerTls: Shape<ListenerTls> = {
  ...terms('tls.listener'),
  defaultTlsContainerRef: optional(
    ref,
    null,
    'Certificate and key for clients that name no host, or one that no other certificate is for (TERMINATED_HTTPS; needed there without SNI references). Naming it again serves what is behind it now.',
  ),
  sniContainerRefs: optional(refs, [], 'Certificates and keys, chosen by the host that clients name (SNI).'),
  clientAuthentication: optional(
    oneOf(['NONE', 'OPTIONAL', 'MANDATORY']),
    noListenerTls.clientAuthentication,
    'Whether clients show a certificate.',
  ),
  clientCaTlsContainerRef: optional(ref, null, 'Authorities that sign the certificates of clients.'),
  clientCrlContainerRef: optional(ref, null, 'Certificates of clients that were revoked; needs the authorities.'),
  hstsMaxAge: optional(
    orNull(wholeNumber({ min: 0, max: longestHsts })),
    noListenerTls.hstsMaxAge,
    'Seconds for which browsers shall come by HTTPS only (Strict-Transport-Security); no such header when null.',
  ),
  hstsIncludeSubdomains: optional(flag(), noListenerTls.hstsIncludeSubdomains, 'Also to subdomains.'),
  hstsPreload: optional(flag(), noListenerTls.hstsPreload, "Whether it may be in browsers' lists."),
};

export const poolTls: Shape<PoolTls> = {
  ...terms('tls.pool'),
  tlsEnabled: optional(flag(), noPoolTls.tlsEnabled, 'Whether members are spoken to by TLS.'),
  tlsContainerRef: optional(ref, null, 'Certificate and key that are shown to members.'),
  caTlsContainerRef: optional(
    ref,
    null,
    "Authorities that members' certificates must be signed by; without, every certificate will do.",
  ),
  crlContainerRef: optional(ref, null, 'Certificates of members that were revoked; needs the authorities.'),
};
