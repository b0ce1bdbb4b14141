// TLS in a configuration: the files that it names, and the words of `bind` and `server` lines. A file is called after its
// content, so no upload changes what a running haproxy would read, and a renewed certificate is another configuration.
import { createHash } from 'node:crypto';
import type { ServedListener, ServedPool, ServedTree, TlsTerms, TlsVersion } from '../load-balancer/attributes.ts';
import { tlsVersions } from '../load-balancer/attributes.ts';
import { type SecretKind, secretKey, terminatesTls } from '../load-balancer/tls.ts';
import { word } from './escape.ts';

/** What stands behind references: `secretKey` → PEM. */
export type Secrets = ReadonlyMap<string, string>;

/** A file that haproxy reads with its configuration. It may hold a private key. */
export interface TlsFile {
  readonly name: string;
  readonly content: string;
}

const namesComment = '# TLS files:';

/** Where an amphora has the files of a load balancer. */
export function tlsFolder(basePath: string, loadBalancerId: string): string {
  return `${basePath}/certs/${loadBalancerId}`;
}

/** The names of the files that a rendered configuration needs. */
export function tlsFileNames(configuration: string): readonly string[] {
  const line = configuration.split('\n').find((text) => text.startsWith(namesComment)) ?? '';
  return line
    .slice(namesComment.length)
    .split(' ')
    .filter((name) => /^[0-9a-f]{40}\.pem$/.test(name));
}

/** The comment that `tlsFileNames` reads: lists of certificates name files that the configuration itself does not. */
export function namesLine(files: readonly TlsFile[]): string {
  return [namesComment, ...files.map(({ name }) => name)].join(' ');
}

/** The TLS of one rendering. Gathers the files that its words name. */
export class TlsWords {
  readonly #folder: string;
  readonly #secrets: Secrets;
  readonly #files = new Map<string, TlsFile>();

  constructor(tree: ServedTree, secrets: Secrets, basePath: string) {
    this.#folder = tlsFolder(basePath, tree.loadBalancerId);
    this.#secrets = secrets;
  }

  /** Of all words that were made, in order. */
  get files(): readonly TlsFile[] {
    return [...this.#files.values()];
  }

  /** What follows the address on a `bind` line; empty without TLS. OpenStack's agent wants `ssl crt-list` to be first. */
  bind(listener: ServedListener): string {
    if (!terminatesTls(listener)) return '';
    const { defaultTlsContainerRef, sniContainerRefs } = listener;
    const refs = [...(defaultTlsContainerRef === null ? [] : [defaultTlsContainerRef]), ...sniContainerRefs];
    const names = refs.map((ref) => this.#file('certificate', ref).name);
    // The first is shown to clients that name no host, or one that no certificate is for. Names count from `crt-base`.
    const list = this.#add(`${[...new Set(names)].join('\n')}\n`);
    const words = ['ssl', 'crt-list', this.#path(list), ...this.#clientWords(listener), ...termWords(listener)];
    const { alpnProtocols } = listener;
    return ` ${[...words, ...(alpnProtocols.length === 0 ? [] : ['alpn', alpnProtocols.join()])].join(' ')}`;
  }

  #clientWords({ clientAuthentication, clientCaTlsContainerRef, clientCrlContainerRef }: ServedListener): string[] {
    if (clientAuthentication === 'NONE' || clientCaTlsContainerRef === null) return [];
    const verify = clientAuthentication === 'MANDATORY' ? 'required' : 'optional';
    return [
      'ca-file',
      this.#path(this.#file('authority', clientCaTlsContainerRef)),
      'verify',
      verify,
      ...this.#revocationWords(clientCrlContainerRef),
    ];
  }

  #revocationWords(ref: string | null): string[] {
    return ref === null ? [] : ['crl-file', this.#path(this.#file('revocations', ref))];
  }

  /** Words of a `server` line; none without TLS. */
  server(pool: ServedPool, listener: ServedListener, isHttp: boolean): readonly string[] {
    if (!pool.tlsEnabled) return [];
    const { tlsContainerRef, caTlsContainerRef, crlContainerRef, alpnProtocols } = pool;
    const verify =
      caTlsContainerRef === null
        ? ['verify', 'none']
        : [
            'ca-file',
            this.#path(this.#file('authority', caTlsContainerRef)),
            'verify',
            'required',
            ...this.#revocationWords(crlContainerRef),
          ];
    return [
      'ssl',
      // This name counts from `crt-base` too.
      ...(tlsContainerRef === null ? [] : ['crt', this.#file('certificate', tlsContainerRef).name]),
      ...verify,
      // The name that the client has asked for is the one that the member must have.
      ...(terminatesTls(listener) ? ['sni', 'ssl_fc_sni'] : []),
      ...termWords(pool),
      // Where haproxy passes bytes through, it is not the one to choose. Checks speak HTTP/1.
      ...(isHttp && alpnProtocols.length > 0 ? ['alpn', alpnProtocols.join(), 'check-alpn', 'http/1.1'] : []),
    ];
  }

  #file(kind: SecretKind, ref: string): TlsFile {
    const content = this.#secrets.get(secretKey({ kind, ref }));
    if (content === undefined) throw new Error(`nothing was fetched for the ${kind} ${ref}`);
    return this.#add(content);
  }

  #add(content: string): TlsFile {
    const name = `${createHash('sha1').update(content).digest('hex')}.pem`;
    const file = { name, content };
    this.#files.set(name, file);
    return file;
  }

  #path({ name }: TlsFile): string {
    return word(`${this.#folder}/${name}`);
  }
}

const versionWords: Readonly<Record<TlsVersion, string>> = {
  SSLv3: 'no-sslv3',
  TLSv1: 'no-tlsv10',
  'TLSv1.1': 'no-tlsv11',
  'TLSv1.2': 'no-tlsv12',
  'TLSv1.3': 'no-tlsv13',
};

/** TLS 1.3 has ciphers of its own. A version that none of the ciphers is for is not offered. */
function termWords({ tlsCiphers, tlsVersions: wanted }: TlsTerms): readonly string[] {
  const ciphers = (tlsCiphers ?? '').split(':').filter((name) => name !== '');
  const [suites, others] = [ciphers.filter(isOfTls13), ciphers.filter((name) => !isOfTls13(name))];
  const isOffered = (version: TlsVersion) =>
    (wanted.length === 0 || wanted.includes(version)) &&
    (version === 'TLSv1.3' || ciphers.length === 0 || others.length > 0);
  return [
    ...(others.length === 0 ? [] : ['ciphers', word(others.join(':'))]),
    ...(suites.length === 0 ? [] : ['ciphersuites', word(suites.join(':'))]),
    ...tlsVersions.filter((version) => !isOffered(version)).map((version) => versionWords[version]),
  ];
}

function isOfTls13(name: string): boolean {
  return name.startsWith('TLS_');
}
