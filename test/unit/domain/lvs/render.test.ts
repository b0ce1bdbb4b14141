import { describe, expect, test } from '@jest/globals';
import { renderHaproxy } from '../../../../src/domain/haproxy/render.ts';
import { deriveId } from '../../../../src/domain/ids.ts';
import type { HealthMonitorAttributes, ServedTree } from '../../../../src/domain/load-balancer/attributes.ts';
import { renderLvs } from '../../../../src/domain/lvs/render.ts';
import { servedTree, type TreeParts } from '../../../support/served-tree.ts';

const udpTree = (parts: TreeParts = {}): ServedTree =>
  servedTree({
    members: [{ address: '192.0.2.10', protocolPort: 5353 }],
    ...parts,
    listener: { protocol: 'UDP', protocolPort: 53, ...parts.listener },
    pool: { protocol: 'UDP', ...parts.pool },
  });
const text = (tree: ServedTree): string => renderLvs(tree)[0]?.configuration ?? '';

describe('a UDP listener', () => {
  test('becomes a virtual server whose comments carry the ids', () => {
    const healthMonitor = { type: 'UDP-CONNECT', delay: 5, timeout: 3, maxRetriesDown: 2 } as const;
    expect(text(udpTree({ healthMonitor }))).toBe(`# Configuration for Loadbalancer ${deriveId('load-balancer')}
# Configuration for Listener ${deriveId('listener')}

net_namespace amphora-haproxy

virtual_server_group ipv4-group {
    192.0.2.1 53
}

virtual_server group ipv4-group {
    lb_algo rr
    lb_kind NAT
    protocol UDP
    delay_loop 5
    delay_before_retry 5
    retry 2

    # Configuration for Pool ${deriveId('pool')}
    # Configuration for HealthMonitor ${deriveId('monitor')}
    # Configuration for Member ${deriveId('member', 0)}
    real_server 192.0.2.10 5353 {
        weight 1
        MISC_CHECK {
            misc_path "/var/lib/octavia/lvs/check/udp_check.sh 192.0.2.10 5353"
            misc_timeout 3
        }
    }
}
`);
  });

  test('is left to LVS by haproxy, and the others to haproxy by LVS', () => {
    expect(renderHaproxy(udpTree())).toBeNull();
    expect(renderLvs(servedTree())).toEqual([]);
  });

  test.each<[string, TreeParts]>([
    ['the load balancer is down', { adminStateUp: false }],
    ['the listener is down', { listener: { adminStateUp: false } }],
  ])('is not rendered when %s', (_, parts) => {
    expect(renderLvs(udpTree(parts))).toEqual([]);
  });

  test.each([
    ['ROUND_ROBIN', 'rr'],
    ['LEAST_CONNECTIONS', 'wlc'],
    ['SOURCE_IP', 'sh'],
  ] as const)('with the algorithm %s is scheduled by %s', (lbAlgorithm, schedule) => {
    expect(text(udpTree({ pool: { lbAlgorithm } }))).toContain(`    lb_algo ${schedule}\n`);
  });

  test('remembers clients for as long and as finely as it is told', () => {
    const sessionPersistence = {
      type: 'SOURCE_IP',
      cookieName: null,
      persistenceTimeout: 30,
      persistenceGranularity: '255.255.0.0',
    } as const;
    expect(text(udpTree({ pool: { sessionPersistence } }))).toContain(
      '    persistence_timeout 30\n    persistence_granularity 255.255.0.0\n',
    );
    const six = udpTree({ pool: { sessionPersistence }, vipAddresses: ['2001:db8::1'] });
    expect(text(six)).toContain('    persistence_granularity 16\n');
  });

  test('with two families of addresses has a virtual server for each, with the members of that family', () => {
    const members = [{ address: '192.0.2.10' }, { address: '2001:db8::10' }];
    const [four = '', six = ''] = text(udpTree({ vipAddresses: ['192.0.2.1', '2001:db8::1'], members })).split(
      'virtual_server group ipv6-group {',
    );
    expect(four).toContain('real_server 192.0.2.10 8080');
    expect(four).not.toContain('real_server 2001:db8::10 8080');
    expect(six).toContain('real_server 2001:db8::10 8080');
    expect(six).not.toContain('real_server 192.0.2.10 8080');
  });

  test('names members and pools that are down, so that they are reported', () => {
    const down = text(udpTree({ members: [{ adminStateUp: false }] }));
    expect(down).toContain(`    # Member ${deriveId('member', 0)} is disabled\n`);
    expect(down).not.toContain('real_server');
    expect(text(udpTree({ pool: { adminStateUp: false } }))).toContain(`    # Pool ${deriveId('pool')} is disabled\n`);
  });

  test('limits the clients of each member', () => {
    expect(text(udpTree({ listener: { connectionLimit: 7 } }))).toContain('        uthreshold 7\n');
  });

  test.each<[Partial<HealthMonitorAttributes>, string]>([
    [{ type: 'TCP' }, 'TCP_CHECK {\n            connect_ip 192.0.2.99\n            connect_port 99\n'],
    [{ type: 'SCTP' }, 'misc_path "amphora-health-checker sctp -t 3 192.0.2.99 99"'],
    [{ type: 'HTTP', urlPath: '/a b#"', expectedCodes: '200,204-206' }, String.raw`path "/a b#\""`],
    [{ type: 'HTTP', expectedCodes: '200, 204-206' }, 'status_code 200 204-206\n'],
  ])('checks members by %j at the monitor address', (healthMonitor, expected) => {
    const members = [{ address: '192.0.2.10', monitorAddress: '192.0.2.99', monitorPort: 99 }];
    expect(text(udpTree({ healthMonitor, members }))).toContain(expected);
  });
});
