import v8 from 'node:v8';
import { expect, test } from '@jest/globals';
import { isMostlyUnused } from '../../../src/composition/memory.ts';

const mib = (total: number, used: number) => ({
  ...v8.getHeapStatistics(),
  total_heap_size: total * 1024 * 1024,
  used_heap_size: used * 1024 * 1024,
});

test('a heap is made smaller when much of it is unused, and not for a little', () => {
  expect(isMostlyUnused(mib(372, 139))).toBe(true);
  expect(isMostlyUnused(mib(372, 300))).toBe(false);
  expect(isMostlyUnused(mib(100, 10))).toBe(false);
  expect(isMostlyUnused(mib(1_000, 880))).toBe(false);
});
