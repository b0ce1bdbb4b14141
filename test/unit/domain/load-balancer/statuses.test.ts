import { describe, expect, test } from '@jest/globals';
import { deriveId, type LoadBalancerId, type ObjectId } from '../../../../src/domain/ids.ts';
import type { LoadBalancerCommand } from '../../../../src/domain/load-balancer/commands.ts';
import { errorReason, provisioningStatuses } from '../../../../src/domain/load-balancer/statuses.ts';
import type { LoadBalancerState } from '../../../../src/domain/load-balancer/state.ts';
import {
  createLoadBalancer,
  l7Policy,
  listener,
  memberAttributes,
  pool,
} from '../../../support/load-balancer-commands.ts';
import { type Fate, SimulatedLoadBalancer } from '../../../support/simulated-load-balancer.ts';

const web = pool('web', ['10.1.0.1']);
const lone = pool('lone', []);
const front = listener(80, web.id);
const other = listener(81);
const [member] = web.members;
if (member === undefined) throw new Error('no member');

function settle(simulated: SimulatedLoadBalancer, fate: () => Fate = () => 'succeeds'): void {
  for (let count = 0; count < 50 && simulated.running.length > 0; count++) simulated.step(fate);
}

function active(): SimulatedLoadBalancer {
  const simulated = new SimulatedLoadBalancer();
  simulated.command(createLoadBalancer(simulated.id, { listeners: [front, other], pools: [web, lone] }));
  settle(simulated);
  return simulated;
}

function stateOf({ state }: SimulatedLoadBalancer): LoadBalancerState {
  if (state === undefined) throw new Error('there is no load balancer');
  return state;
}

function statusesOf(simulated: SimulatedLoadBalancer, ids: readonly ObjectId[]) {
  const statuses = provisioningStatuses(stateOf(simulated));
  return ids.map((object) => statuses.get(object));
}

const family = (id: LoadBalancerId): readonly ObjectId[] => [id, front.id, web.id, member.id, other.id, lone.id];

