import { describe, expect, test } from '@jest/globals';
import type { ListenerAttributes, PoolAttributes } from '../../../../src/domain/load-balancer/attributes.ts';
import { decideLoadBalancer } from '../../../../src/domain/load-balancer/decide.ts';
import { evolveLoadBalancer } from '../../../../src/domain/load-balancer/evolve.ts';
import { deriveId, type LoadBalancerId } from '../../../../src/domain/ids.ts';
import {
  createLoadBalancer,
  l7Policy,
  l7RuleAttributes,
  listener,
  listenerAttributes,
  pool,
  poolAttributes,
} from '../../../support/load-balancer-commands.ts';
import type { L7RuleAttributes } from '../../../../src/domain/load-balancer/attributes.ts';

const id = deriveId<LoadBalancerId>('tls rules');
const terminated = { protocol: 'TERMINATED_HTTPS', defaultTlsContainerRef: 'file:web' } as const;

function refusalOf(command: Parameters<typeof decideLoadBalancer>[1]) {
  const decision = decideLoadBalancer(undefined, command, 1);
  return decision.type === 'refuse' ? decision.refusal : undefined;
}

function ofListener(more: Partial<ListenerAttributes>) {
  const one = { ...listener(443), attributes: { ...listenerAttributes, ...more } };
  return refusalOf(createLoadBalancer(id, { listeners: [one] }));
}

function ofPool(more: Partial<PoolAttributes>) {
  const one = { ...pool('p', []), attributes: { ...poolAttributes, ...more } };
  return refusalOf(createLoadBalancer(id, { pools: [one] }));
}

const refs = 'Certificate container references are not allowed on HTTP protocol listeners.';
const hstsNeeds =
  'HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if hsts_max_age is set as well.';
const hstsFor = 'The HSTS feature can only be used for listeners using the TERMINATED_HTTPS protocol.';
const certificate = 'An SNI or default certificate container reference must be provided';
const mandatory = 'Client authentication setting MANDATORY requires a client CA container reference.';
const revocationNeeds =
  'A client authentication CA reference is required to specify a client authentication revocation list.';

describe('a listener is refused', () => {
  test.each<[Partial<ListenerAttributes>, string, string]>([
    [{ protocol: 'TERMINATED_HTTPS' }, certificate, 'defaultTlsContainerRef'],
    [{ ...terminated, clientAuthentication: 'MANDATORY' }, mandatory, 'clientCaTlsContainerRef'],
    [{ ...terminated, clientCrlContainerRef: 'file:crl' }, revocationNeeds, 'clientCrlContainerRef'],
    [{ ...terminated, hstsPreload: true }, hstsNeeds, 'hstsMaxAge'],
    [{ defaultTlsContainerRef: 'file:web' }, refs, 'defaultTlsContainerRef'],
    [{ sniContainerRefs: ['file:web'] }, refs, 'sniContainerRefs'],
    [{ clientCaTlsContainerRef: 'file:ca' }, refs, 'clientCaTlsContainerRef'],
    [{ hstsMaxAge: 5 }, hstsFor, 'hstsMaxAge'],
    [{ tlsVersions: ['TLSv1.2'] }, 'tlsVersions is for listeners of protocol TERMINATED_HTTPS', 'tlsVersions'],
    [{ tlsCiphers: 'HIGH' }, 'tlsCiphers is for listeners of protocol TERMINATED_HTTPS', 'tlsCiphers'],
    [{ alpnProtocols: ['h2'] }, 'alpnProtocols is for listeners', 'alpnProtocols'],
    [{ clientAuthentication: 'OPTIONAL' }, 'clientAuthentication is for listeners', 'clientAuthentication'],
    [{ protocol: 'PROMETHEUS', clientCaTlsContainerRef: 'file:ca' }, certificate, 'clientCaTlsContainerRef'],
    [{ insertHeaders: { 'X-SSL-Client-CN': true } }, 'X-SSL-Client-CN is not a valid option', 'insertHeaders'],
  ])('with %j', (more, message, field) => {
    expect(ofListener(more)).toMatchObject({ code: 'invalid', field, message: expect.stringContaining(message) });
  });
});

