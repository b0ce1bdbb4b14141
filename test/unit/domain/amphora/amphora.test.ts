import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { amphora, type AmphoraEntity } from '../../../../src/domain/amphora/amphora.ts';
import { amphoraStatus } from '../../../../src/domain/amphora/status.ts';
import type { AmphoraCommand } from '../../../../src/domain/amphora/commands.ts';
import type { AmphoraState } from '../../../../src/domain/amphora/state.ts';
import type { AmphoraStep, AmphoraStepResult } from '../../../../src/domain/amphora/steps.ts';
import { advance, type StartedStep } from '../../../../src/domain/entity.ts';
import type { AmphoraId, LoadBalancerId } from '../../../../src/domain/ids.ts';
import type { RetryPolicy } from '../../../../src/domain/step.ts';

const id = 'a0000000-0000-4000-8000-000000000001' as AmphoraId;
const lbs = ['b1', 'b2', 'b3'] as unknown as readonly LoadBalancerId[];
const policy: RetryPolicy = { firstDelayMs: 100, longestDelayMs: 1_000, budget: 3, errorDelayMs: 10_000 };
const agent = { host: '127.0.0.1', port: 9443 };
const facts = { haproxyVersion: '2.6', certificateFingerprint: 'ab', certificateExpiresAt: 1 };

/** One amphora whose steps end as told, in a world that remembers whether its instance runs. */
class Simulated {
  state: AmphoraState | undefined;
  now = 0;
  running: StartedStep<AmphoraStep>[] = [];
  instances = 0;
  readonly told: string[] = [];

  constructor() {
    this.command({ type: 'createAmphora', amphoraId: id });
  }

  command(command: AmphoraCommand): boolean {
    const decision = amphora.decide(this.state, command, this.now);
    if (decision.type === 'refuse') return false;
    this.#carryOut(decision.events);
    return true;
  }

  end(succeeds: boolean, isClaimed = true): boolean {
    const started = this.running.shift();
    if (started === undefined) return this.#passTime();
    const { key } = started.step;
    const failure = { message: 'told to fail', call: null, requestId: null, permanent: false };
    const outcome = succeeds
      ? ({ ok: true, result: this.#effect(started.step, isClaimed) } as const)
      : ({ ok: false, failure } as const);
    const decision = amphora.decideStepEnded(
      this.state,
      { type: 'stepEnded', key, run: started.run, outcome },
      this.now,
      policy,
    );
    if (decision.type === 'accept') this.#carryOut(decision.events);
    return true;
  }

  crash(): void {
    this.running = [];
    this.#carryOut(amphora.decideResumed(this.state, this.now));
  }

  #passTime(): boolean {
    if (this.state === undefined) return false;
    const { wakeAt } = amphora.plan(this.state, this.now);
    if (wakeAt === undefined) return false;
    this.now = wakeAt;
    this.#carryOut([]);
    return true;
  }

  #carryOut(events: readonly AmphoraEntity['event'][]): void {
    const next = advance<AmphoraEntity>(amphora, this.state, events, this.now, { callMs: 1_000, bootMs: 10_000 });
    this.state = next.state;
    this.running.push(...next.start);
  }

  #effect(step: AmphoraStep, isClaimed: boolean): AmphoraStepResult {
    switch (step.type) {
      case 'boot':
        this.instances = 1;
        return { type: 'booted', computeId: 'c', agent, controllers: [], facts: null };
      case 'awaitAgent':
        return { type: 'agentAnswered', facts };
      case 'checkAllocation':
        return { type: 'allocationChecked', loadBalancerId: step.loadBalancerId, isClaimed };
      case 'configureAgent':
        return { type: 'agentConfigured', controllers: step.controllers };
      case 'rotateCertificate':
        return { type: 'certificateRotated', facts: { ...facts, certificateFingerprint: `after ${step.fingerprint}` } };
      case 'destroy':
        this.instances = 0;
        return { type: 'destroyed' };
      case 'tellFarewell':
        this.told.push(`${step.loadBalancerId} ${step.why}`);
        return { type: 'farewellTold', loadBalancerId: step.loadBalancerId, why: step.why };
    }
  }
}

