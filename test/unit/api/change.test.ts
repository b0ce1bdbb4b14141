import { expect, test } from '@jest/globals';
import { callerWith } from '../../../src/api/access.ts';
import type { ApiPorts, CallOptions } from '../../../src/api/ports.ts';
import { type ApiRequest, change } from '../../../src/api/request.ts';
import { RpcError } from '../../../src/channels/rpc/errors.ts';

function requestWith(signal: AbortSignal): ApiRequest {
  return {
    params: {},
    query: new URLSearchParams(),
    body: undefined,
    caller: callerWith('test', 'one', ['admin']),
    base: '',
    path: '',
    commandId: 'command',
    isRepeatable: false,
    signal,
  };
}

function portsThat(call: (commandId: string) => Promise<unknown>): ApiPorts {
  return { call: (_: string, __: object, { commandId }: CallOptions) => call(commandId) } as unknown as ApiPorts;
}

test.each(['busy', 'unavailable'] as const)(
  'a change that is answered %s is repeated under the same id',
  async (code) => {
    const ids: string[] = [];
    const ports = portsThat(async (id) => {
      ids.push(id);
      if (ids.length < 3) throw new RpcError(code, 'not now', { retryAfterMs: 1 });
      return { id: 'x', commandId: id };
    });
    const never = new AbortController();
    expect(await change(ports, 'pool.delete', {}, requestWith(never.signal))).toMatchObject({ id: 'x' });
    expect(ids).toEqual(['command', 'command', 'command']);
  },
);

test('a change that is refused is not repeated', async () => {
  let calls = 0;
  const ports = portsThat(async () => {
    calls++;
    throw new RpcError('conflict', 'taken');
  });
  const never = new AbortController();
  await expect(change(ports, 'pool.delete', {}, requestWith(never.signal))).rejects.toThrow('taken');
  expect(calls).toBe(1);
});

test('a change is repeated until its deadline, and then fails with the last answer', async () => {
  const deadline = new AbortController();
  let calls = 0;
  const ports = portsThat(async () => {
    if (++calls === 2) deadline.abort();
    throw new RpcError('busy', `not now, ${calls}`, { retryAfterMs: 1 });
  });
  await expect(change(ports, 'pool.delete', {}, requestWith(deadline.signal))).rejects.toThrow('not now, 2');
});
