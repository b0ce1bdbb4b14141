import { describe, expect, test } from '@jest/globals';
import { deriveId, isUuid, shardOf } from '../../../src/domain/ids.ts';

describe('derived ids', () => {
  test('a derived id must not change', () => {
    expect(deriveId('create', 7)).toBe('faf84393-a4f4-59be-aef1-a4a970a0f2b1');
  });

  test('equal parts give equal ids and other parts give others', () => {
    expect(deriveId('a', 'b')).toBe(deriveId('a', 'b'));
    expect(deriveId('a', 'b')).not.toBe(deriveId('a', 'c'));
  });

  test('a derived id is a UUID', () => {
    expect(isUuid(deriveId('anything'))).toBe(true);
    expect(isUuid('ABC')).toBe(false);
  });

  test('the shard of an id must not change', () => {
    expect(shardOf('00000000-0000-4000-8000-000000000000')).toBe(55);
  });
});
