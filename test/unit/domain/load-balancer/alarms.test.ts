import { describe, expect, test } from '@jest/globals';
import { deriveId, type HealthMonitorId, type LoadBalancerId, type ObjectId } from '../../../../src/domain/ids.ts';
import { alarmOf } from '../../../../src/domain/load-balancer/alarms.ts';
import { decideLoadBalancer } from '../../../../src/domain/load-balancer/decide.ts';
import { evolveLoadBalancer } from '../../../../src/domain/load-balancer/evolve.ts';
import type { LbObject, LoadBalancerState } from '../../../../src/domain/load-balancer/state.ts';
import type { OperatingStatus } from '../../../../src/domain/statuses.ts';
import {
  createLoadBalancer,
  healthMonitorAttributes,
  listener,
  pool,
} from '../../../support/load-balancer-commands.ts';

const id = deriveId<LoadBalancerId>('alarms');
const monitor = { id: deriveId<HealthMonitorId>('alarms', 'monitor'), attributes: healthMonitorAttributes };
const web = { ...pool('web', ['10.1.0.1', '10.1.0.2', '10.1.0.3']), healthMonitor: monitor };
const front = listener(80, web.id);
const [one, two, three] = web.members.map((member) => member.id as ObjectId) as [ObjectId, ObjectId, ObjectId];

function state(down: readonly ObjectId[] = [], isAccepted = true): LoadBalancerState {
  const command = createLoadBalancer(id, { listeners: [front], pools: [web] });
  const decision = decideLoadBalancer(undefined, command, 1);
  if (decision.type === 'refuse') throw new Error(decision.refusal.message);
  const created = decision.events.reduce(evolveLoadBalancer, undefined as LoadBalancerState | undefined);
  if (created === undefined) throw new Error('nothing was created');
  const objects = Object.values(created.objects).map((object) => {
    const desired = down.includes(object.id) ? { ...object.desired, adminStateUp: false } : object.desired;
    return [object.id, { ...object, desired, accepted: isAccepted ? desired : null } as LbObject] as const;
  });
  return { ...created, objects: Object.fromEntries(objects) as LoadBalancerState['objects'] };
}

function alarm(of: ObjectId, statuses: Readonly<Record<string, OperatingStatus>>, isHeard = true, from = state()) {
  return alarmOf(from, new Map(Object.entries(statuses) as [ObjectId, OperatingStatus][]), isHeard, of);
}

describe('an alarm', () => {
  test('of a member says which checks of what fail', () => {
    const reason = `${healthMonitorAttributes.type} checks of 10.1.0.1:${web.members[0]?.attributes.protocolPort} fail`;
    expect(alarm(one, { [one]: 'ERROR' })).toEqual({ kind: 'member', verdict: 'bad', reason });
  });

  test('of a pool counts the members that are down', () => {
    const statuses = { [one]: 'ERROR', [two]: 'ONLINE', [three]: 'ERROR', [web.id]: 'DEGRADED' } as const;
    expect(alarm(web.id, statuses)).toEqual({ kind: 'pool', verdict: 'bad', reason: '2 of 3 members are down' });
  });

  test('of a load balancer names what is not well in it', () => {
    const reason = `listener ${front.attributes.name || front.id} is ERROR, pool web is DEGRADED`;
    const statuses = { [id]: 'ERROR', [front.id]: 'ERROR', [web.id]: 'DEGRADED' } as const;
    expect(alarm(id, statuses)).toEqual({ kind: 'loadBalancer', verdict: 'bad', reason });
  });

  test.each<OperatingStatus>(['ONLINE', 'NO_MONITOR', 'DRAINING', 'OFFLINE'])(
    'is not raised by %s of a member',
    (status) => {
      expect(alarm(one, { [one]: status })?.verdict).toBe('well');
    },
  );

  test('is not raised by what only follows others', () => {
    expect(alarm(monitor.id, { [monitor.id]: 'OFFLINE' })).toBeUndefined();
  });

  test('of silence is the load balancer’s alone: of what is in it nothing is known', () => {
    const silent = { [id]: 'OFFLINE', [front.id]: 'OFFLINE', [one]: 'OFFLINE' } as const;
    expect(alarm(id, silent, false)).toMatchObject({ verdict: 'bad', reason: 'none of its amphorae is heard' });
    expect(alarm(front.id, silent, false)).toMatchObject({ verdict: 'unknown' });
    expect(alarm(one, silent, false)).toMatchObject({ verdict: 'unknown' });
  });

  test('is not raised by silence where nobody expects an answer', () => {
    for (const quiet of [state([id]), state([front.id]), state([], false)]) {
      expect(alarm(id, { [id]: 'OFFLINE' }, false, quiet)).toMatchObject({ verdict: 'well' });
    }
  });
});
