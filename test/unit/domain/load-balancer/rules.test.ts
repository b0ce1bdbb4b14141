import { describe, expect, test } from '@jest/globals';
import type { ListenerProtocol, PoolProtocol } from '../../../../src/domain/load-balancer/attributes.ts';
import type { LoadBalancerCommand } from '../../../../src/domain/load-balancer/commands.ts';
import { decideLoadBalancer } from '../../../../src/domain/load-balancer/decide.ts';
import { evolveLoadBalancer } from '../../../../src/domain/load-balancer/evolve.ts';
import type { LoadBalancerState } from '../../../../src/domain/load-balancer/state.ts';
import {
  deriveId,
  type HealthMonitorId,
  type ListenerId,
  type LoadBalancerId,
  type MemberId,
  type PoolId,
} from '../../../../src/domain/ids.ts';
import {
  createLoadBalancer,
  healthMonitorAttributes,
  listener,
  listenerAttributes,
  memberAttributes,
  pool,
  poolAttributes,
} from '../../../support/load-balancer-commands.ts';

const id = deriveId<LoadBalancerId>('rules');
const web = pool('web', ['10.1.0.1', '10.1.0.2']);
const tcp = { ...pool('tcp', []), attributes: { ...poolAttributes, name: 'tcp', protocol: 'TCP' } } as const;
const front = listener(80, web.id);
const newMember = (address: string, protocolPort = 80) => ({
  id: deriveId<MemberId>('new member', address, protocolPort),
  attributes: { ...memberAttributes, address, protocolPort },
});
const newMonitor = (more: Partial<typeof healthMonitorAttributes> = {}) => ({
  id: deriveId<HealthMonitorId>('monitor', JSON.stringify(more)),
  attributes: { ...healthMonitorAttributes, ...more },
});

function decided(state: LoadBalancerState | undefined, command: LoadBalancerCommand) {
  const decision = decideLoadBalancer(state, command, 1);
  if (decision.type === 'refuse') return { refusal: decision.refusal, state };
  const next = decision.events.reduce(evolveLoadBalancer, state);
  if (next === undefined) throw new Error('nothing was created');
  return { refusal: undefined, state: next };
}

function after(...commands: readonly LoadBalancerCommand[]): LoadBalancerState {
  let state: LoadBalancerState | undefined;
  for (const command of commands) {
    const step = decided(state, command);
    if (step.refusal !== undefined) throw new Error(step.refusal.message);
    state = step.state;
  }
  if (state === undefined) throw new Error('nothing was created');
  return state;
}

const create = createLoadBalancer(id, { listeners: [front], pools: [web, tcp] });
const state = after(create);

describe('a listener and its pool', () => {
  const allowed: Record<ListenerProtocol, readonly PoolProtocol[]> = {
    TCP: ['TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2'],
    HTTP: ['HTTP', 'PROXY', 'PROXYV2'],
    HTTPS: ['HTTPS', 'TCP', 'PROXY', 'PROXYV2'],
    TERMINATED_HTTPS: ['HTTP', 'PROXY', 'PROXYV2'],
    PROMETHEUS: [],
    UDP: ['UDP'],
    SCTP: ['SCTP'],
  };
  const cases = (['TCP', 'HTTP', 'HTTPS', 'TERMINATED_HTTPS', 'PROMETHEUS', 'UDP', 'SCTP'] as const).flatMap((one) =>
    (['TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2', 'UDP', 'SCTP'] as const).map(
      (other) => [one, other, allowed[one].includes(other)] as const,
    ),
  );

  test.each(cases)('of protocols %s and %s fit together: %s', (protocol, poolProtocol, fits) => {
    const back = { ...pool('back', []), attributes: { ...poolAttributes, protocol: poolProtocol } };
    const tls = protocol === 'TERMINATED_HTTPS' ? { defaultTlsContainerRef: 'file:web' } : {};
    const attributes = { ...listenerAttributes, ...tls, protocol, defaultPoolId: back.id };
    const one = { id: deriveId<ListenerId>('l'), attributes };
    const { refusal } = decided(undefined, createLoadBalancer(id, { listeners: [one], pools: [back] }));
    if (fits) expect(refusal).toBeUndefined();
    else {
      expect(refusal).toEqual({
        code: 'invalid',
        message: `Validation failure: The pool protocol '${poolProtocol}' is invalid while the listener protocol is '${protocol}'.`,
        field: 'protocol',
      });
    }
  });

  test('are checked against each other when the listener changes its pool', () => {
    const command = { type: 'updateListener', id: front.id, patch: { defaultPoolId: tcp.id } } as const;
    expect(decided(state, command).refusal).toMatchObject({ code: 'invalid', field: 'protocol' });
  });

  test('must both be there', () => {
    const defaultPoolId = deriveId<PoolId>('nowhere');
    const command = { type: 'updateListener', id: front.id, patch: { defaultPoolId } } as const;
    expect(decided(state, command).refusal).toMatchObject({ code: 'notFound', field: 'defaultPoolId' });
  });
});

