import { describe, expect, test } from '@jest/globals';
import { Fleet } from '../../../../src/actors/cluster/fleet.ts';
import type { AmphoraFacts } from '../../../../src/domain/amphora/facts.ts';
import type { AmphoraId } from '../../../../src/domain/ids.ts';

const one = 'amphora-1' as AmphoraId;
const facts = (status: AmphoraFacts['status']): AmphoraFacts => ({
  status,
  loadBalancerIds: [],
  bootFailure: null,
  controllers: [],
});

type Page = readonly (readonly [AmphoraId, AmphoraFacts])[];

/** A table that is read a page at a time; `meanwhile` happens once the pages were read, before they are looked at. */
async function* table(pages: readonly Page[], meanwhile: () => void = () => undefined): AsyncGenerator<Page> {
  await Promise.resolve();
  meanwhile();
  yield* pages;
}

describe('the fleet', () => {
  test('learns from the table what no message has told, and tells of it', async () => {
    const fleet = new Fleet();
    const heard: string[] = [];
    fleet.onChange((id, { status }) => heard.push(`${id} ${status}`));
    await fleet.reconcile(table([[[one, facts('READY')]]]));
    await fleet.reconcile(table([[], [[one, facts('READY')]]]));
    expect(fleet.changes).toBe(1);
    await fleet.reconcile(table([[]]));
    expect(heard).toEqual([`${one} READY`, `${one} DELETED`]);
    expect([fleet.size, fleet.changes]).toEqual([0, 2]);
  });

  test('believes messages that came while the table was read rather than the table', async () => {
    const fleet = new Fleet();
    fleet.learn(one, facts('BOOTING'));
    await fleet.reconcile(table([[[one, facts('BOOTING')]]], () => fleet.learn(one, facts('READY'))));
    expect(fleet.get(one)?.status).toBe('READY');
    await fleet.reconcile(table([[[one, facts('READY')]]], () => fleet.learn(one, facts('DELETED'))));
    expect(fleet.get(one)).toBeUndefined();
    await fleet.reconcile(table([[[one, facts('READY')]]]));
    expect(fleet.get(one)?.status).toBe('READY');
  });

  test('keeps one that was made while the table was read', async () => {
    const fleet = new Fleet();
    await fleet.reconcile(table([[]], () => fleet.learn(one, facts('BOOTING'))));
    expect(fleet.get(one)?.status).toBe('BOOTING');
  });
});
