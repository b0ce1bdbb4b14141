import { describe, expect, test } from '@jest/globals';
import { moment, rowChanges, type Rows } from '../../../src/domain/projection.ts';

const row = (id: string, more: object = {}) => ({ id, name: 'n', tags: ['a'], ...more });

describe('changes of rows', () => {
  test.each<[string, Rows, Rows, object, object]>([
    ['nothing, when nothing has changed', { t: [row('1')] }, { t: [row('1')] }, {}, {}],
    ['a row that is new', { t: [row('1')] }, { t: [row('1'), row('2')] }, { t: [row('2')] }, {}],
    [
      'a row that differs in a value',
      { t: [row('1')] },
      { t: [row('1', { name: 'm' })] },
      { t: [row('1', { name: 'm' })] },
      {},
    ],
    [
      'a row that differs within a value',
      { t: [row('1')] },
      { t: [row('1', { tags: ['b'] })] },
      { t: [row('1', { tags: ['b'] })] },
      {},
    ],
    [
      'a row that has become null',
      { t: [row('1')] },
      { t: [row('1', { name: null })] },
      { t: [row('1', { name: null })] },
      {},
    ],
    ['a row that is gone', { t: [row('1'), row('2')] }, { t: [row('2')] }, {}, { t: ['1'] }],
    ['a table that has become empty', { t: [row('1')] }, {}, {}, { t: ['1'] }],
    ['a table that was empty', {}, { t: [row('1')] }, { t: [row('1')] }, {}],
    [
      'tables apart',
      { a: [row('1')], b: [row('1')] },
      { a: [row('1')], b: [row('2')] },
      { b: [row('2')] },
      { b: ['1'] },
    ],
  ])('are %s', (_, before, after, upserts, deletes) => {
    expect(rowChanges(before, after)).toEqual({ upserts, deletes });
  });

  test('give times as ISO 8601', () => {
    expect(moment(0)).toBe('1970-01-01T00:00:00.000Z');
  });
});