function ready(): Simulated {
  const simulated = new Simulated();
  simulated.end(true);
  simulated.end(true);
  return simulated;
}

describe('an amphora', () => {
  test('is BOOTING until its agent answers, then READY', () => {
    const simulated = new Simulated();
    expect(amphoraStatus(simulated.state as AmphoraState)).toBe('BOOTING');
    simulated.end(true);
    expect(amphoraStatus(simulated.state as AmphoraState)).toBe('BOOTING');
    simulated.end(true);
    expect(amphoraStatus(simulated.state as AmphoraState)).toBe('READY');
  });

  test('is granted to one load balancer: a repeat gets the same answer, another one a refusal', () => {
    const simulated = ready();
    const [one, two] = lbs as [LoadBalancerId, LoadBalancerId];
    const allocate = (loadBalancerId: LoadBalancerId) =>
      simulated.command({ type: 'allocateAmphora', loadBalancerId, role: 'STANDALONE' });
    expect([allocate(one), allocate(one), allocate(two)]).toEqual([true, true, false]);
    expect(simulated.state?.allocations.map(({ loadBalancerId }) => loadBalancerId)).toEqual([one]);
  });

  test('is not granted before it is ready', () => {
    const simulated = new Simulated();
    const command = { type: 'allocateAmphora', loadBalancerId: lbs[0] as LoadBalancerId, role: 'STANDALONE' } as const;
    expect(simulated.command(command)).toBe(false);
  });

  test.each([
    [true, 'ALLOCATED'],
    [false, 'READY'],
  ])('that was granted asks later whether it was claimed: %s makes it %s', (isClaimed, status) => {
    const simulated = ready();
    simulated.command({ type: 'allocateAmphora', loadBalancerId: lbs[0] as LoadBalancerId, role: 'STANDALONE' });
    simulated.end(true);
    expect(simulated.running.map(({ step }) => step.type)).toEqual(['checkAllocation']);
    simulated.end(true, isClaimed);
    expect(amphoraStatus(simulated.state as AmphoraState)).toBe(status);
    expect(simulated.end(true)).toBe(false);
  });

  test('that cannot boot is cleared away once its budget is spent', () => {
    const simulated = new Simulated();
    for (let count = 0; count < 5; count++) simulated.end(false);
    while (simulated.end(true));
    expect(simulated.state?.deletion).toEqual({ reason: 'it did not boot: told to fail', done: true });
  });

  test('is not deleted on behalf of a load balancer that it does not belong to', () => {
    const simulated = ready();
    const [one, two] = lbs as [LoadBalancerId, LoadBalancerId];
    simulated.command({ type: 'allocateAmphora', loadBalancerId: one, role: 'STANDALONE' });
    expect(simulated.command({ type: 'deleteAmphora', reason: '', onBehalfOf: two })).toBe(false);
    expect(simulated.command({ type: 'deleteAmphora', reason: '', onBehalfOf: one })).toBe(true);
  });

  test('is not deleted as a spare once it is allocated, whatever the sender had seen of it', () => {
    const simulated = ready();
    simulated.command({ type: 'allocateAmphora', loadBalancerId: lbs[0] as LoadBalancerId, role: 'STANDALONE' });
    expect(simulated.command({ type: 'deleteAmphora', reason: 'silent', onBehalfOf: null })).toBe(false);
  });

  test('that is granted again while it asks whether it was claimed does not go back by an older answer', () => {
    const simulated = ready();
    const allocate = { type: 'allocateAmphora', loadBalancerId: lbs[0] as LoadBalancerId, role: 'STANDALONE' } as const;
    simulated.command(allocate);
    simulated.end(true);
    expect(simulated.running.map(({ step }) => step.type)).toEqual(['checkAllocation']);
    simulated.command(allocate);
    simulated.end(true, false);
    expect(amphoraStatus(simulated.state as AmphoraState)).toBe('ALLOCATED');
  });

  describe('whose certificate is to be replaced', () => {
    const rotate = { type: 'rotateCertificate', fingerprint: 'ab' } as const;
    const running = ({ running: steps }: Simulated) => steps.map(({ step }) => step.type);

    test('shows another one, once, however often that is asked for', () => {
      const simulated = ready();
      expect([simulated.command(rotate), simulated.command(rotate)]).toEqual([true, true]);
      expect(running(simulated)).toEqual(['rotateCertificate']);
      simulated.end(true);
      expect(simulated.state?.agent?.certificateFingerprint).toBe('after ab');
      expect(simulated.state?.rotation).toBeUndefined();
      simulated.command(rotate);
      expect(running(simulated)).toEqual([]);
    });

    test('keeps the old one while that fails, and goes on trying after a crash', () => {
      const simulated = ready();
      simulated.command(rotate);
      simulated.end(false);
      expect(simulated.state?.agent?.certificateFingerprint).toBe('ab');
      simulated.end(true);
      simulated.crash();
      expect(running(simulated)).toEqual(['rotateCertificate']);
      for (let count = 0; count < 5; count++) simulated.end(false);
      expect(amphoraStatus(simulated.state as AmphoraState)).toBe('READY');
      while (simulated.end(true));
      expect(simulated.state?.agent?.certificateFingerprint).toBe('after ab');
    });

    test('goes without, when it is deleted', () => {
      const simulated = ready();
      simulated.command(rotate);
      simulated.command({ type: 'deleteAmphora', reason: 'asked', onBehalfOf: null });
      expect(simulated.command(rotate)).toBe(false);
      while (simulated.end(true));
      expect(simulated.state?.deletion?.done).toBe(true);
    });

    test('refuses while no agent is there', () => {
      expect(new Simulated().command(rotate)).toBe(false);
    });
  });

  test('is given its configuration again as often as that is asked for, by whom it is told to report to now', () => {
    const simulated = ready();
    simulated.command({ type: 'reportTo', controllers: ['one:5555'] });
    simulated.end(true);
    for (const time of [1, 2]) {
      simulated.command({ type: 'configureAgent' });
      expect([time, simulated.running.map(({ step }) => step)]).toEqual([
        time,
        [expect.objectContaining({ type: 'configureAgent', controllers: ['one:5555'] })],
      ]);
      simulated.end(true);
    }
    expect(simulated.end(true)).toBe(false);
  });

  test('whatever fails or crashes on the way, comes to rest with a row for every instance and no instance once deleted', () => {
    const action = fc.oneof(
      fc.record({ type: fc.constant('end' as const), succeeds: fc.boolean(), isClaimed: fc.boolean() }),
      fc.constant({ type: 'crash' as const }),
      fc.record({ type: fc.constant('allocate' as const), lb: fc.constantFrom(...lbs) }),
      fc.constant({ type: 'delete' as const }),
      fc.constant({ type: 'renew' as const }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (schedule) => {
        const simulated = new Simulated();
        let owner: LoadBalancerId | undefined;
        for (const act of schedule) {
          if (act.type === 'end') simulated.end(act.succeeds, act.isClaimed);
          if (act.type === 'crash') simulated.crash();
          if (act.type === 'renew') {
            simulated.command({ type: 'rotateCertificate', fingerprint: null });
            simulated.command({ type: 'configureAgent' });
          }
          if (act.type === 'delete') simulated.command({ type: 'deleteAmphora', reason: 'asked', onBehalfOf: null });
          if (simulated.state?.allocations.length === 0) owner = undefined;
          if (act.type === 'allocate') {
            const isGranted = simulated.command({
              type: 'allocateAmphora',
              loadBalancerId: act.lb,
              role: 'STANDALONE',
            });
            // Safety: never two owners at a time.
            if (isGranted) {
              expect(owner ?? act.lb).toBe(act.lb);
              owner = act.lb;
            }
          }
        }
        simulated.crash();
        for (let count = 0; simulated.end(true); count++) expect(count).toBeLessThan(100);
        const status = amphoraStatus(simulated.state as AmphoraState);
        expect(['READY', 'ALLOCATED', 'DELETED']).toContain(status);
        expect(simulated.instances).toBe(status === 'DELETED' ? 0 : 1);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('an amphora that load balancers share', () => {
  const [one, two, three] = lbs as [LoadBalancerId, LoadBalancerId, LoadBalancerId];
  const projectId = 'project';
  const allocate = (loadBalancerId: LoadBalancerId, most = 2, project = projectId): AmphoraCommand => {
    const sharing = { projectId: project, most };
    return { type: 'allocateAmphora', loadBalancerId, role: 'STANDALONE', sharing };
  };
  const alone = (loadBalancerId: LoadBalancerId): AmphoraCommand => {
    return { type: 'allocateAmphora', loadBalancerId, role: 'STANDALONE' };
  };
  const owners = ({ state }: Simulated) => state?.allocations.map(({ loadBalancerId }) => loadBalancerId);
  const shared = (): Simulated => {
    const simulated = ready();
    expect([one, two].map((id) => simulated.command(allocate(id)))).toEqual([true, true]);
    return simulated;
  };

  test('takes as many as the one that allows the fewest', () => {
    const simulated = ready();
    expect(simulated.command(allocate(one, 3))).toBe(true);
    expect(simulated.command(allocate(two, 2))).toBe(true);
    expect(simulated.command(allocate(three, 3))).toBe(false);
    expect(owners(simulated)).toEqual([one, two]);
  });

  test.each([
    ['of another project', allocate(one), allocate(two, 2, 'other')],
    ['beside one that would be alone', alone(one), allocate(two)],
    ['that would be alone, beside one that shares', allocate(one), alone(two)],
  ])('takes nobody %s', (_, first, second) => {
    const simulated = ready();
    expect([simulated.command(first), simulated.command(second)]).toEqual([true, false]);
  });

  test('stays when one of them goes, and goes with the last', () => {
    const simulated = shared();
    const leave = { type: 'deleteAmphora', reason: 'asked', onBehalfOf: one, unlessShared: true } as const;
    expect(amphora.decide(simulated.state, leave, 0)).toMatchObject({ events: [], answer: { stays: 'shared' } });
    simulated.command({ type: 'releaseAmphora', loadBalancerId: one });
    expect(owners(simulated)).toEqual([two]);
    expect(amphora.decide(simulated.state, leave, 0)).toMatchObject({ events: [], answer: { stays: 'left' } });
    simulated.command({ ...leave, onBehalfOf: two });
    expect(simulated.state?.deletion).toMatchObject({ onBehalfOf: two });
    expect(simulated.told).toEqual([]);
  });

  test('goes with the last that is released', () => {
    const simulated = shared();
    for (const loadBalancerId of [one, two]) simulated.command({ type: 'releaseAmphora', loadBalancerId });
    expect(simulated.state?.deletion).toMatchObject({ reason: 'no load balancer has it any more' });
  });

  test('takes nobody back while a call of theirs may still be on its way', () => {
    const simulated = shared();
    simulated.command({ type: 'releaseAmphora', loadBalancerId: one });
    expect(simulated.command(allocate(one))).toBe(false);
    expect(simulated.command(allocate(three))).toBe(true);
    simulated.command({ type: 'releaseAmphora', loadBalancerId: three });
    simulated.now += 600_001;
    expect(simulated.command(allocate(one))).toBe(true);
  });

  test('that is lost tells all but the one that said so, also after it is gone', () => {
    const simulated = shared();
    simulated.command({ type: 'deleteAmphora', reason: 'silent', onBehalfOf: one });
    const destroy = simulated.running.findIndex(({ step }) => step.type === 'destroy');
    simulated.running.unshift(...simulated.running.splice(destroy, 1));
    simulated.end(true);
    const state = simulated.state as AmphoraState;
    expect([amphora.isGone(state), amphora.isOver(state)]).toEqual([true, false]);
    simulated.crash();
    while (simulated.end(true)) expect(simulated.now).toBeLessThan(60_000);
    expect(simulated.told).toEqual([`${two} lost`]);
    expect(amphora.isOver(simulated.state as AmphoraState)).toBe(true);
  });

  test('that is to be replaced tells all, takes nobody, and tells again when it is lost meanwhile', () => {
    const simulated = ready();
    for (const id of [one, two]) simulated.command(allocate(id, 3));
    simulated.command({ type: 'vacateAmphora', reason: 'another image' });
    expect(simulated.command(allocate(three, 3))).toBe(false);
    for (let step = 0; step < 2; step++) simulated.end(true);
    expect(simulated.told).toEqual([`${one} replaced`, `${two} replaced`]);
    simulated.command({ type: 'deleteAmphora', reason: 'silent', onBehalfOf: two });
    while (simulated.end(true)) expect(simulated.now).toBeLessThan(60_000);
    expect(simulated.told.slice(2)).toEqual([`${one} lost`]);
  });

  test('asks one after the other whether they claim it, and becomes no spare when nobody does', () => {
    const simulated = shared();
    expect(simulated.end(true)).toBe(true);
    simulated.end(true, false);
    expect(owners(simulated)).toEqual([two]);
    simulated.end(true, false);
    expect(simulated.state?.deletion).toMatchObject({ reason: 'no load balancer has it any more' });
  });

  test('never has more than all of them allow, nor of two projects, whatever happens', () => {
    const id = fc.constantFrom(...lbs);
    const act = fc.oneof(
      fc.record({
        type: fc.constant('allocate' as const),
        id,
        most: fc.integer({ min: 1, max: 4 }),
        other: fc.boolean(),
      }),
      fc.record({ type: fc.constant('release' as const), id }),
      fc.record({ type: fc.constant('lose' as const), id }),
      fc.record({ type: fc.constant('leave' as const), id }),
      fc.record({ type: fc.constant('end' as const), succeeds: fc.boolean(), isClaimed: fc.boolean() }),
      fc.constant({ type: 'vacate' as const }),
      fc.constant({ type: 'crash' as const }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), (schedule) => {
        const simulated = ready();
        for (const each of schedule) {
          if (each.type === 'end') simulated.end(each.succeeds, each.isClaimed);
          if (each.type === 'crash') simulated.crash();
          if (each.type === 'vacate') simulated.command({ type: 'vacateAmphora', reason: 'asked' });
          if (each.type === 'release') simulated.command({ type: 'releaseAmphora', loadBalancerId: each.id });
          if (each.type === 'lose' || each.type === 'leave') {
            const unlessShared = each.type === 'leave';
            simulated.command({ type: 'deleteAmphora', reason: 'asked', onBehalfOf: each.id, unlessShared });
          }
          if (each.type === 'allocate') {
            simulated.command(each.most === 1 ? alone(each.id) : allocate(each.id, each.most, each.other ? 'b' : 'a'));
          }
          const allocations = simulated.state?.allocations ?? [];
          const most = Math.min(...allocations.map(({ sharing }) => sharing?.most ?? 1), Number.POSITIVE_INFINITY);
          expect(allocations.length).toBeLessThanOrEqual(most);
          expect(new Set(allocations.map(({ sharing }) => sharing?.projectId)).size).toBeLessThanOrEqual(1);
          expect(new Set(allocations.map(({ loadBalancerId }) => loadBalancerId)).size).toBe(allocations.length);
        }
        simulated.crash();
        for (let count = 0; simulated.end(true); count++) expect(count).toBeLessThan(200);
        const { allocations, deletion, vacating } = simulated.state as AmphoraState;
        expect([null, true]).toContain(deletion?.done ?? null);
        if (vacating !== undefined && deletion === null) {
          expect(new Set(allocations.map(({ told }) => told))).toEqual(new Set(['replaced']));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
