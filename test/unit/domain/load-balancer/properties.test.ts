import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { renderHaproxy } from '../../../../src/domain/haproxy/render.ts';
import { desired, servedTree } from '../../../../src/domain/load-balancer/tree.ts';
import type { LoadBalancerCommand } from '../../../../src/domain/load-balancer/commands.ts';
import { loadBalancerRows } from '../../../../src/domain/load-balancer/rows.ts';
import { provisioningStatuses } from '../../../../src/domain/load-balancer/statuses.ts';
import { isPending } from '../../../../src/domain/load-balancer/push.ts';
import { type LoadBalancerStep, stepKeys } from '../../../../src/domain/load-balancer/steps.ts';
import type { Topology } from '../../../../src/domain/statuses.ts';
import {
  createLoadBalancer,
  l7Policy,
  listener,
  memberAttributes,
  pool,
} from '../../../support/load-balancer-commands.ts';
import {
  type Fate,
  type FateOf,
  fortunate,
  replay,
  SimulatedLoadBalancer,
} from '../../../support/simulated-load-balancer.ts';

const webPool = pool('web', ['10.1.0.1', '10.1.0.2']);
const [first, second, third] = [
  l7Policy('first', {}, ['/first']),
  l7Policy('second', { action: 'REDIRECT_TO_POOL', redirectPoolId: webPool.id, position: 1 }, ['/second']),
  l7Policy('third', { action: 'REDIRECT_TO_URL', redirectUrl: 'http://x/', position: 2 }, ['/third', '/fourth']),
] as const;

const commands: readonly LoadBalancerCommand[] = [
  { type: 'createListener', listener: listener(80) },
  { type: 'createListener', listener: listener(81) },
  { type: 'createPool', pool: webPool, listenerId: listener(80).id },
  { type: 'updateListener', id: listener(80).id, patch: { connectionLimit: 10 } },
  { type: 'updateListener', id: listener(80).id, patch: { connectionLimit: 20 } },
  { type: 'updateLoadBalancer', patch: { adminStateUp: false } },
  { type: 'updateLoadBalancer', patch: { adminStateUp: true } },
  { type: 'deleteObject', kind: 'listener', id: listener(81).id },
  { type: 'deleteObject', kind: 'pool', id: webPool.id },
  {
    type: 'replaceMembers',
    poolId: webPool.id,
    additiveOnly: false,
    members: pool('other', ['10.1.0.2', '10.1.0.3']).members.map(({ id }, index) => ({
      id,
      attributes: { ...memberAttributes, address: `10.1.0.${index + 2}` },
    })),
  },
  { type: 'createL7Policy', listenerId: listener(80).id, l7Policy: first },
  { type: 'createL7Policy', listenerId: listener(80).id, l7Policy: second },
  { type: 'createL7Policy', listenerId: listener(80).id, l7Policy: third },
  { type: 'updateL7Policy', id: first.id, patch: { position: 2 } },
  { type: 'updateL7Policy', id: first.id, patch: { action: 'REDIRECT_PREFIX', redirectPrefix: 'http://y' } },
  ...third.rules.map((rule) => ({ type: 'deleteObject', kind: 'l7Rule', id: rule.id }) as const),
  { type: 'deleteObject', kind: 'l7Policy', id: third.id },
  { type: 'failoverLoadBalancer' },
];

type Action =
  | { readonly type: 'command'; readonly command: LoadBalancerCommand; readonly fate: FateOf }
  | { readonly type: 'step'; readonly fate: FateOf }
  | { readonly type: 'crash'; readonly fate: FateOf }
  | { readonly type: 'lateEnd'; readonly fate: FateOf }
  | { readonly type: 'loseAmphora'; readonly fate: FateOf; readonly which: number }
  | { readonly type: 'relent' };

const oneFate = fc.constantFrom<Fate>('succeeds', 'succeeds', 'fails', 'hangs', 'succeedsUnheard');

/** Steps that start together need not fare alike. */
const fates: fc.Arbitrary<FateOf> = fc.record({ retire: oneFate, other: oneFate }).map((fate) =>
  Object.assign((step: LoadBalancerStep) => (step.type === 'retireAmphora' ? fate.retire : fate.other), {
    [fc.toStringMethod]: () => JSON.stringify(fate),
  }),
);

const actions: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('step' as const), fate: fates }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('command' as const), command: fc.constantFrom(...commands), fate: fates }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const), fate: fates }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('lateEnd' as const), fate: fates }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('loseAmphora' as const), fate: fates, which: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.constant({ type: 'relent' as const }) },
);

function perform(simulated: SimulatedLoadBalancer, action: Action): void {
  switch (action.type) {
    case 'command':
      simulated.command(action.command, action.fate);
      return;
    case 'step':
      simulated.step(action.fate);
      return;
    case 'crash':
      return simulated.crash(action.fate);
    case 'loseAmphora':
      return simulated.loseAmphora(action.fate, action.which);
    case 'lateEnd':
      return simulated.lateEnd(action.fate);
    case 'relent':
      simulated.refuses = undefined;
  }
}