describe('a listener port', () => {
  test.each([
    ['taken by a listener of the same protocol', 80, 'HTTP', true],
    ['taken by a listener of another protocol over TCP', 80, 'TCP', true],
    ['free', 81, 'HTTP', false],
  ] as const)('that is %s', (_, protocolPort, protocol, isRefused) => {
    const attributes = { ...listenerAttributes, protocol, protocolPort };
    const one = { id: deriveId<ListenerId>('other'), attributes };
    const { refusal } = decided(state, { type: 'createListener', listener: one });
    expect(refusal?.code).toBe(isRefused ? 'conflict' : undefined);
    if (isRefused) expect(refusal?.message).toContain(`already using protocol ${protocol} and protocol_port 80`);
  });

  test('is free again once its listener is deleted', () => {
    const deleted = after(create, { type: 'deleteObject', kind: 'listener', id: front.id });
    const again = { id: deriveId<ListenerId>('again'), attributes: listenerAttributes };
    expect(decided(deleted, { type: 'createListener', listener: again }).refusal).toBeUndefined();
  });

  test('may be named again by the listener that has it', () => {
    const command = { type: 'updateListener', id: front.id, patch: { protocolPort: 80, name: 'same' } } as const;
    expect(decided(state, command).refusal).toBeUndefined();
  });
});

describe('a pool', () => {
  test('has one health monitor at most', () => {
    const first = { type: 'createHealthMonitor', poolId: web.id, healthMonitor: newMonitor() } as const;
    const monitored = after(create, first);
    const second = { ...first, healthMonitor: newMonitor({ delay: 9 }) };
    expect(decided(monitored, second).refusal).toMatchObject({
      code: 'conflict',
      message: 'This pool already has a health monitor',
    });
    const deleted = after(create, first, { type: 'deleteObject', kind: 'healthMonitor', id: first.healthMonitor.id });
    expect(decided(deleted, second).refusal).toBeUndefined();
  });

  test.each([
    ['the same address and port', '10.1.0.1', 80, true],
    ['the same address and another port', '10.1.0.1', 81, false],
    ['another address', '10.1.0.9', 80, false],
  ])('and two members of %s', (_, address, port, isRefused) => {
    const command = { type: 'createMember', poolId: web.id, member: newMember(address, port) } as const;
    expect(decided(state, command).refusal?.code).toBe(isRefused ? 'conflict' : undefined);
    expect(decided(state, { ...command, poolId: tcp.id }).refusal).toBeUndefined();
  });

  test('that is not there takes no member and no monitor', () => {
    const poolId = deriveId<PoolId>('nowhere');
    const member = { type: 'createMember', poolId, member: newMember('10.1.0.9') } as const;
    const monitor = { type: 'createHealthMonitor', poolId, healthMonitor: newMonitor() } as const;
    expect([decided(state, member).refusal?.code, decided(state, monitor).refusal?.code]).toEqual([
      'notFound',
      'notFound',
    ]);
  });
});

