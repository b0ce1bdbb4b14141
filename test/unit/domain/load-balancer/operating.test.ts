import { describe, expect, test } from '@jest/globals';
import type { Observation } from '../../../../src/domain/health/table.ts';
import { deriveId, type HealthMonitorId, type LoadBalancerId, type ObjectId } from '../../../../src/domain/ids.ts';
import { decideLoadBalancer } from '../../../../src/domain/load-balancer/decide.ts';
import { evolveLoadBalancer } from '../../../../src/domain/load-balancer/evolve.ts';
import { operatingStatuses, type Said } from '../../../../src/domain/load-balancer/operating.ts';
import type { LbObject, LoadBalancerState } from '../../../../src/domain/load-balancer/state.ts';
import {
  createLoadBalancer,
  healthMonitorAttributes,
  l7Policy,
  listener,
  pool,
} from '../../../support/load-balancer-commands.ts';

const id = deriveId<LoadBalancerId>('operating');
const monitor = { id: deriveId<HealthMonitorId>('operating', 'monitor'), attributes: healthMonitorAttributes };
const web = { ...pool('web', ['10.1.0.1', '10.1.0.2']), healthMonitor: monitor };
const unused = pool('unused', ['10.2.0.1']);
const front = listener(80, web.id);
const elsewhere = pool('elsewhere', ['10.3.0.1']);
const policy = l7Policy('to elsewhere', { action: 'REDIRECT_TO_POOL', redirectPoolId: elsewhere.id });
const rule = policy.rules[0]?.id as ObjectId;
const second = { ...listener(81, web.id), l7Policies: [policy] };
const [one, two] = web.members.map((member) => member.id as ObjectId) as [ObjectId, ObjectId];

/** Amphorae have accepted everything, but for what `down` names: that has its admin state down. */
function state(down: readonly ObjectId[] = []): LoadBalancerState {
  const command = createLoadBalancer(id, { listeners: [front, second], pools: [web, unused, elsewhere] });
  const decision = decideLoadBalancer(undefined, command, 1);
  if (decision.type === 'refuse') throw new Error(decision.refusal.message);
  const created = decision.events.reduce(evolveLoadBalancer, undefined as LoadBalancerState | undefined);
  if (created === undefined) throw new Error('nothing was created');
  const objects = Object.values(created.objects).map((object) => {
    const desired = down.includes(object.id) ? { ...object.desired, adminStateUp: false } : object.desired;
    return [object.id, { ...object, desired, accepted: desired, acceptedIn: 1 } as LbObject] as const;
  });
  return { ...created, objects: Object.fromEntries(objects) as LoadBalancerState['objects'] };
}

const stats = { tx: 0, rx: 0, conns: 0, totconns: 0, ereq: 0 };

function observed(words: { one?: string; two?: string; pool?: string; front?: string | null } = {}): Observation {
  const { one: first = 'UP', two: other = 'UP', pool: poolWord = 'UP', front: frontWord = 'OPEN' } = words;
  const report = { status: poolWord, members: { [one]: first, [two]: other } };
  const listeners = { [second.id]: { status: 'OPEN', stats } };
  return {
    listeners: frontWord === null ? listeners : { ...listeners, [front.id]: { status: frontWord, stats } },
    pools: { [`${web.id}:${front.id}`]: report, [`${web.id}:${second.id}`]: { status: 'UP', members: report.members } },
  };
}

function said(...observations: readonly Observation[]): readonly Said[] {
  return observations.map((observation) => ({ observation, isStale: false }));
}