/** What amphorae refuse from the beginning. */
const refusals = fc.constantFrom(':81', 'maxconn 20', '/third', undefined);

const topologies = fc.constantFrom<Topology>('SINGLE', 'ACTIVE_STANDBY');

/** Just created, or serving already. */
function start(isServing = false, refuses?: string, topology: Topology = 'SINGLE'): SimulatedLoadBalancer {
  const simulated = new SimulatedLoadBalancer();
  simulated.refuses = refuses;
  simulated.command(createLoadBalancer(simulated.id, { topology, listeners: [listener(79)] }));
  if (isServing) untilQuiet(simulated);
  return simulated;
}

/** Bounded, so that a plan that never ends fails rather than hangs. */
function untilQuiet(simulated: SimulatedLoadBalancer): void {
  for (let count = 0; simulated.step(fortunate); count++) {
    if (count > 500) throw new Error(`it does not come to rest: ${JSON.stringify(simulated.state?.steps)}`);
  }
}

const runs = { numRuns: 2_000 };

test('of a pair, a newcomer waits for one that goes, may have the VIP, and did not answer when it was told of it', () => {
  const simulated = start(true, undefined, 'ACTIVE_STANDBY');
  simulated.command({ type: 'failoverLoadBalancer' });
  simulated.step(fortunate);
  simulated.step(fortunate);
  const [master] = simulated.state?.slots.filter(({ role }) => role === 'MASTER') ?? [];
  simulated.step(({ type }) => (type === 'deploy' ? 'hangs' : 'succeeds'));
  // It hung, and is judged lost before it is tried again.
  simulated.step(() => 'hangs');
  if (master === undefined) throw new Error('there is no master');
  const { amphoraId } = master;
  simulated.command({ type: 'failoverAmphora', amphoraId, why: 'lost', reason: 'silent' }, () => 'hangs');
  expect(simulated.running.map(({ started }) => started.step.type)).not.toContain('deploy');
  untilQuiet(simulated);
  expect(simulated.violations).toEqual([]);
  expect(simulated.serving.size).toBe(2);
});

describe('a load balancer, whatever is asked of it and whatever fails or crashes on the way,', () => {
  test('is never served by two amphorae that both take its VIP, nor served on a VIP that is gone', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        refusals,
        topologies,
        fc.array(actions, { maxLength: 60 }),
        (isServing, refuses, topology, schedule) => {
          const simulated = start(isServing, refuses, topology);
          for (const action of schedule) {
            perform(simulated, action);
            expect(simulated.violations).toEqual([]);
          }
        },
      ),
      runs,
    );
  });

  test('reaches what is desired once failures end, but for what amphorae refuse', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        refusals,
        topologies,
        fc.array(actions, { maxLength: 60 }),
        (isServing, refuses, topology, schedule) => {
          const simulated = start(isServing, refuses, topology);
          for (const action of schedule) perform(simulated, action);
          simulated.crash(fortunate);
          untilQuiet(simulated);
          const { state } = simulated;
          if (state === undefined) throw new Error('it is gone');
          const objects = Object.values(state.objects);
          const refused = objects.filter((object) => object.refusal !== null);
          expect(objects.filter(isPending)).toEqual([]);
          expect(provisioningStatuses(state).get(state.id)).toBe('ACTIVE');
          // What serves is what is desired, with refused objects as they were accepted last.
          const carries = objects.filter((object) => object.refusal === null).map((object) => object.id);
          const configurations = [...simulated.serving.values()];
          expect(configurations.length).toBe(topology === 'SINGLE' ? 1 : 2);
          for (const each of configurations) expect(each).toBe(renderHaproxy(servedTree(state, carries)));
          const [configuration] = configurations;
          if (simulated.refuses === undefined && refused.length === 0) {
            for (const { form } of desired(state, 'listener')) {
              const isServed = configuration?.includes(`:${form.protocolPort}\n`) ?? false;
              expect(isServed).toBe(desired(state, 'loadBalancer')[0]?.form.adminStateUp === true);
            }
          }
        },
      ),
      runs,
    );
  });

  test('leaves no amphora and no VIP behind when it is deleted in the middle of anything', () => {
    fc.assert(
      fc.property(
        topologies,
        fc.array(actions, { maxLength: 40 }),
        fc.array(actions, { maxLength: 10 }),
        (topology, before, after) => {
          const simulated = start(false, undefined, topology);
          for (const action of before) perform(simulated, action);
          simulated.command({ type: 'deleteLoadBalancer', cascade: true });
          for (const action of after) perform(simulated, action);
          simulated.crash(fortunate);
          untilQuiet(simulated);
          expect(simulated.state?.deletion).toBe('done');
          expect(simulated.state?.slots).toEqual([]);
          expect(simulated.serving.size).toBe(0);
          expect(simulated.vip).toBeUndefined();
        },
      ),
      runs,
    );
  });

  test('has policies in places from one on without gaps, on listeners and pools that are there', () => {
    fc.assert(
      fc.property(fc.array(actions, { maxLength: 40 }), (schedule) => {
        const simulated = start();
        for (const action of schedule) {
          perform(simulated, action);
          const { state } = simulated;
          if (state === undefined) continue;
          const policies = desired(state, 'l7Policy');
          const there = new Set(
            [...desired(state, 'listener'), ...desired(state, 'pool')].map(({ id }) => id as string),
          );
          const positions = policies.map(({ form }) => form.position).toSorted((a, b) => a - b);
          expect(positions).toEqual(policies.map((_, index) => index + 1));
          for (const { parentId, form } of policies) {
            expect(there.has(parentId)).toBe(true);
            expect(form.redirectPoolId === null || there.has(form.redirectPoolId)).toBe(true);
          }
          const owners = new Set(policies.map(({ id }) => id));
          expect(desired(state, 'l7Rule').filter((rule) => !owners.has(rule.parentId))).toEqual([]);
        }
      }),
      runs,
    );
  });

  test('shows every object with its attributes', () => {
    fc.assert(
      fc.property(fc.array(actions, { maxLength: 40 }), (schedule) => {
        const simulated = start();
        for (const action of schedule) {
          perform(simulated, action);
          const rows = Object.values(loadBalancerRows(simulated.state)).flat();
          expect(rows.filter(({ adminStateUp }) => adminStateUp === undefined)).toEqual([]);
        }
      }),
      runs,
    );
  });

  test('is the same after a replay of its journal', () => {
    fc.assert(
      fc.property(topologies, fc.array(actions, { maxLength: 40 }), (topology, schedule) => {
        const simulated = start(false, undefined, topology);
        for (const action of schedule) perform(simulated, action);
        expect(replay(simulated.journal)).toEqual(JSON.parse(JSON.stringify(simulated.state)));
      }),
      runs,
    );
  });
});

