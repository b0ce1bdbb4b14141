// Builds X.509 certificates (RFC 5280). node-forge writes the ASN.1; its own signing knows no elliptic curves and its
// RSA is slow, so keys and signatures are node:crypto's.
import { type KeyObject, createHash, createPublicKey, randomBytes, sign } from 'node:crypto';
import forge from 'node-forge';

const { asn1 } = forge;
type Asn1 = forge.asn1.Asn1;

const oid = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  rsaWithSha256: '1.2.840.113549.1.1.11',
} as const;

export interface CertificateRequest {
  /** Common name of the subject. */
  readonly subject: string;
  readonly publicKey: KeyObject;
  /** Common name and private key of the issuer; the subject's own for a CA that signs itself. */
  readonly issuer: string;
  readonly issuerKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /**
   * `ca` may sign certificates but no further CA; `server` is also a client, as OpenStack's amphora certificates are, and
   * carries the subject as DNS name; `client` proves an identity to servers.
   */
  readonly kind: 'ca' | 'server' | 'client';
}

/** The signed certificate, DER. Every call gives a new serial number. */
export function buildCertificate(request: CertificateRequest): Buffer {
  const toBeSigned = tbsCertificate(request);
  const signature = sign('sha256', der(toBeSigned), request.issuerKey);
  return der(sequence(toBeSigned, signatureAlgorithm(request.issuerKey), bitString(signature)));
}

function tbsCertificate(request: CertificateRequest): Asn1 {
  return sequence(
    context(0, primitive(asn1.Type.INTEGER, Buffer.from([2]))),
    primitive(asn1.Type.INTEGER, serialNumber()),
    signatureAlgorithm(request.issuerKey),
    name(request.issuer),
    sequence(time(request.notBefore), time(request.notAfter)),
    name(request.subject),
    parsed(publicKeyInfo(request.publicKey)),
    context(3, sequence(...extensions(request))),
  );
}

function extensions({ kind, subject, publicKey, issuerKey }: CertificateRequest): Asn1[] {
  const identifiers = [
    extension(oid.subjectKeyIdentifier, false, primitive(asn1.Type.OCTETSTRING, keyIdentifier(publicKey))),
    extension(
      oid.authorityKeyIdentifier,
      false,
      sequence(contextPrimitive(0, keyIdentifier(createPublicKey(issuerKey)))),
    ),
  ];
  if (kind === 'ca') return [...identifiers, ...caExtensions()];
  const usages = kind === 'server' ? [oid.serverAuth, oid.clientAuth] : [oid.clientAuth];
  return [
    ...identifiers,
    extension(oid.basicConstraints, true, sequence()),
    // digitalSignature, keyEncipherment, dataEncipherment, keyAgreement
    extension(oid.keyUsage, true, bitString(Buffer.from([0b1011_1000]), 3)),
    extension(oid.extendedKeyUsage, true, sequence(...usages.map(objectIdentifier))),
    ...(kind === 'server'
      ? [extension(oid.subjectAltName, false, sequence(contextPrimitive(2, Buffer.from(subject, 'latin1'))))]
      : []),
  ];
}

function caExtensions(): Asn1[] {
  const ca = primitive(asn1.Type.BOOLEAN, Buffer.from([0xff]));
  const pathLength = primitive(asn1.Type.INTEGER, Buffer.from([0]));
  return [
    extension(oid.basicConstraints, true, sequence(ca, pathLength)),
    // keyCertSign, cRLSign
    extension(oid.keyUsage, true, bitString(Buffer.from([0b0000_0110]), 1)),
  ];
}

function extension(id: string, critical: boolean, value: Asn1): Asn1 {
  const content = primitive(asn1.Type.OCTETSTRING, der(value));
  const flag = critical ? [primitive(asn1.Type.BOOLEAN, Buffer.from([0xff]))] : [];
  return sequence(objectIdentifier(id), ...flag, content);
}

/** SHA-1 of the bits of the public key (RFC 5280, section 4.2.1.2, method 1). */
function keyIdentifier(publicKey: KeyObject): Buffer {
  const bits = (parsed(publicKeyInfo(publicKey)).value as Asn1[])[1]?.value;
  if (bits === undefined) throw new Error('expected a SubjectPublicKeyInfo with two parts, given fewer');
  // A bit string that itself reads as ASN.1, as RSA's does, has been parsed: it is written back without its header.
  const content = typeof bits === 'string' ? Buffer.from(bits, 'latin1').subarray(1) : der(bits[0] as Asn1);
  return createHash('sha1').update(content).digest();
}

function publicKeyInfo(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

function signatureAlgorithm(key: KeyObject): Asn1 {
  return key.asymmetricKeyType === 'ec'
    ? sequence(objectIdentifier(oid.ecdsaWithSha256))
    : sequence(objectIdentifier(oid.rsaWithSha256), primitive(asn1.Type.NULL, Buffer.alloc(0)));
}

/** 128 random bits, positive and not shortened by a leading zero byte. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function name(commonName: string): Asn1 {
  const value = primitive(asn1.Type.UTF8, Buffer.from(commonName, 'utf8'));
  return sequence(constructed(asn1.Type.SET, [sequence(objectIdentifier(oid.commonName), value)]));
}

/** UTCTime up to 2049, GeneralizedTime from then on (RFC 5280, section 4.1.2.5). */
function time(date: Date): Asn1 {
  const late = date.getUTCFullYear() >= 2050;
  const content = late ? asn1.dateToGeneralizedTime(date) : asn1.dateToUtcTime(date);
  return primitive(late ? asn1.Type.GENERALIZEDTIME : asn1.Type.UTCTIME, Buffer.from(content, 'latin1'));
}

function sequence(...parts: Asn1[]): Asn1 {
  return constructed(asn1.Type.SEQUENCE, parts);
}

function constructed(type: forge.asn1.Type, parts: Asn1[]): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, type, true, parts);
}

function primitive(type: forge.asn1.Type, content: Buffer): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, type, false, content.toString('latin1'));
}

function context(tag: number, part: Asn1): Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, true, [part]);
}

function contextPrimitive(tag: number, content: Buffer): Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, false, content.toString('latin1'));
}

function objectIdentifier(id: string): Asn1 {
  return primitive(asn1.Type.OID, Buffer.from(asn1.oidToDer(id).getBytes(), 'latin1'));
}

function bitString(content: Buffer, unusedBits = 0): Asn1 {
  return primitive(asn1.Type.BITSTRING, Buffer.concat([Buffer.from([unusedBits]), content]));
}

function der(value: Asn1): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
}

function parsed(content: Buffer): Asn1 {
  return asn1.fromDer(content.toString('latin1'));
}
