// Certificates in a PKCS7 bundle, as `openssl crl2pkcs7 -nocrl -certfile` makes it and authorities hand out their chains: signed
// data (RFC 2315, section 9; RFC 5652, section 5) whose signatures nobody asks for. node-forge reads the frame; the certificates
// stay as they are, because it knows no keys of elliptic curves.
import forge from 'node-forge';
import { type Asn1, partsOf, readDer } from './der.ts';

const { asn1 } = forge;

const signedData = '1.2.840.113549.1.7.2';

/** Every certificate of a bundle in DER, PEM, in its order. @throws Error for anything else */
export function pkcs7ToPem(der: Buffer): readonly string[] {
  const [type, content] = partsOf(readDer(der.toString('latin1')));
  if (type === undefined || content === undefined || asn1.derToOid(type.value as string) !== signedData) {
    throw new Error('not signed data');
  }
  const [data] = partsOf(content);
  const certificates = data && partsOf(data).find((part) => isTagged(part, 0));
  return (certificates === undefined ? [] : partsOf(certificates)).map(pemOf);
}

function isTagged({ tagClass, type }: Asn1, tag: number): boolean {
  return tagClass === asn1.Class.CONTEXT_SPECIFIC && (type as number) === tag;
}

function pemOf(certificate: Asn1): string {
  const body = asn1.toDer(certificate).getBytes();
  return forge.pem
    .encode({ type: 'CERTIFICATE', body } as forge.pem.ObjectPEM)
    .replaceAll('\r', '')
    .trim();
}
