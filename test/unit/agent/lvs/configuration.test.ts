// What controllers write is what the agent reads.
import { describe, expect, test } from '@jest/globals';
import { parseLvs } from '../../../../src/agent/lvs/configuration.ts';
import { deriveId } from '../../../../src/domain/ids.ts';
import { renderLvs } from '../../../../src/domain/lvs/render.ts';
import { servedTree, type TreeParts } from '../../../support/served-tree.ts';

function parsed(parts: TreeParts) {
  const listener = { protocol: 'UDP', protocolPort: 53, ...parts.listener } as const;
  const tree = servedTree({ ...parts, listener, pool: { protocol: 'UDP', ...parts.pool } });
  return parseLvs(renderLvs(tree)[0]?.configuration ?? '');
}

describe('the configuration of a UDP listener', () => {
  test('is read as it was meant', () => {
    const found = parsed({
      vipAddresses: ['192.0.2.1', '2001:db8::1'],
      listener: { connectionLimit: 9 },
      pool: {
        lbAlgorithm: 'LEAST_CONNECTIONS',
        sessionPersistence: {
          type: 'SOURCE_IP',
          cookieName: null,
          persistenceTimeout: 30,
          persistenceGranularity: '255.255.240.0',
        },
      },
      members: [
        { address: '192.0.2.10', weight: 3 },
        { address: '2001:db8::10', weight: 0 },
        { address: '192.0.2.12', adminStateUp: false },
      ],
      healthMonitor: { type: 'HTTP', urlPath: '/a "b"\\', expectedCodes: '200,204-206', delay: 7, maxRetriesDown: 2 },
    });
    const check = { type: 'http', port: 8080, timeoutMs: 3000, path: '/a "b"\\', codes: ['200', '204-206'] };
    expect(found).toEqual({
      listenerId: deriveId('listener'),
      loadBalancerId: deriveId('load-balancer'),
      addresses: ['192.0.2.1', '2001:db8::1'],
      port: 53,
      schedule: 'wlc',
      persistenceMs: 30_000,
      granularity: { ipv4: 20, ipv6: 20 },
      poolId: deriveId('pool'),
      members: [
        {
          id: deriveId('member', 0),
          address: '192.0.2.10',
          port: 8080,
          weight: 3,
          limit: 9,
          check: { ...check, address: '192.0.2.10' },
        },
        {
          id: deriveId('member', 1),
          address: '2001:db8::10',
          port: 8080,
          weight: 0,
          limit: 9,
          check: { ...check, address: '2001:db8::10' },
        },
      ],
      disabled: [deriveId('member', 2)],
      delayMs: 7000,
      retries: 2,
    });
  });

  test.each([
    ['UDP-CONNECT', 'udp'],
    ['TCP', 'tcp'],
  ] as const)('with a monitor of type %s has a check by %s', (type, checked) => {
    const [member] = parsed({ members: [{}], healthMonitor: { type, timeout: 2 } }).members;
    expect(member?.check).toEqual({ type: checked, address: '192.0.2.10', port: 8080, timeoutMs: 2000 });
  });

  test('without a monitor, or without a pool, is read too', () => {
    expect(parsed({ members: [{}] }).members[0]?.check).toBeUndefined();
    expect(parsed({ listener: { defaultPoolId: null } })).toMatchObject({ poolId: undefined, members: [] });
  });

  test('of SCTP is refused with the reason, and so is what is no configuration', () => {
    const tree = servedTree({ listener: { protocol: 'SCTP' }, pool: { protocol: 'SCTP' } });
    expect(() => parseLvs(renderLvs(tree)[0]?.configuration ?? '')).toThrow('balances UDP only, given protocol SCTP');
    expect(() => parseLvs('hello')).toThrow('expected "protocol"');
  });
});
