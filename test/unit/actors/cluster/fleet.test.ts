import { describe, expect, test } from '@jest/globals';
import { Fleet } from '../../../../src/actors/cluster/fleet.ts';
import type { AmphoraFacts } from '../../../../src/domain/amphora/facts.ts';
import type { AmphoraId } from '../../../../src/domain/ids.ts';

const one = 'amphora-1' as AmphoraId;
const facts = (status: AmphoraFacts['status']): AmphoraFacts => ({
  status,
  loadBalancerId: null,
  bootFailure: null,
  controllers: [],
});

describe('the fleet', () => {
  test('learns from the table what no message has told, and tells of it', () => {
    const fleet = new Fleet();
    const heard: string[] = [];
    fleet.onChange((id, { status }) => heard.push(`${id} ${status}`));
    fleet.reconcile(new Map([[one, facts('READY')]]), fleet.revision);
    fleet.reconcile(new Map([[one, facts('READY')]]), fleet.revision);
    fleet.reconcile(new Map(), fleet.revision);
    expect(heard).toEqual([`${one} READY`, `${one} DELETED`]);
    expect(fleet.size).toBe(0);
  });

  test('believes messages that came while the table was read rather than the table', () => {
    const fleet = new Fleet();
    fleet.learn(one, facts('BOOTING'));
    const since = fleet.revision;
    fleet.learn(one, facts('READY'));
    fleet.reconcile(new Map([[one, facts('BOOTING')]]), since);
    expect(fleet.get(one)?.status).toBe('READY');
    const later = fleet.revision;
    fleet.learn(one, facts('DELETED'));
    fleet.reconcile(new Map([[one, facts('READY')]]), later);
    expect(fleet.get(one)).toBeUndefined();
    fleet.reconcile(new Map([[one, facts('READY')]]), fleet.revision);
    expect(fleet.get(one)?.status).toBe('READY');
  });
});
