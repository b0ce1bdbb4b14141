import { noListenerTls, noPoolTls } from '../../../src/domain/load-balancer/tls.ts';
import { describe, expect, test } from '@jest/globals';
import {
  NewerVersionError,
  type Upcaster,
  upcastCommand,
  upcastEvents,
  upcastSnapshot,
} from '../../../src/domain/upcast.ts';

const chain: readonly Upcaster[] = [
  {
    kind: 'amphora',
    from: 1,
    events: (event) => [event, 'second'],
    snapshot: (state) => `${String(state)}, brought to 2`,
  },
  { kind: 'amphora', from: 2, events: (event) => [`${String(event)}!`], snapshot: undefined },
  { kind: 'loadBalancer', from: 1, events: () => [], snapshot: (state) => state },
];

test('events of an earlier version go through every version since', () => {
  expect(upcastEvents('amphora', 1, 3, ['first'], chain)).toEqual(['first!', 'second!']);
  expect(upcastEvents('amphora', 2, 3, ['first'], chain)).toEqual(['first!']);
  expect(upcastEvents('amphora', 3, 3, ['first'], chain)).toEqual(['first']);
});

test('a snapshot that cannot be brought forward gives nothing', () => {
  expect(upcastSnapshot('amphora', 1, 2, 'state', chain)).toBe('state, brought to 2');
  expect(upcastSnapshot('amphora', 1, 3, 'state', chain)).toBeUndefined();
});

test('what a newer program wrote is refused with a sentence', () => {
  expect(() => upcastEvents('amphora', 4, 3, [], chain)).toThrow(NewerVersionError);
  expect(() => upcastEvents('amphora', 4, 3, [], chain)).toThrow(
    'amphora journal has version 4, this program knows up to 3',
  );
});

describe('a load balancer of version 1', () => {
  const tracked = { kind: 'pool', desired: { name: 'p' }, accepted: null, pushed: { form: { name: 'q' } } };

  test('gets what its listeners and pools had not, in events, snapshots and commands', () => {
    const changes = [
      { kind: 'listener', id: 'l', form: { name: 'l' } },
      { kind: 'pool', id: 'p', form: { name: 'p' } },
      { kind: 'pool', id: 'gone', form: null },
      { kind: 'member', id: 'm', form: { name: 'm' } },
    ];
    const others = { type: 'deletionRequested', at: 1 };
    expect(upcastEvents('loadBalancer', 1, 2, [{ type: 'objectsChanged', at: 1, changes }, others])).toEqual([
      {
        type: 'objectsChanged',
        at: 1,
        changes: [
          { kind: 'listener', id: 'l', form: { name: 'l', allowedCidrs: [] } },
          { kind: 'pool', id: 'p', form: { name: 'p', sessionPersistence: null } },
          { kind: 'pool', id: 'gone', form: null },
          { kind: 'member', id: 'm', form: { name: 'm' } },
        ],
      },
      others,
    ]);
    expect(upcastSnapshot('loadBalancer', 1, 2, { id: 'x', objects: { p: tracked } })).toEqual({
      id: 'x',
      objects: {
        p: {
          ...tracked,
          desired: { name: 'p', sessionPersistence: null },
          pushed: { form: { name: 'q', sessionPersistence: null } },
        },
      },
    });
    const pool = { id: 'p', attributes: { name: 'p' }, members: [] };
    expect(upcastCommand('loadBalancer', 1, 2, { type: 'createPool', pool, listenerId: null })).toEqual({
      type: 'createPool',
      listenerId: null,
      pool: { ...pool, attributes: { name: 'p', sessionPersistence: null } },
    });
    const listeners = [{ id: 'l', attributes: { name: 'l' } }];
    expect(upcastCommand('loadBalancer', 1, 2, { type: 'createLoadBalancer', listeners, pools: [pool] })).toMatchObject(
      {
        listeners: [{ attributes: { allowedCidrs: [] } }],
        pools: [{ attributes: { sessionPersistence: null } }],
      },
    );
    const update = { type: 'updatePool', id: 'p', patch: { name: 'q' } };
    expect(upcastCommand('loadBalancer', 1, 2, update)).toEqual(update);
  });
});

test('a load balancer of version 3 speaks no TLS, and is as complete as one of today', () => {
  const changes = [
    { kind: 'listener', id: 'l', form: { name: 'l' } },
    { kind: 'pool', id: 'p', form: { name: 'p' } },
  ];
  const [event] = upcastEvents('loadBalancer', 3, 4, [{ type: 'objectsChanged', at: 1, changes }]);
  expect(event).toMatchObject({
    changes: [{ form: { name: 'l', ...noListenerTls } }, { form: { name: 'p', ...noPoolTls } }],
  });
  // From the first version on, all steps are taken.
  const [first] = upcastEvents('loadBalancer', 1, 4, [{ type: 'objectsChanged', at: 1, changes }]);
  expect(first).toMatchObject({ changes: [{ form: { allowedCidrs: [], ...noListenerTls } }, { form: noPoolTls }] });
});

test('an amphora of version 3 had one load balancer, or none', () => {
  const allocation = { loadBalancerId: 'lb', role: 'STANDALONE', at: 1, confirmed: true };
  const bring = (given: object | null) => upcastSnapshot('amphora', 3, 4, { id: 'a', allocation: given });
  expect(bring(allocation)).toEqual({ id: 'a', allocations: [allocation] });
  expect(bring(null)).toEqual({ id: 'a', allocations: [] });
});