test.each<Partial<ListenerAttributes>>([
  terminated,
  { protocol: 'TERMINATED_HTTPS', sniContainerRefs: ['file:a'] },
  {
    ...terminated,
    clientAuthentication: 'OPTIONAL',
    clientCaTlsContainerRef: 'file:ca',
    clientCrlContainerRef: 'file:r',
  },
  { ...terminated, hstsMaxAge: 0, hstsPreload: true },
  { ...terminated, insertHeaders: { 'X-SSL-Client-CN': true, 'X-Forwarded-For': true } },
  { protocol: 'PROMETHEUS', defaultTlsContainerRef: 'file:web' },
])('a listener is taken with %j', (more) => {
  expect(ofListener(more)).toBeUndefined();
});

test('a pool with revocations needs authorities, and datagrams know no TLS', () => {
  expect(ofPool({ crlContainerRef: 'file:r' })).toMatchObject({
    field: 'crlContainerRef',
    message: 'Validation failure: A CA certificate reference is required to specify a revocation list.',
  });
  expect(ofPool({ protocol: 'UDP', tlsEnabled: true })).toMatchObject({ field: 'tlsEnabled' });
  expect(ofPool({ tlsEnabled: true, caTlsContainerRef: 'file:ca', crlContainerRef: 'file:r' })).toBeUndefined();
});

describe('L7 rules of client certificates', () => {
  const rule = (more: Partial<L7RuleAttributes>, protocol: 'HTTP' | 'TERMINATED_HTTPS' = 'TERMINATED_HTTPS') => {
    const policy = l7Policy('p', {}, ['/']);
    const [first] = policy.rules;
    const attributes = { ...l7RuleAttributes, compareType: 'EQUAL_TO' as const, ...more };
    const l7Policies = [{ ...policy, rules: first === undefined ? [] : [{ ...first, attributes }] }];
    const own = protocol === 'HTTP' ? {} : terminated;
    const one = { ...listener(443), attributes: { ...listenerAttributes, ...own }, l7Policies };
    return refusalOf(createLoadBalancer(id, { listeners: [one] }));
  };

  test.each<[Partial<L7RuleAttributes>, string | undefined]>([
    [{ type: 'SSL_CONN_HAS_CERT', value: 'True' }, undefined],
    [{ type: 'SSL_CONN_HAS_CERT', value: 'yes' }, 'value'],
    [{ type: 'SSL_CONN_HAS_CERT', value: 'true', compareType: 'REGEX' }, 'compareType'],
    [{ type: 'SSL_CONN_HAS_CERT', value: 'true', key: 'CN' }, 'key'],
    [{ type: 'SSL_VERIFY_RESULT', value: '0' }, undefined],
    [{ type: 'SSL_VERIFY_RESULT', value: '-1' }, 'value'],
    [{ type: 'SSL_DN_FIELD', key: 'CN', value: 'x', compareType: 'STARTS_WITH' }, undefined],
    [{ type: 'SSL_DN_FIELD', key: '1CN', value: 'x' }, 'key'],
    [{ type: 'SSL_DN_FIELD', value: 'x' }, 'key'],
  ])('%j: %s', (more, field) => {
    expect(rule(more)?.field).toBe(field);
  });

  test('are for listeners that end TLS', () => {
    expect(rule({ type: 'SSL_CONN_HAS_CERT', value: 'true' }, 'HTTP')).toMatchObject({ field: 'type' });
  });
});

test('a reference that is named again is a change, though it is the same; other attributes are not', () => {
  const one = { ...listener(443), attributes: { ...listenerAttributes, ...terminated } };
  const created = decideLoadBalancer(undefined, createLoadBalancer(id, { listeners: [one] }), 1);
  if (created.type === 'refuse') throw new Error(created.refusal.message);
  const state = created.events.reduce(evolveLoadBalancer, undefined);
  const eventsOf = (patch: Partial<ListenerAttributes>) => {
    const decision = decideLoadBalancer(state, { type: 'updateListener', id: one.id, patch }, 2);
    return decision.type === 'accept' ? decision.events.length : decision.refusal.message;
  };
  expect(eventsOf({ defaultTlsContainerRef: 'file:web' })).toBe(1);
  expect(eventsOf({ hstsMaxAge: null, sniContainerRefs: [] })).toBe(0);
});