describe('provisioning statuses', () => {
  test('of a load balancer on its way up are PENDING_CREATE, then all ACTIVE', () => {
    const simulated = new SimulatedLoadBalancer();
    simulated.command(createLoadBalancer(simulated.id, { listeners: [front, other], pools: [web, lone] }));
    expect(new Set(statusesOf(simulated, family(simulated.id)))).toEqual(new Set(['PENDING_CREATE']));
    settle(simulated);
    expect(new Set(statusesOf(simulated, family(simulated.id)))).toEqual(new Set(['ACTIVE']));
  });

  const newMember = {
    id: deriveId('new member') as typeof member.id,
    attributes: { ...memberAttributes, address: '10.9.9.9' },
  };
  test.each<[string, LoadBalancerCommand, readonly (string | undefined)[]]>([
    [
      'of a member shows in pool, listener and load balancer',
      { type: 'updateMember', id: member.id, poolId: web.id, patch: { weight: 5 } },
      ['PENDING_UPDATE', 'PENDING_UPDATE', 'PENDING_UPDATE', 'PENDING_UPDATE', 'ACTIVE', 'ACTIVE'],
    ],
    [
      'of a pool that nobody uses shows in the load balancer only',
      { type: 'createMember', poolId: lone.id, member: newMember },
      ['PENDING_UPDATE', 'ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE', 'PENDING_UPDATE'],
    ],
    [
      'of a listener shows in the load balancer only',
      { type: 'updateListener', id: other.id, patch: { name: 'new' } },
      ['PENDING_UPDATE', 'ACTIVE', 'ACTIVE', 'ACTIVE', 'PENDING_UPDATE', 'ACTIVE'],
    ],
    [
      'that deletes a pool shows in the listener that used it',
      { type: 'deleteObject', kind: 'pool', id: web.id },
      ['PENDING_UPDATE', 'PENDING_UPDATE', 'PENDING_DELETE', 'PENDING_DELETE', 'ACTIVE', 'ACTIVE'],
    ],
  ])('under a change %s', (_, command, expected) => {
    const simulated = active();
    expect(simulated.command(command)).toBe('ok');
    expect(statusesOf(simulated, family(simulated.id))).toEqual(expected);
    settle(simulated);
    expect(statusesOf(simulated, [simulated.id])).toEqual(['ACTIVE']);
  });

  test('of L7 policies and rules show in policy, listener and load balancer, those of a pool in listeners that lead to it', () => {
    const simulated = active();
    const toLone = l7Policy('to lone', { action: 'REDIRECT_TO_POOL', redirectPoolId: lone.id });
    const rule = toLone.rules[0]?.id as ObjectId;
    const ids = [simulated.id, other.id, toLone.id, rule, front.id];
    simulated.command({ type: 'createL7Policy', listenerId: other.id, l7Policy: toLone });
    expect(statusesOf(simulated, ids)).toEqual([
      'PENDING_UPDATE',
      'PENDING_UPDATE',
      'PENDING_CREATE',
      'PENDING_CREATE',
      'ACTIVE',
    ]);
    settle(simulated);
    simulated.command({ type: 'updateL7Rule', id: rule as never, patch: { value: '/new' } });
    expect(statusesOf(simulated, ids)).toEqual([
      'PENDING_UPDATE',
      'PENDING_UPDATE',
      'PENDING_UPDATE',
      'PENDING_UPDATE',
      'ACTIVE',
    ]);
    settle(simulated);
    simulated.command({ type: 'createMember', poolId: lone.id, member: newMember });
    expect(statusesOf(simulated, ids)).toEqual(['PENDING_UPDATE', 'PENDING_UPDATE', 'ACTIVE', 'ACTIVE', 'ACTIVE']);
    settle(simulated);
    expect(new Set(statusesOf(simulated, ids))).toEqual(new Set(['ACTIVE']));
  });

  test('are PENDING_DELETE for everything under a deletion, and DELETED at its end', () => {
    const simulated = active();
    simulated.command({ type: 'deleteLoadBalancer', cascade: true });
    expect(new Set(statusesOf(simulated, family(simulated.id)))).toEqual(new Set(['PENDING_DELETE']));
    settle(simulated);
    expect(statusesOf(simulated, [simulated.id])).toEqual(['DELETED']);
  });

  test('are ERROR for what amphorae refuse, and for nothing beside it', () => {
    const simulated = active();
    simulated.refuses = ':8111';
    simulated.command({ type: 'createListener', listener: listener(8110) });
    simulated.command({ type: 'createListener', listener: listener(8111) });
    settle(simulated);
    expect(statusesOf(simulated, [simulated.id, listener(8110).id, listener(8111).id, front.id])).toEqual([
      'ACTIVE',
      'ACTIVE',
      'ERROR',
      'ACTIVE',
    ]);
  });

  test('are ERROR, with the reason, for a load balancer whose step has failed too often, until a try succeeds', () => {
    const simulated = new SimulatedLoadBalancer();
    simulated.command(createLoadBalancer(simulated.id, { listeners: [front], pools: [web] }));
    for (let count = 0; count < 60 && errorReason(stateOf(simulated)) === undefined; count++)
      simulated.step(() => 'fails');
    expect(statusesOf(simulated, [simulated.id, front.id])).toEqual(['ERROR', 'ERROR']);
    expect(errorReason(stateOf(simulated))).toMatch(/^step \S+ failed 3 times: told to fail$/);
    for (let count = 0; count < 60 && statusesOf(simulated, [simulated.id])[0] !== 'ACTIVE'; count++) {
      simulated.step(() => 'succeeds');
    }
    expect(statusesOf(simulated, [simulated.id, front.id])).toEqual(['ACTIVE', 'ACTIVE']);
  });
});
