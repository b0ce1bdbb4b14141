import { expect, test } from '@jest/globals';
import { interfaceRules } from '../../../src/domain/interface-rules.ts';
import type { ListenerAttributes } from '../../../src/domain/load-balancer/attributes.ts';
import { listener, servedTree } from '../../support/served-tree.ts';

function rulesOf(peer: string | null, ...given: readonly Partial<ListenerAttributes>[]) {
  const tree = servedTree();
  const listeners = given.flatMap((values) => tree.listeners.map((each) => ({ ...each, ...listener(values) })));
  return interfaceRules({ ...tree, listeners }, peer);
}

test('clients get in at the ports of listeners, from where they may come', () => {
  const rules = rulesOf(
    null,
    { protocol: 'TERMINATED_HTTPS', protocolPort: 443 },
    { protocol: 'SCTP', protocolPort: 5000 },
    { protocol: 'HTTP', protocolPort: 80, allowedCidrs: ['10.0.0.0/8', 'fd00::/8'] },
    { protocol: 'HTTP', protocolPort: 81, adminStateUp: false },
  );
  expect(rules).toEqual([
    { protocol: 'TCP', cidr: null, port: 443 },
    { protocol: 'SCTP', cidr: null, port: 5000 },
    { protocol: 'TCP', cidr: '10.0.0.0/8', port: 80 },
    { protocol: 'TCP', cidr: 'fd00::/8', port: 80 },
  ]);
  const down = { ...servedTree({ listener: { protocolPort: 80 } }), adminStateUp: false };
  expect(interfaceRules(down, null)).toEqual([]);
});

test('the other one of a pair gets in for VRRP and for stick tables', () => {
  expect(rulesOf('10.0.0.9')).toEqual([
    { protocol: 'vrrp', cidr: '10.0.0.9/32', port: 112 },
    { protocol: 'TCP', cidr: '10.0.0.9/32', port: 1025 },
  ]);
  expect(rulesOf('fd00::9')[0]).toEqual({ protocol: 'vrrp', cidr: 'fd00::9/128', port: 112 });
});
