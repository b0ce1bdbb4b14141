// Makes of what a certificate manager keeps what haproxy reads, or says what is wrong with it. Messages never quote content.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import type { SecretKind } from '../../domain/load-balancer/tls.ts';
import { pkcs7ToPem } from './pkcs7.ts';

/** Content that cannot be served. The message ends a sentence that begins with what it is about. */
export class UnfitSecretError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnfitSecretError';
  }
}

/** The most that is read of one secret. */
export const mostSecretBytes = 1024 * 1024;

interface Block {
  readonly label: string;
  readonly text: string;
}

function blocksOf(pem: string): readonly Block[] {
  const pattern = /-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/g;
  return Array.from(pem.matchAll(pattern), ([text, label = '']) => ({ label, text: text.replaceAll('\r', '') }));
}

export function hasPrivateKey(pem: string): boolean {
  return /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(pem);
}

/** What a text can be for. */
export function kindOf(pem: string): SecretKind {
  if (hasPrivateKey(pem)) return 'certificate';
  return pem.includes('-----BEGIN X509 CRL-----') ? 'revocations' : 'authority';
}

/** As `CertificateManager.fetch` gives it. @throws UnfitSecretError */
export function servable(kind: SecretKind, pem: string): string {
  switch (kind) {
    case 'certificate':
      return keyPair(pem);
    case 'authority':
      return joined(certificatesIn(pem));
    case 'revocations':
      return joined(revocationsIn(pem));
  }
}

function joined(blocks: readonly string[]): string {
  return `${blocks.join('\n')}\n`;
}

/** The certificate that the key belongs to comes first, then the key, then all other certificates in their order. */
function keyPair(pem: string): string {
  const certificates = certificatesIn(pem);
  const keys = blocksOf(pem).filter(({ label }) => label.endsWith('PRIVATE KEY'));
  const [keyBlock] = keys;
  if (keyBlock === undefined || keys.length > 1) {
    throw new UnfitSecretError(`has ${keys.length} private keys, and one is needed`);
  }
  if (keyBlock.label.startsWith('ENCRYPTED') || /^Proc-Type:.*ENCRYPTED/m.test(keyBlock.text)) {
    throw new UnfitSecretError('has a private key with a passphrase, and one without is needed');
  }
  const key = readable('private key', () => createPrivateKey(keyBlock.text));
  const own = certificates.find((text) => new X509Certificate(text).checkPrivateKey(key));
  if (own === undefined) throw new UnfitSecretError('has a private key that belongs to none of its certificates');
  refuseWeakKey(key);
  return joined([own, keyBlock.text, ...certificates.filter((text) => text !== own)]);
}

/** haproxy's OpenSSL takes no shorter ones. */
const leastRsaBits = 2048;

function refuseWeakKey(key: KeyObject): void {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits === undefined || bits >= leastRsaBits) return;
  throw new UnfitSecretError(`has a key of ${bits} bits, and at least ${leastRsaBits} are needed`);
}

/** Those of bundles among them. */
function certificatesIn(pem: string): readonly string[] {
  const found = blocksOf(pem).flatMap(({ label, text }) => {
    if (label !== 'PKCS7' && label !== 'CMS') return label === 'CERTIFICATE' ? [text] : [];
    return readable('PKCS7 bundle', () => pkcs7ToPem(derOf(text)));
  });
  if (found.length === 0) throw new UnfitSecretError('has no certificate in PEM');
  for (const text of found) readable('certificate', () => new X509Certificate(text));
  return found;
}

function derOf(block: string): Buffer {
  return Buffer.from(block.replace(/-----[^-]+-----/g, ''), 'base64');
}

function revocationsIn(pem: string): readonly string[] {
  const blocks = blocksOf(pem).filter(({ label }) => label === 'X509 CRL');
  if (blocks.length === 0) throw new UnfitSecretError('has no list of revoked certificates (X509 CRL) in PEM');
  return blocks.map(({ text }) => {
    readable('list of revoked certificates', () => {
      const [body] = forge.pem.decode(text);
      const list = forge.asn1.fromDer(body?.body ?? '');
      if (!Array.isArray(list.value) || list.value.length !== 3) throw new Error('not three parts');
    });
    return text;
  });
}

function readable<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch {
    // Not the cause: it may quote the content.
    throw new UnfitSecretError(`has a ${what} that cannot be read`);
  }
}
