import { expect, test } from '@jest/globals';
import { openPool } from '../../../src/db/pool.ts';

test('a connection that breaks is told of until the end of the pool was asked for', async () => {
  const heard: string[] = [];
  const pool = openPool({ url: 'postgresql://nowhere', size: 1, onIdleError: ({ message }) => heard.push(message) });
  pool.emit('error', new Error('while it serves'));
  const ended = pool.end();
  pool.emit('error', new Error('while it ends'));
  await ended;
  expect(heard).toEqual(['while it serves']);
});
