import { describe, expect, test } from '@jest/globals';
import {
  deriveId,
  type L7RuleId,
  type ListenerId,
  type LoadBalancerId,
  type ObjectId,
  type PoolId,
} from '../../../../src/domain/ids.ts';
import type { L7PolicyAttributes, L7RuleAttributes } from '../../../../src/domain/load-balancer/attributes.ts';
import type { LoadBalancerCommand, NewL7Policy } from '../../../../src/domain/load-balancer/commands.ts';
import { decideLoadBalancer } from '../../../../src/domain/load-balancer/decide.ts';
import { evolveLoadBalancer } from '../../../../src/domain/load-balancer/evolve.ts';
import { policiesOf } from '../../../../src/domain/load-balancer/policies.ts';
import type { LoadBalancerState } from '../../../../src/domain/load-balancer/state.ts';
import { desired } from '../../../../src/domain/load-balancer/tree.ts';
import { SimulatedLoadBalancer } from '../../../support/simulated-load-balancer.ts';
import {
  createLoadBalancer,
  l7Policy,
  l7RuleAttributes,
  listener,
  listenerAttributes,
  pool,
  poolAttributes,
} from '../../../support/load-balancer-commands.ts';

const id = deriveId<LoadBalancerId>('policies');
const web = pool('web', []);
const tcpPool = { ...pool('tcp', []), attributes: { ...poolAttributes, name: 'tcp', protocol: 'TCP' } } as const;
const front = { ...listener(80), l7Policies: ['a', 'b', 'c'].map((name) => l7Policy(name)) };
const tcp = {
  id: deriveId<ListenerId>('tcp'),
  attributes: { ...listenerAttributes, protocol: 'TCP', protocolPort: 81 },
} as const;
const [a, b, c] = front.l7Policies as [NewL7Policy, NewL7Policy, NewL7Policy];