describe('a health monitor', () => {
  const monitorCases = [
    ['a domain name over HTTP 1.0', { domainName: 'example.org', httpVersion: 1.0 }, 'domainName'],
    ['a domain name over HTTP 1.1', { domainName: 'example.org', httpVersion: 1.1 }, undefined],
    ['no domain name', { httpVersion: 1.0 }, undefined],
    ['type TCP and a path', { type: 'TCP', urlPath: '/health' }, 'urlPath'],
    ['type TCP and a method', { type: 'TCP', httpMethod: 'HEAD' }, 'httpMethod'],
    ['type TCP and codes', { type: 'TCP', expectedCodes: '204' }, 'expectedCodes'],
    ['type TCP and an HTTP version', { type: 'TCP', httpVersion: 1.1 }, 'httpVersion'],
    ['type TCP and a domain name', { type: 'TCP', domainName: 'example.org' }, 'domainName'],
    ['type TCP and nothing of HTTP', { type: 'TCP', delay: 9 }, undefined],
    ['type HTTPS and a path', { type: 'HTTPS', urlPath: '/health' }, undefined],
    ['type TLS-HELLO and a path', { type: 'TLS-HELLO', urlPath: '/health' }, 'urlPath'],
    ['type PING and codes', { type: 'PING', expectedCodes: '204' }, 'expectedCodes'],
  ] as const;
  const field = (given: ReturnType<typeof decided>) =>
    given.refusal === undefined ? undefined : [given.refusal.code, given.refusal.field];
  const expected = (name: string | undefined) => (name === undefined ? undefined : ['invalid', name]);

  test.each(monitorCases)('with %s is judged alike alone, in a tree, and when it becomes so', (_, more, wrong) => {
    const alone = { type: 'createHealthMonitor', poolId: web.id, healthMonitor: newMonitor(more) } as const;
    expect(field(decided(state, alone))).toEqual(expected(wrong));
    const pools = [{ ...web, healthMonitor: newMonitor(more) }];
    expect(field(decided(undefined, createLoadBalancer(id, { pools })))).toEqual(expected(wrong));
    const plain = newMonitor({ type: 'type' in more ? more.type : 'HTTP' });
    const monitored = after(create, { ...alone, healthMonitor: plain });
    const { type: _type, ...patch } = { type: 'HTTP', ...more };
    const update = { type: 'updateHealthMonitor', id: plain.id, patch } as const;
    expect(field(decided(monitored, update))).toEqual(expected(wrong));
  });

  test('keeps HTTP 1.1 as long as it has a domain name', () => {
    const monitor = newMonitor({ domainName: 'example.org', httpVersion: 1.1 });
    const monitored = after(create, { type: 'createHealthMonitor', poolId: web.id, healthMonitor: monitor });
    const patch = (given: object) => ({ type: 'updateHealthMonitor', id: monitor.id, patch: given }) as const;
    expect(field(decided(monitored, patch({ httpVersion: 1.0 })))).toEqual(['invalid', 'domainName']);
    expect(field(decided(monitored, patch({ httpVersion: 1.0, domainName: null })))).toBeUndefined();
  });
});

describe('session persistence', () => {
  const cookie = { type: 'APP_COOKIE', cookieName: 'sid' } as const;
  const own = { type: 'HTTP_COOKIE', cookieName: null } as const;
  test.each([
    ['by address', 'TCP', { type: 'SOURCE_IP', cookieName: null }, true],
    ['by address and a cookie name', 'TCP', { type: 'SOURCE_IP', cookieName: 'a' }, false],
    ['by a cookie of haproxy', 'HTTP', own, true],
    ['by a cookie of haproxy with a name', 'HTTP', { ...own, cookieName: 'a' }, false],
    ['by a cookie of the members', 'PROXYV2', cookie, true],
    ['by a cookie of the members without a name', 'HTTP', { ...cookie, cookieName: null }, false],
    ['by a cookie where none can be read', 'TCP', own, false],
    ['by a cookie in what is encrypted', 'HTTPS', cookie, false],
  ] as const)('%s of a %s pool', (_, protocol, sessionPersistence, isAllowed) => {
    const back = pool('back', []);
    const created = { ...back, attributes: { ...poolAttributes, protocol, sessionPersistence } };
    const { refusal } = decided(state, { type: 'createPool', pool: created, listenerId: null });
    expect(refusal && [refusal.code, refusal.field]).toEqual(isAllowed ? undefined : ['invalid', 'sessionPersistence']);
    const plain = { ...back, attributes: { ...poolAttributes, protocol } };
    const there = after(create, { type: 'createPool', pool: plain, listenerId: null });
    const update = { type: 'updatePool', id: back.id, patch: { sessionPersistence } } as const;
    expect(decided(there, update).refusal?.code).toBe(isAllowed ? undefined : 'invalid');
  });
});

