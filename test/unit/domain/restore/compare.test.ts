import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { AmphoraId, LoadBalancerId } from '../../../../src/domain/ids.ts';
import {
  compareWorld,
  type JournalAmphora,
  type RestoreInput,
  type WorldInstance,
} from '../../../../src/domain/restore/compare.ts';
import type { AmphoraStatus } from '../../../../src/domain/statuses.ts';

const lb = { id: randomUUID() as LoadBalancerId, name: 'web' };
const one = randomUUID() as AmphoraId;
const two = randomUUID() as AmphoraId;

const instance = (amphoraId: AmphoraId, status: WorldInstance['status'] = 'ACTIVE', computeId = `c-${amphoraId}`) => ({
  amphoraId,
  status,
  computeId,
});
const amphora = (id: AmphoraId, status: AmphoraStatus = 'ALLOCATED', more: Partial<JournalAmphora> = {}) => ({
  id,
  status,
  loadBalancerIds: status === 'ALLOCATED' ? [lb.id] : [],
  computeId: `c-${id}`,
  ...more,
});
const compare = (input: Partial<RestoreInput>) =>
  compareWorld({ instances: [], amphorae: [], deleted: new Set(), loadBalancers: [lb], ...input });
const kinds = (input: Partial<RestoreInput>) => compare(input).map(({ kind }) => kind);

describe('a world and a journal', () => {
  test('that agree have no difference, whatever is just being made or removed', () => {
    const three = randomUUID() as AmphoraId;
    expect(
      compare({ instances: [instance(one), instance(two)], amphorae: [amphora(one), amphora(two, 'READY')] }),
    ).toEqual([]);
    for (const status of ['BOOTING', 'PENDING_DELETE', 'ERROR'] as const) {
      for (const instances of [[], [instance(three)], [instance(three, 'BUILD')], [instance(three, 'STOPPED')]]) {
        expect(compare({ instances, amphorae: [amphora(three, status)] })).toEqual([]);
      }
    }
    expect(compare({ instances: [instance(one, 'BUILD')], amphorae: [amphora(one)] })).toEqual([]);
    expect(compare({ instances: [instance(one)], amphorae: [amphora(one, 'READY', { computeId: null })] })).toEqual([]);
  });

  test('differ by an instance that the journal has never heard of', () => {
    const [difference] = compare({ instances: [instance(one)] });
    expect(difference).toMatchObject({
      kind: 'unknownInstance',
      amphoraId: one,
      computeId: `c-${one}`,
      loadBalancerId: null,
    });
    expect(difference?.sentence).toMatch(new RegExp(`instance c-${one} of amphora ${one} .* made after the backup`));
  });

  test('differ by an instance whose amphora is deleted in the journal', () => {
    expect(kinds({ instances: [instance(one)], deleted: new Set([one]) })).toEqual(['deletedInstance']);
  });

  test('differ by an amphora without an instance, and its load balancer is served by nobody', () => {
    const differences = compare({ amphorae: [amphora(one), amphora(two, 'READY')] });
    expect(differences.map(({ kind }) => kind)).toEqual(['missingInstance', 'missingInstance', 'unservedLoadBalancer']);
    expect(differences[0]?.sentence).toContain(`amphora ${one} of load balancer ${lb.id} is ALLOCATED`);
    expect(differences[2]).toMatchObject({ loadBalancerId: lb.id, amphoraId: null });
    expect(differences[2]?.sentence).toContain(`load balancer ${lb.id} (web)`);
  });

  test('of a pair that has lost one still serve', () => {
    expect(kinds({ instances: [instance(one)], amphorae: [amphora(one), amphora(two)] })).toEqual(['missingInstance']);
  });

  test.each(['STOPPED', 'ERROR'] as const)('differ by an instance that is %s', (status) => {
    expect(kinds({ instances: [instance(one, status)], amphorae: [amphora(one)] })).toEqual([
      'stoppedInstance',
      'unservedLoadBalancer',
    ]);
  });

  test('differ by an amphora that runs as another instance', () => {
    const [difference, ...rest] = compare({ instances: [instance(one, 'ACTIVE', 'other')], amphorae: [amphora(one)] });
    expect(rest).toEqual([]);
    expect(difference).toMatchObject({ kind: 'otherInstance', loadBalancerId: lb.id });
    expect(difference?.sentence).toMatch(new RegExp(`as instance other, and the journal has it as c-${one}`));
  });
});
