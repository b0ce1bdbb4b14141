import { expect, test } from '@jest/globals';
import { isDatabaseAway, isReadOnly, isRefused } from '../../../src/db/failures.ts';

const failure = (code: string) => Object.assign(new Error('as PostgreSQL says it'), { code });

test.each([
  'ECONNREFUSED',
  '08006',
  '28P01',
  '3D000',
  '53300',
  '53100',
  '57P01',
  '57P03',
  '57014',
  '58030',
  '25006',
  '55P03',
])('%s is a database that is away: reads wait for it, and no statement is at fault', (code) => {
  expect(isDatabaseAway(failure(code))).toBe(true);
  expect(isRefused(failure(code))).toBe(false);
});

test.each(['21000', '22P02', '23505', '44000', '54000', 'P0001'])('%s is said of what a statement holds', (code) => {
  expect(isDatabaseAway(failure(code))).toBe(false);
  expect(isRefused(failure(code))).toBe(true);
});

test.each(['42883', '42501', 'XX000', '40001'])('%s is neither', (code) => {
  expect(isDatabaseAway(failure(code))).toBe(false);
  expect(isRefused(failure(code))).toBe(false);
});

test('words of the client without a code count, and only those', () => {
  expect(isDatabaseAway(new Error('Connection terminated unexpectedly'))).toBe(true);
  expect(isDatabaseAway(new Error('Query read timeout'))).toBe(true);
  expect(isDatabaseAway(new Error('something else'))).toBe(false);
  expect(isDatabaseAway('a string')).toBe(false);
  expect(isReadOnly(failure('25006'))).toBe(true);
});
