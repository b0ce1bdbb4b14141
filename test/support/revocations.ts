// A list of revoked certificates (RFC 5280, section 5), signed by a test's authority.
import { sign, X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { openAuthority } from '../../src/drivers/certificate/local/authority.ts';

const { asn1 } = forge;
type Asn1 = forge.asn1.Asn1;

const hourMs = 3_600_000;

/** The authority that `testAuthority(folder, name)` opened revokes these certificates (PEM). PEM. */
export async function revocations(
  folder: string,
  name: 'ca' | 'client-ca',
  certificates: readonly string[],
): Promise<string> {
  const authority = await openAuthority({ folder, name, subject: `test ${folder}`, keyType: 'p256', now: new Date() });
  const now = Date.now();
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const revoked = certificates.map((pem) => {
    const serial = Buffer.from(new X509Certificate(pem).serialNumber, 'hex');
    return sequence(primitive(asn1.Type.INTEGER, serial), time(now - hourMs));
  });
  const body = sequence(
    primitive(asn1.Type.INTEGER, Buffer.from([1])),
    algorithm,
    issuer(authority.subject),
    time(now - hourMs),
    time(now + 24 * hourMs),
    ...(revoked.length === 0 ? [] : [sequence(...revoked)]),
  );
  const signature = sign('sha256', der(body), authority.key);
  const list = sequence(body, algorithm, primitive(asn1.Type.BITSTRING, Buffer.concat([Buffer.from([0]), signature])));
  const lines =
    der(list)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return ['-----BEGIN X509 CRL-----', ...lines, '-----END X509 CRL-----', ''].join('\n');
}

function issuer(commonName: string): Asn1 {
  const value = primitive(asn1.Type.UTF8, Buffer.from(commonName, 'utf8'));
  return sequence(asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SET, true, [sequence(oid('2.5.4.3'), value)]));
}

function time(ms: number): Asn1 {
  return primitive(asn1.Type.UTCTIME, Buffer.from(asn1.dateToUtcTime(new Date(ms)), 'latin1'));
}

function oid(id: string): Asn1 {
  return primitive(asn1.Type.OID, Buffer.from(asn1.oidToDer(id).getBytes(), 'latin1'));
}

function sequence(...parts: Asn1[]): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, parts);
}

function primitive(type: forge.asn1.Type, content: Buffer): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, type, false, content.toString('latin1'));
}

function der(value: Asn1): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
}
