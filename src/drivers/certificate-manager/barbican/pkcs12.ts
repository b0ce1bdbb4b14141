// Opens a PKCS12 bundle without a passphrase (RFC 7292), as `openssl pkcs12 -export -passout pass:` makes it. node-forge reads
// the bundle; keys that it does not know, such as those of elliptic curves, it hands over as they are.
import forge from 'node-forge';
import { UnfitSecretError } from '../pem.ts';

const { asn1, pkcs12, pki } = forge;
type Asn1 = forge.asn1.Asn1;

/** Certificates and keys of the bundle, PEM. @throws UnfitSecretError */
export function pkcs12ToPem(bundle: Buffer): string {
  const bags = opened(bundle).safeContents.flatMap(({ safeBags }) => safeBags);
  return bags.map(pemOfBag).join('');
}

function opened(bundle: Buffer): forge.pkcs12.Pkcs12Pfx {
  const content = read('it is neither PEM nor PKCS12', () => asn1.fromDer(bundle.toString('latin1')));
  return read('it is no PKCS12 bundle without a passphrase', () => pkcs12.pkcs12FromAsn1(content, false, ''));
}

function read<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch {
    // Not the cause: it may quote the content.
    throw new UnfitSecretError(`cannot be read: ${what}`);
  }
}

function pemOfBag({ type, cert, key, asn1: other }: forge.pkcs12.Bag): string {
  if (type === pki.oids['certBag']) {
    return pem('CERTIFICATE', cert === undefined || cert === null ? other : pki.certificateToAsn1(cert));
  }
  if (type !== pki.oids['keyBag'] && type !== pki.oids['pkcs8ShroudedKeyBag']) return '';
  const isKnown = key !== undefined && key !== null;
  return pem('PRIVATE KEY', isKnown ? pki.wrapRsaPrivateKey(pki.privateKeyToAsn1(key)) : other);
}

function pem(type: string, content: Asn1): string {
  return `${forge.pem.encode({ type, body: asn1.toDer(content).getBytes() } as forge.pem.ObjectPEM).replaceAll('\r', '')}\n`;
}
