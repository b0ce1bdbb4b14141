// What must hold of UDP and SCTP beside TCP's listeners, pools, members and monitors: each rule through the commands it guards.
import { describe, expect, test } from '@jest/globals';
import {
  deriveId,
  type HealthMonitorId,
  type ListenerId,
  type LoadBalancerId,
  type MemberId,
  type PoolId,
} from '../../../../src/domain/ids.ts';
import type {
  HealthMonitorAttributes,
  HealthMonitorType,
  ListenerAttributes,
  PoolAttributes,
  PoolProtocol,
} from '../../../../src/domain/load-balancer/attributes.ts';
import { decideLoadBalancer } from '../../../../src/domain/load-balancer/decide.ts';
import {
  createLoadBalancer,
  healthMonitorAttributes,
  listenerAttributes,
  memberAttributes,
  poolAttributes,
} from '../../../support/load-balancer-commands.ts';

const id = deriveId<LoadBalancerId>('datagrams');
const listener = (name: string, more: Partial<ListenerAttributes>) => ({
  id: deriveId<ListenerId>(name),
  attributes: { ...listenerAttributes, defaultPoolId: null, ...more },
});
interface PoolParts {
  readonly more?: Partial<PoolAttributes>;
  readonly backup?: boolean;
  readonly monitor?: Partial<HealthMonitorAttributes>;
}
const pool = (protocol: PoolProtocol, { more, backup = false, monitor }: PoolParts = {}) => ({
  id: deriveId<PoolId>('pool'),
  attributes: { ...poolAttributes, protocol, ...more },
  members: [{ id: deriveId<MemberId>('member'), attributes: { ...memberAttributes, backup } }],
  healthMonitor:
    monitor === undefined
      ? null
      : { id: deriveId<HealthMonitorId>('monitor'), attributes: { ...healthMonitorAttributes, ...monitor } },
});

function refusalOf(tree: Parameters<typeof createLoadBalancer>[1]) {
  const decision = decideLoadBalancer(undefined, createLoadBalancer(id, tree), 1);
  return decision.type === 'refuse' ? [decision.refusal.code, decision.refusal.field] : undefined;
}

test.each([
  ['HTTP', 'UDP', undefined],
  ['UDP', 'SCTP', undefined],
  ['UDP', 'UDP', ['conflict', 'protocolPort']],
] as const)('listeners of protocols %s and %s on one port: %j', (one, other, refusal) => {
  const listeners = [
    listener('a', { protocol: one, protocolPort: 53 }),
    listener('b', { protocol: other, protocolPort: 53 }),
  ];
  expect(refusalOf({ listeners })?.[0]).toBe(refusal?.[0]);
});

test('nobody can be kept out of a UDP listener', () => {
  const listeners = [listener('a', { protocol: 'UDP', allowedCidrs: ['10.0.0.0/8'] })];
  expect(refusalOf({ listeners })).toEqual(['invalid', 'allowedCidrs']);
});

test('members of UDP may be called backups, as Octavia lets them', () => {
  expect(refusalOf({ pools: [pool('UDP', { backup: true })] })).toBeUndefined();
});

const byAddress = { type: 'SOURCE_IP', cookieName: null } as const;
test.each([
  ['UDP', byAddress, true],
  ['UDP', { ...byAddress, persistenceTimeout: 30, persistenceGranularity: null }, true],
  ['UDP', { type: 'HTTP_COOKIE', cookieName: null }, false],
  ['SCTP', { type: 'APP_COOKIE', cookieName: 'a' }, false],
  ['TCP', byAddress, true],
  ['TCP', { ...byAddress, persistenceTimeout: 30, persistenceGranularity: null }, false],
  ['TCP', { ...byAddress, persistenceTimeout: null, persistenceGranularity: '255.0.0.0' }, false],
] as const)('a pool of %s with the persistence %j is allowed: %s', (protocol, sessionPersistence, isAllowed) => {
  const refusal = refusalOf({ pools: [pool(protocol, { more: { sessionPersistence } })] });
  expect(refusal).toEqual(isAllowed ? undefined : ['invalid', 'sessionPersistence']);
});

describe('a monitor', () => {
  const fits: Readonly<Record<HealthMonitorType, readonly PoolProtocol[]>> = {
    HTTP: ['TCP', 'UDP', 'SCTP'],
    TCP: ['TCP', 'UDP', 'SCTP'],
    HTTPS: ['TCP'],
    PING: ['TCP'],
    'TLS-HELLO': ['TCP'],
    'UDP-CONNECT': ['UDP', 'SCTP'],
    SCTP: ['UDP', 'SCTP'],
  };
  const cases = (['TCP', 'UDP', 'SCTP'] as const).flatMap((protocol) =>
    (Object.keys(fits) as HealthMonitorType[]).map((type) => [type, protocol, fits[type].includes(protocol)] as const),
  );

  test.each(cases)('of type %s for a pool of %s is allowed: %s', (type, protocol, isAllowed) => {
    const refusal = refusalOf({ pools: [pool(protocol, { monitor: { type, delay: 5 } })] });
    expect(refusal).toEqual(isAllowed ? undefined : ['invalid', 'type']);
  });

  test('of type UDP-CONNECT needs 3 seconds between two checks', () => {
    expect(refusalOf({ pools: [pool('UDP', { monitor: { type: 'UDP-CONNECT', delay: 2 } })] })).toEqual([
      'invalid',
      'delay',
    ]);
  });
});
