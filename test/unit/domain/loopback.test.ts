import { expect, test } from '@jest/globals';
import { isLoopback } from '../../../src/domain/loopback.ts';

test.each(['localhost', '127.0.0.1', '127.88.3.4', '::1'])('%s is loopback', (host) => {
  expect(isLoopback(host)).toBe(true);
});

test.each(['0.0.0.0', '::', '128.0.0.1', '127.0.0.1.example.org', 'localhost.example.org', '127.1', ''])(
  '%s is not loopback',
  (host) => {
    expect(isLoopback(host)).toBe(false);
  },
);
