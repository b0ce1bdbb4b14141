// Whether lists of revoked certificates were signed by an authority (RFC 5280, section 5.1): one by another authority would have
// haproxy refuse every certificate.
import { verify, X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { partsOf, readDer } from './der.ts';

/** Algorithm of a signature → its hash; null where the key knows it. */
const hashes: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.5': 'sha1',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.1': 'sha1',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
  '1.3.101.113': null,
};

/** Of texts that `servable` has given. True as well for a signature of a kind that is not known here: haproxy sees then. */
export function areRevokedBy(lists: string, authorities: string): boolean {
  const keys = blocksOf(authorities, 'CERTIFICATE').map((pem) => new X509Certificate(pem).publicKey);
  return blocksOf(lists, 'X509 CRL').every((pem) => {
    const { signed, algorithm, signature } = signatureOf(forge.pem.decode(pem)[0]?.body ?? '');
    const hash = hashes[algorithm];
    return hash === undefined || keys.some((key) => isSignedWith(key));

    function isSignedWith(key: X509Certificate['publicKey']): boolean {
      try {
        return verify(hash, signed, key, signature);
      } catch {
        // A key of another kind.
        return false;
      }
    }
  });
}

function blocksOf(pem: string, label: string): readonly string[] {
  return pem.match(new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----`, 'g')) ?? [];
}

function signatureOf(der: string) {
  const [body, algorithm, signature] = partsOf(readDer(der));
  const [id] = algorithm === undefined ? [] : partsOf(algorithm);
  if (body === undefined || id === undefined || signature === undefined) throw new Error('a list of fewer parts');
  return {
    signed: Buffer.from(forge.asn1.toDer(body).getBytes(), 'latin1'),
    algorithm: forge.asn1.derToOid(id.value as string),
    // The first byte counts unused bits.
    signature: Buffer.from((signature.value as string).slice(1), 'latin1'),
  };
}