describe('what a heartbeat says', () => {
  test('of a tree where all is well makes it ONLINE', () => {
    const statuses = operatingStatuses(state(), said(observed()));
    const expected = {
      [id]: 'ONLINE',
      [front.id]: 'ONLINE',
      [web.id]: 'ONLINE',
      [one]: 'ONLINE',
      [monitor.id]: 'ONLINE',
    };
    for (const [object, status] of Object.entries(expected))
      expect([object, statuses.get(object as ObjectId)]).toEqual([object, status]);
    expect(statuses.get(unused.id)).toBe('OFFLINE');
  });

  test.each([
    ['UP', 'ONLINE', 'ONLINE', 'ONLINE'],
    ['UP 1/2', 'ONLINE', 'ONLINE', 'ONLINE'],
    ['DOWN', 'ERROR', 'DEGRADED', 'DEGRADED'],
    ['DOWN 1/2', 'ERROR', 'DEGRADED', 'DEGRADED'],
    ['DRAIN', 'DRAINING', 'ONLINE', 'ONLINE'],
    ['MAINT', 'OFFLINE', 'ONLINE', 'ONLINE'],
    ['no check', 'NO_MONITOR', 'ONLINE', 'ONLINE'],
  ])('%s of a member means %s, for the pool %s, for the load balancer %s', (word, member, poolStatus, whole) => {
    const statuses = operatingStatuses(state(), said(observed({ one: word })));
    expect([statuses.get(one), statuses.get(web.id), statuses.get(id)]).toEqual([member, poolStatus, whole]);
    expect(statuses.get(two)).toBe('ONLINE');
  });

  test.each(['ERROR', 'ONLINE', 'DRAINING'] as const)('RESTARTING of a member leaves it %s', (before) => {
    const statuses = operatingStatuses(state(), said(observed({ one: 'RESTARTING' })), new Map([[one, before]]));
    expect(statuses.get(one)).toBe(before);
  });

  test('RESTARTING of a member that nothing is known of is no word at all', () => {
    expect(operatingStatuses(state(), said(observed({ one: 'RESTARTING' }))).get(one)).toBe('OFFLINE');
  });

  test('DOWN of a pool, under any of its listeners, means ERROR for it and the load balancer', () => {
    const statuses = operatingStatuses(state(), said(observed({ pool: 'DOWN' })));
    expect([statuses.get(web.id), statuses.get(id)]).toEqual(['ERROR', 'ERROR']);
  });

  test('FULL of a listener degrades it and the load balancer', () => {
    const statuses = operatingStatuses(state(), said(observed({ front: 'FULL' })));
    expect([statuses.get(front.id), statuses.get(second.id), statuses.get(id)]).toEqual([
      'DEGRADED',
      'ONLINE',
      'DEGRADED',
    ]);
  });

  test('by leaving out a listener that serves means ERROR', () => {
    const statuses = operatingStatuses(state(), said(observed({ front: null })));
    expect([statuses.get(front.id), statuses.get(id)]).toEqual(['ERROR', 'ERROR']);
  });

  test('from before a listener was there means nothing for it', () => {
    const before = new Map([[second.id as ObjectId, 'ONLINE' as const]]);
    const statuses = operatingStatuses(state(), [{ observation: observed({ front: null }), isStale: true }], before);
    expect([statuses.get(front.id), statuses.get(second.id), statuses.get(id)]).toEqual([
      'OFFLINE',
      'ONLINE',
      'ONLINE',
    ]);
  });

  test('does not make a monitor ONLINE that no amphora has yet', () => {
    const served = state();
    const waiting = { ...served.objects[monitor.id], accepted: null } as LbObject;
    const before = { ...served, objects: { ...served.objects, [monitor.id]: waiting } };
    expect(operatingStatuses(before, said(observed())).has(monitor.id)).toBe(false);
  });

  test('by leaving out a member means OFFLINE with a monitor and NO_MONITOR without', () => {
    const { listeners } = observed();
    const pools = { [`${web.id}:${front.id}`]: { status: 'UP', members: {} } };
    const statuses = operatingStatuses(state(), said({ listeners, pools }));
    expect([statuses.get(one), statuses.get(unused.members[0]?.id as ObjectId)]).toEqual(['OFFLINE', 'NO_MONITOR']);
  });
});

describe('an L7 policy', () => {
  const family = [policy.id, rule];
  const of = (statuses: ReadonlyMap<ObjectId, string>) => family.map((object) => statuses.get(object));

  test('and its rules are ONLINE each when they are switched on, heard or not', () => {
    expect(of(operatingStatuses(state(), said(observed())))).toEqual(['ONLINE', 'ONLINE']);
    expect(of(operatingStatuses(state(), []))).toEqual(['ONLINE', 'ONLINE']);
    expect(of(operatingStatuses(state([second.id]), said(observed())))).toEqual(['ONLINE', 'ONLINE']);
    expect(of(operatingStatuses(state([policy.id]), said(observed())))).toEqual(['OFFLINE', 'ONLINE']);
    expect(of(operatingStatuses(state([rule]), said(observed())))).toEqual(['ONLINE', 'OFFLINE']);
  });

  test('makes the load balancer worse by the pool it leads to', () => {
    const down = { [`${elsewhere.id}:${second.id}`]: { status: 'DOWN', members: {} } };
    const { listeners, pools } = observed();
    const seen = { listeners, pools: { ...pools, ...down } };
    expect(operatingStatuses(state(), said(seen)).get(id)).toBe('ERROR');
    expect(operatingStatuses(state([policy.id]), said(seen)).get(id)).toBe('ONLINE');
  });
});