test('a listener that is deleted after a push nobody answered is taken away from the amphora that may have taken it', () => {
  const simulated = start(true);
  const { id } = listener(81);
  simulated.command({ type: 'createListener', listener: listener(81) }, () => 'succeedsUnheard');
  simulated.step(fortunate);
  expect([...simulated.serving.values()][0]).toContain(':81');
  simulated.command({ type: 'deleteObject', kind: 'listener', id });
  untilQuiet(simulated);
  expect([...simulated.serving.values()][0]).not.toContain(':81');
});

test('a push of an owner that is gone is confirmed once it can reach the amphora no more', () => {
  const simulated = start(true);
  simulated.command({ type: 'createListener', listener: listener(81) }, () => 'hangs');
  simulated.crash(fortunate);
  while (simulated.state?.push !== null) simulated.step(fortunate);
  const [amphoraId] = [...simulated.serving.keys()];
  if (amphoraId === undefined) throw new Error('nobody serves');
  // What the owner that is gone had on its way arrives late.
  simulated.serving.set(amphoraId, 'an older configuration');
  untilQuiet(simulated);
  expect(simulated.serving.get(amphoraId)).toContain(':81');
});

test('a VIP is not released before an allocation that was interrupted can make it no more', () => {
  const simulated = new SimulatedLoadBalancer();
  simulated.command(createLoadBalancer(simulated.id, { listeners: [] }), () => 'hangs');
  const deadlineAt = simulated.state?.steps.running[stepKeys.vip]?.deadlineAt;
  simulated.crash(fortunate);
  simulated.command({ type: 'deleteLoadBalancer', cascade: true });
  untilQuiet(simulated);
  expect(simulated.state?.deletion).toBe('done');
  const release = simulated.journal.find((event) => event.type === 'stepStarted' && event.key === stepKeys.releaseVip);
  expect(release?.at).toBeGreaterThanOrEqual(deadlineAt ?? Number.POSITIVE_INFINITY);
});

test('what comes and goes while a push is under way that does not carry it leaves no trace', () => {
  const simulated = start(true);
  simulated.command({ type: 'createListener', listener: listener(81) }, () => 'hangs');
  simulated.command({ type: 'createListener', listener: listener(82) });
  simulated.command({ type: 'deleteObject', kind: 'listener', id: listener(82).id });
  expect(Object.keys(simulated.state?.objects ?? {})).not.toContain(listener(82).id);
});

test('what was deleted before any amphora had it is forgotten when the amphora that was to have it is lost', () => {
  const simulated = start(true);
  simulated.command({ type: 'createPool', pool: webPool, listenerId: null }, fortunate);
  simulated.command({ type: 'deleteObject', kind: 'pool', id: webPool.id }, fortunate);
  simulated.loseAmphora(fortunate);
  expect(Object.values(simulated.state?.objects ?? {}).map(({ kind }) => kind)).toEqual(['loadBalancer', 'listener']);
  const rows = Object.values(loadBalancerRows(simulated.state)).flat();
  expect(rows.every(({ adminStateUp }) => adminStateUp !== undefined)).toBe(true);
});
