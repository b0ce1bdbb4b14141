import { expect, test } from '@jest/globals';
import { NewerVersionError, type Upcaster, upcastEvents, upcastSnapshot } from '../../../src/domain/upcast.ts';

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