test('clients that may connect have the IP version of the VIP', () => {
  const vip = { subnetId: 's', networkId: 'n', requestedAddress: '192.0.2.1' };
  const attempt = (allowedCidrs: readonly string[]) => {
    const one = { id: deriveId<ListenerId>('cidr'), attributes: { ...listenerAttributes, allowedCidrs } };
    return decided(undefined, createLoadBalancer(id, { vip, listeners: [one] })).refusal;
  };
  expect(attempt(['10.0.0.0/8', '192.0.2.7'])).toBeUndefined();
  expect(attempt(['10.0.0.0/8', '2001:db8::/32'])).toMatchObject({ code: 'invalid', field: 'allowedCidrs' });
});

test('clients of either version may connect where there is a VIP of each', () => {
  const additional = [{ subnetId: 's6', requestedAddress: '2001:db8::1' }];
  const vip = { subnetId: 's', networkId: 'n', requestedAddress: '192.0.2.1', additional };
  const attributes = { ...listenerAttributes, allowedCidrs: ['10.0.0.0/8', '2001:db8::/32'] };
  const one = { id: deriveId<ListenerId>('cidr'), attributes };
  expect(decided(undefined, createLoadBalancer(id, { vip, listeners: [one] })).refusal).toBeUndefined();
});

test('security groups of the VIP and lists of who may connect exclude each other, whichever comes first', () => {
  const allowedCidrs = ['10.0.0.0/8'];
  const vipSgIds = ['0b0e5b1c-9d3a-4b8e-8f57-0c2f6a1d7e11'];
  const grouped = after(create, { type: 'updateLoadBalancer', patch: { vipSgIds } });
  const toListener = { type: 'updateListener', id: front.id, patch: { allowedCidrs } } as const;
  expect(decided(grouped, toListener).refusal).toMatchObject({ code: 'invalid' });
  const listed = after(create, toListener);
  expect(decided(listed, { type: 'updateLoadBalancer', patch: { vipSgIds } }).refusal).toMatchObject({
    code: 'invalid',
    field: 'vipSgIds',
  });
});

test('two load balancers cannot ask for one address, whichever of their VIPs it is', () => {
  const vip = {
    subnetId: 's',
    networkId: 'n',
    requestedAddress: '192.0.2.1',
    additional: [{ subnetId: 't', requestedAddress: '198.51.100.1' }],
  };
  const decision = decideLoadBalancer(undefined, createLoadBalancer(id, { vip }), 1);
  if (decision.type !== 'accept') throw new Error('it was refused');
  expect(decision.claims?.map(({ value }) => value)).toEqual(['n/192.0.2.1', 'n/198.51.100.1']);
  const claimed = decision.whenClaimed?.({ kind: 'vip', value: 'n/198.51.100.1' });
  expect(claimed).toMatchObject({
    refusal: { code: 'conflict', message: 'IP address 198.51.100.1 is already allocated', field: 'additionalVips' },
  });
});

describe('headers that are inserted', () => {
  test('are for listeners that speak HTTP, from the start and later', () => {
    const insertHeaders = { 'X-Forwarded-For': true };
    const one = (more: object) => ({ id: deriveId<ListenerId>('h'), attributes: { ...listenerAttributes, ...more } });
    const tcpListener = one({ protocol: 'TCP', protocolPort: 5432 });
    const refusal = {
      code: 'invalid',
      message: 'insert-headers is not a valid option for a TCP protocol listener.',
      field: 'insertHeaders',
    };
    const created = one({ protocol: 'TCP', protocolPort: 5432, insertHeaders });
    expect(decided(state, { type: 'createListener', listener: created }).refusal).toEqual(refusal);
    const plain = after(create, { type: 'createListener', listener: tcpListener });
    const update = { type: 'updateListener', id: tcpListener.id, patch: { insertHeaders } } as const;
    expect(decided(plain, update).refusal).toEqual(refusal);
    expect(decided(state, { ...update, id: front.id }).refusal).toBeUndefined();
  });
});
