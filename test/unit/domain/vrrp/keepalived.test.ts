import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readVrrpConfiguration } from '../../../../src/agent/vrrp/configuration.ts';
import type { LoadBalancerId } from '../../../../src/domain/ids.ts';
import { renderKeepalived, type VrrpInstance, vrrpPassword } from '../../../../src/domain/vrrp/keepalived.ts';

const loadBalancerId = 'b0000000-0000-4000-8000-000000000001' as LoadBalancerId;
const instance: VrrpInstance = {
  loadBalancerId,
  vipAddress: '10.78.0.10',
  subnetCidr: '10.78.0.0/24',
  gateway: '10.78.0.1',
  beginsAs: 'MASTER',
  priority: 100,
  address: '10.78.0.11',
  peerAddress: '10.78.0.12',
  password: 'pa55word',
};
const ipv6: VrrpInstance = {
  ...instance,
  vipAddress: '2001:db8::10',
  subnetCidr: '2001:db8::/64',
  gateway: '2001:db8::1',
  address: '2001:db8::11',
  peerAddress: '2001:db8::12',
};

/** keepalived takes no loopback. */
const device = Object.entries(networkInterfaces()).find(([, all]) => all?.some(({ internal }) => !internal))?.[0];

describe('the configuration of keepalived', () => {
  test('says who the two are, which VIP they share, and how what is sent from it is routed', () => {
    const text = renderKeepalived(instance, 'eth1');
    expect(text).toMatch(/^vrrp_instance b0000000000040008000000000000001 \{$/m);
    expect(text).toMatch(/unicast_src_ip 10\.78\.0\.11\n {4}unicast_peer \{\n {8}10\.78\.0\.12\n {4}\}/);
    expect(text).toContain('10.78.0.0/24 dev eth1 src 10.78.0.10 scope link table 1');
    expect(text).toContain('default via 10.78.0.1 dev eth1 onlink table 1');
    expect(text).toContain('from 10.78.0.10/32 table 1 priority 100');
  });

  test('is read by the agent of local amphorae', () => {
    expect(readVrrpConfiguration(renderKeepalived(instance, 'lo'))).toEqual({
      beginsAs: 'MASTER',
      routerId: 1,
      priority: 100,
      advertIntervalMs: 1_000,
      nopreempt: true,
      address: '10.78.0.11',
      peers: ['10.78.0.12'],
      password: 'pa55word',
      addresses: ['10.78.0.10'],
    });
  });

  test('has further VIPs: told in adverts when they are of the family, moved along when not', () => {
    const additional = [
      { address: '10.79.0.10', subnetCidr: '10.79.0.0/24', gateway: null },
      { address: '2001:db8::10', subnetCidr: '2001:db8::/64', gateway: '2001:db8::1' },
    ];
    const text = renderKeepalived({ ...instance, additional }, 'eth1');
    expect(text).toMatch(/virtual_ipaddress \{\n {8}10\.78\.0\.10\n {8}10\.79\.0\.10\n {4}\}/);
    expect(text).toMatch(/virtual_ipaddress_excluded \{\n {8}2001:db8::10\n {4}\}/);
    expect(text).toContain('2001:db8::/64 dev eth1 src 2001:db8::10 scope link table 1');
    expect(text).toContain('default via 2001:db8::1 dev eth1 onlink table 1');
    expect(text).toContain('from 10.79.0.10/32 table 1 priority 100');
    expect(text).toContain('from 2001:db8::10/128 table 1 priority 100');
    expect(readVrrpConfiguration(text).addresses).toEqual(['10.78.0.10', '10.79.0.10', '2001:db8::10']);
  });

  test('names no peers while there is no other one', () => {
    expect(renderKeepalived({ ...instance, peerAddress: null }, 'eth1')).not.toContain('unicast_peer');
  });

  // Where keepalived is not installed, this is shown as skipped.
  const testWithKeepalived = existsSync(keepalived()) && device !== undefined ? test : test.skip;
  testWithKeepalived.each([
    ['of IPv4', instance],
    ['of IPv6', ipv6],
    ['without a peer', { ...instance, peerAddress: null }],
    ['without a gateway, of one that joins', { ...instance, gateway: null, beginsAs: 'BACKUP' as const }],
  ])('%s is what keepalived takes', (_, given) => {
    const folder = mkdtempSync(join(tmpdir(), 'keepalived-'));
    try {
      writeFileSync(join(folder, 'keepalived.conf'), renderKeepalived(given, device ?? ''));
      // It complains of the script, which only amphorae have, and of nothing else.
      expect(complaints(join(folder, 'keepalived.conf'))).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function keepalived(): string {
  return process.env['AMPHI_TEST_KEEPALIVED'] ?? '/usr/sbin/keepalived';
}

function complaints(file: string): readonly string[] {
  let printed: string;
  try {
    printed = execFileSync(keepalived(), ['--config-test', '--use-file', file, '--log-console'], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
    printed = stdout + stderr;
  }
  return printed
    .split('\n')
    .filter((line) => /unknown|invalid|error|missing|unexpected/i.test(line) && !/script|not found/i.test(line));
}

test('the password of a pair follows from the secret of the cluster, and must not change', () => {
  expect(vrrpPassword('a secret of sixteen', loadBalancerId)).toBe('J2Nri4Gu');
  expect(vrrpPassword('another secret', loadBalancerId)).not.toBe(vrrpPassword('a secret of sixteen', loadBalancerId));
  expect(vrrpPassword('a secret of sixteen', loadBalancerId)).toHaveLength(8);
});