describe('without a heartbeat', () => {
  test('a member is what it is without one, switched on or not, until it is heard of; then it stays OFFLINE', () => {
    const lone = unused.members[0]?.id as ObjectId;
    const off = state([lone]);
    const first = operatingStatuses(off, []);
    expect(first.get(lone)).toBe('NO_MONITOR');
    const heard = operatingStatuses(off, said(observed()), first);
    expect(heard.get(lone)).toBe('OFFLINE');
    expect(operatingStatuses(off, [], heard).get(lone)).toBe('OFFLINE');
    expect(operatingStatuses(state(), [], new Map([[lone, 'NO_MONITOR']])).get(lone)).toBe('NO_MONITOR');
  });

  test('nothing is known to serve, and a monitor that amphorae have is ONLINE', () => {
    const statuses = operatingStatuses(state(), []);
    const known = [id, front.id, web.id, monitor.id].map((object) => statuses.get(object));
    expect(known).toEqual(['OFFLINE', 'OFFLINE', 'OFFLINE', 'ONLINE']);
  });
});

describe('what is switched off', () => {
  test.each([
    ['a member', [one], { [one]: 'OFFLINE', [two]: 'ONLINE', [web.id]: 'ONLINE', [id]: 'ONLINE' }],
    ['a listener', [front.id], { [front.id]: 'OFFLINE', [second.id]: 'ONLINE', [id]: 'ONLINE' }],
    ['a pool', [web.id], { [web.id]: 'OFFLINE', [id]: 'ONLINE' }],
    ['a monitor', [monitor.id], { [monitor.id]: 'OFFLINE', [web.id]: 'ONLINE', [id]: 'ONLINE' }],
    ['the load balancer', [id], { [id]: 'OFFLINE', [front.id]: 'OFFLINE', [web.id]: 'OFFLINE' }],
  ])('is OFFLINE and harms nobody else: %s', (_, down, expected) => {
    const statuses = operatingStatuses(state(down as ObjectId[]), said(observed()));
    for (const [object, status] of Object.entries(expected)) {
      expect([object, statuses.get(object as ObjectId)]).toEqual([object, status]);
    }
  });
});

describe('what the two of a pair say', () => {
  const of = (statuses: ReadonlyMap<ObjectId, string>) =>
    [front.id, web.id, one, id].map((object) => statuses.get(object as ObjectId));

  test('makes it ONLINE when both are well', () => {
    expect(of(operatingStatuses(state(), said(observed(), observed())))).toEqual([
      'ONLINE',
      'ONLINE',
      'ONLINE',
      'ONLINE',
    ]);
  });

  test.each([
    ['a listener that one does not serve', { front: null }, ['DEGRADED', 'ONLINE', 'ONLINE', 'DEGRADED']],
    ['a pool that is down for one', { pool: 'DOWN' }, ['ONLINE', 'DEGRADED', 'ONLINE', 'DEGRADED']],
    ['a member that is down for one', { one: 'DOWN' }, ['ONLINE', 'DEGRADED', 'ERROR', 'DEGRADED']],
  ])('degrades the load balancer by %s, whichever of them it is', (_, words, expected) => {
    expect(of(operatingStatuses(state(), said(observed(words), observed())))).toEqual(expected);
    expect(of(operatingStatuses(state(), said(observed(), observed(words))))).toEqual(expected);
  });

  test('counts for what it mentions only, where it is from before the tree changed', () => {
    const stale = { observation: observed({ front: null, one: 'DOWN' }), isStale: true };
    const statuses = operatingStatuses(state(), [stale, ...said(observed())]);
    expect(of(statuses)).toEqual(['ONLINE', 'DEGRADED', 'ERROR', 'DEGRADED']);
  });

  test('is what the other one says while one is not heard', () => {
    expect(of(operatingStatuses(state(), said(observed({ pool: 'DOWN' }))))).toEqual([
      'ONLINE',
      'ERROR',
      'ONLINE',
      'ERROR',
    ]);
  });
});
