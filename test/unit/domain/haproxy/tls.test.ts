import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { renderAll, renderHaproxy } from '../../../../src/domain/haproxy/render.ts';
import { tlsFileNames } from '../../../../src/domain/haproxy/tls.ts';
import { deriveId } from '../../../../src/domain/ids.ts';
import type { ListenerAttributes, PoolAttributes } from '../../../../src/domain/load-balancer/attributes.ts';
import { secretsOf } from '../../../../src/domain/load-balancer/tls.ts';
import { servedTree } from '../../../support/served-tree.ts';

const lb = deriveId<string>('load-balancer');
const place = `/var/lib/octavia/certs/${lb}`;
const secrets = new Map([
  ['certificate web', 'web with its key\n'],
  ['certificate sni', 'sni with its key\n'],
  ['authority ca', 'ca\n'],
  ['revocations crl', 'crl\n'],
]);
const fileOf = (content: string) => `${createHash('sha1').update(content).digest('hex')}.pem`;

function treeWith(listener: Partial<ListenerAttributes>, pool: Partial<PoolAttributes> = {}) {
  return servedTree({
    listener: { protocol: 'TERMINATED_HTTPS', protocolPort: 443, defaultTlsContainerRef: 'web', ...listener },
    pool,
    members: [{}],
  });
}

function rendered(listener: Partial<ListenerAttributes>, pool: Partial<PoolAttributes> = {}, known = secrets) {
  const { configuration, files } = renderAll(treeWith(listener, pool), { secrets: known });
  const text = configuration ?? '';
  const line = (word: string) => text.split('\n').find((candidate) => candidate.trim().startsWith(`${word} `)) ?? '';
  return { text, files, bind: line('bind').trim(), server: line('server').trim() };
}

describe('a listener that ends TLS', () => {
  const list = `${fileOf('web with its key\n')}\n${fileOf('sni with its key\n')}\n`;

  test('names a list of its certificates, the default first, before everything else', () => {
    const { bind, files, text } = rendered({
      sniContainerRefs: ['sni'],
      clientAuthentication: 'OPTIONAL',
      clientCaTlsContainerRef: 'ca',
      clientCrlContainerRef: 'crl',
      tlsCiphers: 'ECDHE-RSA-AES256-GCM-SHA384:TLS_AES_256_GCM_SHA384',
      tlsVersions: ['TLSv1.2', 'TLSv1.3'],
      alpnProtocols: ['h2', 'http/1.1'],
    });
    expect(bind).toBe(
      [
        `bind 192.0.2.1:443 ssl crt-list ${place}/${fileOf(list)}`,
        `ca-file ${place}/${fileOf('ca\n')} verify optional crl-file ${place}/${fileOf('crl\n')}`,
        'ciphers ECDHE-RSA-AES256-GCM-SHA384 ciphersuites TLS_AES_256_GCM_SHA384',
        'no-sslv3 no-tlsv10 no-tlsv11 alpn h2,http/1.1',
      ].join(' '),
    );
    expect(files.find(({ name }) => name === fileOf(list))?.content).toBe(list);
    // Names in the list count from there.
    expect(text).toContain(`\n    crt-base ${place}\n`);
  });

  test('becomes another configuration when what is behind a reference is another', () => {
    const renewed = new Map([...secrets, ['certificate web', 'renewed\n']]);
    expect(rendered({}).text).toBe(rendered({}).text);
    expect(rendered({}, {}, renewed).text).not.toBe(rendered({}).text);
  });

  test('has its files named by the configuration, and no content in it', () => {
    const { text, files } = rendered({ sniContainerRefs: ['sni'] });
    expect(tlsFileNames(text)).toEqual(files.map(({ name }) => name));
    expect(files).toHaveLength(3);
    expect(text).not.toContain('key');
    expect(tlsFileNames(renderHaproxy(servedTree()) ?? '')).toEqual([]);
  });

  test('offers no version that none of its ciphers is for', () => {
    const { bind } = rendered({ tlsCiphers: 'TLS_AES_256_GCM_SHA384', tlsVersions: ['TLSv1.2', 'TLSv1.3'] });
    expect(bind).toContain('ciphersuites TLS_AES_256_GCM_SHA384 no-sslv3 no-tlsv10 no-tlsv11 no-tlsv12');
    expect(bind).not.toContain(' ciphers ');
  });

  test('asks clients for nothing where they need not authenticate', () => {
    expect(rendered({ clientCaTlsContainerRef: 'ca' }).bind).not.toContain('ca-file');
  });
});

describe('a pool that speaks TLS', () => {
  test('takes any certificate, or those of its authority', () => {
    expect(rendered({}, { tlsEnabled: true }).server).toMatch(/ ssl verify none sni ssl_fc_sni/);
    const pool = { tlsEnabled: true, caTlsContainerRef: 'ca', crlContainerRef: 'crl', tlsContainerRef: 'web' };
    expect(rendered({}, pool).server).toContain(
      ` ssl crt ${fileOf('web with its key\n')} ca-file ${place}/${fileOf('ca\n')} verify required crl-file ${place}/${fileOf('crl\n')} sni`,
    );
  });

  test('tells members of PROXYV2 what the client has shown, and leaves ALPN to clients that it passes on', () => {
    expect(rendered({}, { protocol: 'PROXYV2' }).server).toContain('send-proxy-v2-ssl-cn');
    const alpnProtocols = ['h2'] as const;
    const through = { protocol: 'TCP', defaultTlsContainerRef: null } as const;
    expect(rendered(through, { protocol: 'TCP', tlsEnabled: true, alpnProtocols }).server).not.toContain('alpn');
  });
});

test('what is behind references is asked for once each, and not for what is not served', () => {
  const tree = treeWith({ sniContainerRefs: ['sni', 'web'] }, { tlsEnabled: true, tlsContainerRef: 'web' });
  expect(secretsOf(tree).map(({ kind, ref }) => `${kind} ${ref}`)).toEqual(['certificate web', 'certificate sni']);
  expect(secretsOf({ ...tree, adminStateUp: false })).toEqual([]);
  expect(secretsOf(treeWith({ adminStateUp: false }))).toEqual([]);
  expect(secretsOf(treeWith({ protocol: 'HTTP' }, { caTlsContainerRef: 'ca' }))).toEqual([]);
});
