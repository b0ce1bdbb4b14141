import { describe, expect, test } from '@jest/globals';
import { connectionsWithin, localise } from '../../../../src/agent/haproxy/localise.ts';
import { renderHaproxy } from '../../../../src/domain/haproxy/render.ts';
import { servedTree } from '../../../support/served-tree.ts';

const host = {
  statsSocket: 'lb.sock',
  serverStateFile: 'lb/servers-state',
  mostConnections: 7800,
  privileged: false,
  exists: () => false,
};

describe('a configuration on this host', () => {
  const configuration = renderHaproxy(servedTree({ members: [{}], healthMonitor: {} })) ?? '';
  const own = localise(configuration, host);

  test('has as many lines, and differs in the global section only', () => {
    const [before, after] = [configuration.split('\n'), own.split('\n')];
    expect(after).toHaveLength(before.length);
    const defaults = before.indexOf('defaults');
    expect(after.slice(defaults)).toEqual(before.slice(defaults));
  });

  test('stays in the foreground, keeps its rights, logs nowhere, and has its socket in the working directory', () => {
    expect(own).not.toMatch(/^\s+(daemon|user|log \/)/m);
    expect(own).toContain('\n    stats socket unix@lb.sock mode 600 level user\n');
    expect(own).toContain('\n    server-state-file lb/servers-state\n');
    expect(own).not.toContain('/var/lib/octavia');
  });

  test('reads certificates, keys and lists below the working directory', () => {
    const secrets = new Map([
      ['certificate web', 'web'],
      ['authority ca', 'ca'],
    ]);
    const listener = {
      protocol: 'TERMINATED_HTTPS',
      defaultTlsContainerRef: 'web',
      clientAuthentication: 'MANDATORY',
      clientCaTlsContainerRef: 'ca',
    } as const;
    const pool = { tlsEnabled: true, tlsContainerRef: 'web', caTlsContainerRef: 'ca' };
    const tree = servedTree({ listener, pool, members: [{}] });
    const text = localise(renderHaproxy(tree, { secrets }) ?? '', host);
    expect(text).not.toContain('/var/lib/octavia');
    expect(text).toContain(`\n    crt-base certs/${tree.loadBalancerId}\n`);
    expect(text).toMatch(/ bind \S+ ssl crt-list certs\/\S+ ca-file certs\/\S+ verify required/);
    expect(text).toMatch(/ ssl crt [0-9a-f]{40}\.pem ca-file certs\/\S+ verify required/);
  });

  test('has no more connections than there are files to open', () => {
    expect(own).toContain('\n    maxconn 7800\n');
    expect(localise(configuration, { ...host, mostConnections: 1_000_000 })).toContain('\n    maxconn 50000\n');
    expect(connectionsWithin(20_000)).toBe(7800);
  });

  test('gives up root’s rights where it has them, and logs where somebody listens', () => {
    const root = localise(configuration, { ...host, privileged: true, exists: () => true });
    expect(root).toContain('\n    user nobody\n');
    expect(root).toContain('\n    log /run/rsyslog/octavia/log local0\n');
  });
});
