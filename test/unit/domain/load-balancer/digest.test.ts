import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { decideLoadBalancer } from '../../../../src/domain/load-balancer/decide.ts';
import { servedDigest } from '../../../../src/domain/load-balancer/digest.ts';
import { evolveLoadBalancer } from '../../../../src/domain/load-balancer/evolve.ts';
import { loadBalancerRows } from '../../../../src/domain/load-balancer/rows.ts';
import type { AmphoraId, LoadBalancerId } from '../../../../src/domain/ids.ts';
import type { LoadBalancerEvent } from '../../../../src/domain/load-balancer/events.ts';
import type { LoadBalancerState } from '../../../../src/domain/load-balancer/state.ts';
import { createLoadBalancer } from '../../../support/load-balancer-commands.ts';

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

describe('the digest of what is served', () => {
  test('is the MD5 of haproxy’s configuration, as agents give it', () => {
    expect(servedDigest('global\n', [])).toBe(md5('global\n'));
    expect(servedDigest(null, [])).toBeUndefined();
  });

  test('differs with any of LVS’s configurations, whatever their order', () => {
    expect(servedDigest(null, ['a', 'b'])).toBe(servedDigest(null, ['b', 'a']));
    const all = [
      servedDigest(null, ['a']),
      servedDigest(null, ['a', 'b']),
      servedDigest('a', []),
      servedDigest('a', ['b']),
    ];
    expect(new Set(all).size).toBe(4);
  });
});

describe('an amphora that does not hold what it has accepted', () => {
  const id = 'b0000000-0000-4000-8000-000000000001' as LoadBalancerId;
  const amphoraId = 'a0000000-0000-4000-8000-000000000001' as AmphoraId;
  const agent = { host: '127.0.0.1', port: 9443 };

  function served(...more: readonly LoadBalancerEvent[]): LoadBalancerState {
    const created = decideLoadBalancer(undefined, createLoadBalancer(id), 1);
    if (created.type !== 'accept') throw new Error('not created');
    const events: readonly LoadBalancerEvent[] = [
      ...created.events,
      { type: 'vipAllocated', at: 2, portId: 'p', address: '10.0.0.9' },
      { type: 'amphoraClaimed', at: 3, role: 'STANDALONE', amphoraId, computeId: 'c', agent },
      { type: 'pushStarted', at: 4, generation: 1, carries: [id], awaits: [amphoraId] },
      { type: 'pushAccepted', at: 5, amphoraId, digest: 'proper' },
      ...more,
    ];
    const state = events.reduce(evolveLoadBalancer, undefined as LoadBalancerState | undefined);
    if (state === undefined) throw new Error('nothing there');
    return state;
  }

  function repaired(state: LoadBalancerState, digest: string | null) {
    const decision = decideLoadBalancer(state, { type: 'repairAmphora', amphoraId, digest }, 9);
    return decision.type === 'accept' ? decision.events.map(({ type }) => type) : decision;
  }

  test('is pushed to again', () => {
    expect(repaired(served(), 'proper')).toEqual(['confirmationDue']);
  });

  test('is left alone when it has accepted something else since, or is being pushed to', () => {
    expect(repaired(served(), 'older')).toEqual([]);
    const again = { type: 'pushStarted', at: 6, generation: 2, carries: [], awaits: [amphoraId] } as const;
    expect(repaired(served(again), 'proper')).toEqual([]);
    expect(repaired(served({ type: 'confirmationDue', at: 6 }), 'proper')).toEqual([]);
  });

  test('can be told only while it is known what it has accepted: an earlier version did not keep that', () => {
    const shown = (state: LoadBalancerState) => loadBalancerRows(state)['loadBalancers']?.[0]?.['served'];
    expect(shown(served())).toEqual({ [amphoraId]: { digest: 'proper', hasLvs: false } });
    const again: readonly LoadBalancerEvent[] = [
      { type: 'pushStarted', at: 6, generation: 2, carries: [], awaits: [amphoraId] },
      { type: 'pushAccepted', at: 7, amphoraId },
    ];
    expect(shown(served(...again))).toEqual({});
  });
});