function decided(state: LoadBalancerState | undefined, command: LoadBalancerCommand) {
  const decision = decideLoadBalancer(state, command, 1);
  if (decision.type === 'refuse') return { refusal: decision.refusal, state };
  return { refusal: undefined, state: decision.events.reduce(evolveLoadBalancer, state) };
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

const create = createLoadBalancer(id, { listeners: [front, tcp], pools: [web, tcpPool] });
const state = after(create);
const refusalOf = (command: LoadBalancerCommand, from = state) => {
  const { refusal } = decided(from, command);
  return refusal && [refusal.code, refusal.field];
};
const added = (policy: NewL7Policy): LoadBalancerCommand => ({
  type: 'createL7Policy',
  listenerId: front.id,
  l7Policy: policy,
});
const updated = (policy: NewL7Policy, patch: Partial<L7PolicyAttributes>): LoadBalancerCommand => ({
  type: 'updateL7Policy',
  id: policy.id,
  patch,
});
const deleted = (kind: 'listener' | 'pool' | 'l7Policy' | 'l7Rule', object: ObjectId): LoadBalancerCommand => ({
  type: 'deleteObject',
  kind,
  id: object,
});

describe('places of policies', () => {
  const order = (...commands: readonly LoadBalancerCommand[]) =>
    policiesOf(after(create, ...commands), front.id).map(({ form }) => `${form.position}${form.name}`);

  test.each<[string, readonly LoadBalancerCommand[], readonly string[]]>([
    ['are those of the request', [], ['1a', '2b', '3c']],
    ['are the end when none is asked for', [added(l7Policy('d'))], ['1a', '2b', '3c', '4d']],
    ['are taken from those that have them', [added(l7Policy('d', { position: 2 }))], ['1a', '2d', '3b', '4c']],
    ['are given up by those that go', [deleted('l7Policy', a.id)], ['1b', '2c']],
    ['change upwards', [updated(a, { position: 3 })], ['1b', '2c', '3a']],
    ['change downwards', [updated(c, { position: 1 })], ['1c', '2a', '3b']],
    ['beyond the end are the end', [updated(b, { position: 99 })], ['1a', '2c', '3b']],
    ['stay when something else changes', [updated(b, { name: 'z' })], ['1a', '2z', '3c']],
  ])('%s', (_, commands, expected) => {
    expect(order(...commands)).toEqual(expected);
  });

  test('are those of the request in a tree too, one after the other', () => {
    const policies = [l7Policy('x'), l7Policy('y', { position: 1 }), l7Policy('z', { position: 2 })];
    const tree = createLoadBalancer(id, { listeners: [{ ...front, l7Policies: policies }] });
    expect(policiesOf(after(tree), front.id).map(({ form }) => form.name)).toEqual(['y', 'z', 'x']);
  });

  test('an update that changes nothing changes nobody', () => {
    const decision = decideLoadBalancer(state, updated(b, { position: 2, name: 'b' }), 1);
    expect(decision).toMatchObject({ type: 'accept', events: [] });
  });
});

describe('the target of a policy', () => {
  const nowhere = deriveId<PoolId>('nowhere');
  test.each<[string, Partial<L7PolicyAttributes>, readonly [string, string] | undefined]>([
    ['REJECT', {}, undefined],
    ['REJECT with a URL', { redirectUrl: 'http://x' }, ['invalid', 'redirectUrl']],
    ['REJECT with a code', { redirectHttpCode: 301 }, ['invalid', 'redirectHttpCode']],
    ['a pool', { action: 'REDIRECT_TO_POOL', redirectPoolId: web.id }, undefined],
    ['no pool', { action: 'REDIRECT_TO_POOL' }, ['invalid', 'redirectPoolId']],
    [
      'a pool that is not there',
      { action: 'REDIRECT_TO_POOL', redirectPoolId: nowhere },
      ['notFound', 'redirectPoolId'],
    ],
    ['a TCP pool', { action: 'REDIRECT_TO_POOL', redirectPoolId: tcpPool.id }, ['invalid', 'protocol']],
    ['no URL', { action: 'REDIRECT_TO_URL' }, ['invalid', 'redirectUrl']],
    [
      'a URL and a pool',
      { action: 'REDIRECT_TO_URL', redirectUrl: 'http://x', redirectPoolId: web.id },
      ['invalid', 'redirectPoolId'],
    ],
    [
      'a prefix and a code',
      { action: 'REDIRECT_PREFIX', redirectPrefix: 'http://x', redirectHttpCode: 308 },
      undefined,
    ],
    ['no prefix', { action: 'REDIRECT_PREFIX', redirectUrl: 'http://x' }, ['invalid', 'redirectPrefix']],
  ])('%s', (_, more, expected) => {
    expect(refusalOf(added(l7Policy('d', more)))).toEqual(expected);
    expect(refusalOf(updated(a, more))).toEqual(expected);
  });

  test('goes with the action it belonged to, and a redirection has a code', () => {
    const moved = after(create, updated(a, { action: 'REDIRECT_TO_URL', redirectUrl: 'http://x' }));
    const form = () => policiesOf(moved, front.id)[0]?.form;
    expect(form()).toMatchObject({ redirectUrl: 'http://x', redirectHttpCode: 302 });
    const back = decided(moved, updated(a, { action: 'REJECT' })).state;
    expect(back && policiesOf(back, front.id)[0]?.form).toMatchObject({ redirectUrl: null, redirectHttpCode: null });
  });

  test('cannot be deleted while a policy leads to it', () => {
    const led = after(create, updated(a, { action: 'REDIRECT_TO_POOL', redirectPoolId: web.id }));
    expect(decided(led, deleted('pool', web.id)).refusal).toEqual({
      code: 'conflict',
      message: `Pool ${web.id} is in use by L7 policy ${a.id}`,
      field: undefined,
    });
    const free = decided(led, deleted('l7Policy', a.id)).state;
    expect(refusalOf(deleted('pool', web.id), free)).toBeUndefined();
  });
});

test('policies are for listeners that speak HTTP', () => {
  const command = { type: 'createL7Policy', listenerId: tcp.id, l7Policy: l7Policy('d') } as const;
  expect(refusalOf(command)).toEqual(['invalid', 'listenerId']);
  const nowhere = deriveId<ListenerId>('nowhere');
  expect(refusalOf({ ...command, listenerId: nowhere })).toEqual(['notFound', 'listenerId']);
});

describe('a rule', () => {
  const newRule = (more: Partial<L7RuleAttributes>, index = 0) =>
    ({
      type: 'createL7Rule',
      l7PolicyId: a.id,
      l7Rule: { id: deriveId<L7RuleId>('new rule', index), attributes: { ...l7RuleAttributes, ...more } },
    }) as const;

  test.each<[string, Partial<L7RuleAttributes>, string | undefined]>([
    ['HEADER with a key', { type: 'HEADER', key: 'x' }, undefined],
    ['HEADER without one', { type: 'HEADER' }, 'key'],
    ['COOKIE without one', { type: 'COOKIE' }, 'key'],
    ['PATH with a key', { key: 'x' }, 'key'],
    ['FILE_TYPE that begins with', { type: 'FILE_TYPE', compareType: 'STARTS_WITH' }, 'compareType'],
    ['FILE_TYPE that is', { type: 'FILE_TYPE', compareType: 'EQUAL_TO' }, undefined],
    ['FILE_TYPE that is like', { type: 'FILE_TYPE', compareType: 'REGEX' }, undefined],
    ['SSL_CONN_HAS_CERT', { type: 'SSL_CONN_HAS_CERT', compareType: 'EQUAL_TO' }, 'type'],
    ['SSL_DN_FIELD', { type: 'SSL_DN_FIELD', key: 'CN' }, 'type'],
  ])('%s', (_, more, field) => {
    expect(refusalOf(newRule(more))).toEqual(field && ['invalid', field]);
    const patch = { type: 'updateL7Rule', id: a.rules[0]?.id as never, patch: more } as const;
    expect(refusalOf(patch)).toEqual(field && ['invalid', field]);
  });

  test('is one of fifty at most', () => {
    const full = after(create, ...Array.from({ length: 49 }, (_, index) => newRule({}, index)));
    expect(refusalOf(newRule({}, 50), full)).toEqual(['conflict', undefined]);
    const one = decided(full, deleted('l7Rule', deriveId('new rule', 0))).state;
    expect(refusalOf(newRule({}, 50), one)).toBeUndefined();
  });
});

test('what is deleted takes along what is in it', () => {
  const kinds = (...commands: readonly LoadBalancerCommand[]) => {
    const left = after(create, ...commands);
    return [desired(left, 'l7Policy').length, desired(left, 'l7Rule').length];
  };
  expect(kinds()).toEqual([3, 3]);
  expect(kinds(deleted('l7Rule', a.rules[0]?.id as ObjectId))).toEqual([3, 2]);
  expect(kinds(deleted('l7Policy', a.id))).toEqual([2, 2]);
  expect(kinds(deleted('listener', front.id))).toEqual([0, 0]);
});

describe('a rule that amphorae refuse', () => {
  function served(...commands: readonly LoadBalancerCommand[]): string {
    const simulated = new SimulatedLoadBalancer();
    simulated.refuses = '/wrong';
    const all = [createLoadBalancer(simulated.id, { listeners: [listener(80)] }), ...commands];
    for (const [index, command] of all.entries()) {
      simulated.now += index;
      simulated.command(command);
      while (simulated.step(() => 'succeeds'));
    }
    return [...simulated.serving.values()].join();
  }
  const right = l7Policy('right', {}, ['/right']);
  const mixed = l7Policy('mixed', {}, ['/mixed', '/wrong']);
  const [good, bad] = mixed.rules;

  test('keeps the policy that came with it from being served, since that would match too much', () => {
    const text = served(added(right), added(mixed));
    expect([text.includes('/right'), text.includes('/mixed')]).toEqual([true, false]);
  });

  test('leaves a policy that it was added to as it was', () => {
    if (good === undefined || bad === undefined) throw new Error('no rules');
    const later = { type: 'createL7Rule', l7PolicyId: mixed.id, l7Rule: bad } as const;
    expect(served(added({ ...mixed, rules: [good] }), later)).toContain('/mixed');
  });

  test('is no hindrance any more when it is changed or deleted', () => {
    if (bad === undefined) throw new Error('no rule');
    const changed = { type: 'updateL7Rule', id: bad.id, patch: { value: '/better' } } as const;
    expect(served(added(mixed), changed)).toContain('/better');
    expect(served(added(mixed), deleted('l7Rule', bad.id))).toContain('/mixed');
  });
});
