import { describe, expect, test } from '@jest/globals';
import { deriveId, type LoadBalancerId, type MemberId } from '../../../../src/domain/ids.ts';
import { changesOf, type TreeCommand } from '../../../../src/domain/load-balancer/changes.ts';
import { decideLoadBalancer } from '../../../../src/domain/load-balancer/decide.ts';
import { evolveLoadBalancer } from '../../../../src/domain/load-balancer/evolve.ts';
import type { LoadBalancerState } from '../../../../src/domain/load-balancer/state.ts';
import {
  createLoadBalancer,
  healthMonitorAttributes,
  listener,
  memberAttributes,
  pool,
} from '../../../support/load-balancer-commands.ts';

const id = deriveId<LoadBalancerId>('changes');
const web = {
  ...pool('web', ['10.1.0.1', '10.1.0.2']),
  healthMonitor: { id: deriveId('hm') as never, attributes: healthMonitorAttributes },
};
const other = pool('other', ['10.1.0.1']);
const listeners = [listener(80, web.id), listener(81, web.id), listener(82, other.id)];

function created(): LoadBalancerState {
  const decision = decideLoadBalancer(undefined, createLoadBalancer(id, { listeners, pools: [web, other] }), 1);
  if (decision.type === 'refuse') throw new Error(decision.refusal.message);
  const state = decision.events.reduce(evolveLoadBalancer, undefined as LoadBalancerState | undefined);
  if (state === undefined) throw new Error('nothing was created');
  return state;
}

const state = created();

function changes(command: TreeCommand) {
  const meaning = changesOf(state, command);
  if ('type' in meaning) throw new Error(meaning.type === 'refuse' ? meaning.refusal.message : meaning.type);
  return meaning.changes;
}

const member = (address: string, more: Partial<typeof memberAttributes> = {}) => ({
  id: deriveId<MemberId>('given', address),
  attributes: { ...memberAttributes, address, ...more },
});

describe('the deletion of a pool', () => {
  test('takes its members and its monitor along and lets go of its listeners, and of no others', () => {
    const found = changes({ type: 'deleteObject', kind: 'pool', id: web.id });
    expect(found.map((change) => [change.kind, change.id, change.form === null])).toEqual([
      ['listener', listeners[0]?.id, false],
      ['listener', listeners[1]?.id, false],
      ['member', web.members[0]?.id, true],
      ['member', web.members[1]?.id, true],
      ['healthMonitor', web.healthMonitor.id, true],
      ['pool', web.id, true],
    ]);
    expect(found[0]?.form).toMatchObject({ protocolPort: 80, defaultPoolId: null });
  });
});

describe('the replacement of members', () => {
  test('makes new ones, updates known ones under their id, leaves equal ones alone and removes the rest', () => {
    const members = [member('10.1.0.1'), member('10.1.0.3')];
    expect(changes({ type: 'replaceMembers', poolId: web.id, members, additiveOnly: false })).toEqual([
      { kind: 'member', id: members[1]?.id, parentId: web.id, form: members[1]?.attributes },
      { kind: 'member', id: web.members[1]?.id, parentId: web.id, form: null },
    ]);
    const heavier = [member('10.1.0.2', { weight: 9 })];
    expect(changes({ type: 'replaceMembers', poolId: web.id, members: heavier, additiveOnly: false })).toMatchObject([
      { id: web.members[1]?.id, form: { weight: 9 } },
      { id: web.members[0]?.id, form: null },
    ]);
  });

  test('that only adds leaves members alone that are not named', () => {
    const members = [member('10.1.0.3')];
    expect(changes({ type: 'replaceMembers', poolId: web.id, members, additiveOnly: true })).toHaveLength(1);
  });

  test('by none removes all; by the same ones changes nothing', () => {
    const forms = (members: readonly ReturnType<typeof member>[]) =>
      changes({ type: 'replaceMembers', poolId: web.id, members, additiveOnly: false }).map(({ form }) => form);
    expect(forms([])).toEqual([null, null]);
    expect(forms([member('10.1.0.2'), member('10.1.0.1')])).toEqual([]);
  });

  test('that names one twice, or a pool that is not there, is refused', () => {
    const twice = [member('10.1.0.3'), member('10.1.0.3', { weight: 3 })];
    expect(() => changes({ type: 'replaceMembers', poolId: web.id, members: twice, additiveOnly: false })).toThrow(
      'names member 10.1.0.3 port 80 twice',
    );
    const poolId = deriveId('nowhere') as typeof web.id;
    expect(() => changes({ type: 'replaceMembers', poolId, members: [], additiveOnly: false })).toThrow('not found');
  });
});

describe('an update', () => {
  test('replaces the attributes given, and means nothing when all are as they were', () => {
    const [first] = listeners;
    if (first === undefined) throw new Error('no listener');
    const renamed = changes({ type: 'updateListener', id: first.id, patch: { name: 'new', description: undefined } });
    expect(renamed).toEqual([
      { kind: 'listener', id: first.id, parentId: id, form: { ...first.attributes, name: 'new' } },
    ]);
    expect(changes({ type: 'updateListener', id: first.id, patch: { name: 'listener-80' } })).toEqual([]);
  });

  test('of a member needs the pool it is in', () => {
    const memberId = web.members[0]?.id as MemberId;
    const command = { type: 'updateMember', id: memberId, poolId: other.id, patch: { weight: 2 } } as const;
    expect(() => changes(command)).toThrow('not found');
    expect(changes({ ...command, poolId: web.id })).toHaveLength(1);
  });
});

describe('a new pool for a listener', () => {
  test('becomes its default, unless it has one', () => {
    const fresh = pool('fresh', ['10.1.0.8']);
    const [first] = listeners;
    if (first === undefined) throw new Error('no listener');
    expect(() => changes({ type: 'createPool', pool: fresh, listenerId: first.id })).toThrow(
      'already has a default pool',
    );
    const bare = listener(90);
    const decision = decideLoadBalancer(state, { type: 'createListener', listener: bare }, 2);
    const next = decision.type === 'accept' ? decision.events.reduce(evolveLoadBalancer, state) : undefined;
    if (next === undefined) throw new Error('refused');
    expect(changesOf(next, { type: 'createPool', pool: fresh, listenerId: bare.id })).toMatchObject({
      about: fresh.id,
      changes: [{ kind: 'pool' }, { kind: 'member' }, { kind: 'listener', form: { defaultPoolId: fresh.id } }],
    });
  });
});
