import { describe, expect, test } from '@jest/globals';
import { fromRpcError } from '../../../src/api/errors.ts';
import { apiName, apiPath, columnName } from '../../../src/api/names.ts';
import { RateLimit } from '../../../src/api/rate-limit.ts';
import { parseStaticToken } from '../../../src/api/tokens.ts';
import { RpcError } from '../../../src/channels/rpc/errors.ts';

describe('names', () => {
  test.each([
    ['id', 'id'],
    ['adminStateUp', 'admin_state_up'],
    ['loadBalancerId', 'loadbalancer_id'],
    ['healthMonitor', 'healthmonitor'],
    ['l7PolicyId', 'l7policy_id'],
    ['l7Policies', 'l7policies'],
    ['sniContainerRefs', 'sni_container_refs'],
    ['additionalVips', 'additional_vips'],
  ])('%s is %s', (ours, theirs) => {
    expect(apiName(ours)).toBe(theirs);
  });

  test('paths keep their places, and names that are not ours', () => {
    expect(apiPath('listeners[0].defaultPool.healthMonitor.maxRetries')).toBe(
      'listeners[0].default_pool.healthmonitor.max_retries',
    );
    expect(apiPath('insertHeaders.X-Other')).toBe('insert_headers.X-Other');
  });

  test('columns are spelled as the tables do', () => {
    expect(columnName('loadbalancer_id')).toBe('load_balancer_id');
    expect(columnName('tenant_id')).toBe('project_id');
  });
});

test('a refusal names the attribute as clients know it', () => {
  const error = new RpcError('invalid', "Invalid input for field/attribute protocolPort. Value: '0'. A port.", {
    field: 'protocolPort',
  });
  expect(fromRpcError(error)).toMatchObject({
    status: 400,
    message: "Invalid input for field/attribute protocol_port. Value: '0'. A port.",
  });
});

test('a refusal of a value names what is inside as clients know it', () => {
  const expects = 'An object with cookieName and persistenceTimeout.';
  const message = `Invalid input for field/attribute sessionPersistence. Value: '{"cookieName":1}'. ${expects}`;
  expect(fromRpcError(new RpcError('invalid', message, { field: 'sessionPersistence' })).message).toBe(
    `Invalid input for field/attribute session_persistence. Value: '{"cookie_name":1}'. An object with cookie_name and persistence_timeout.`,
  );
});

describe('the limit of requests', () => {
  test('lets two seconds’ worth through at once, then as many as the rate', () => {
    const limit = new RateLimit(2);
    expect([0, 0, 0, 0].map((at) => limit.take('a', at))).toEqual([undefined, undefined, undefined, undefined]);
    expect(limit.take('a', 0)).toBe(0.5);
    expect(limit.take('b', 0)).toBeUndefined();
    expect(limit.take('a', 500)).toBeUndefined();
    expect(limit.take('a', 500)).toBe(0.5);
  });

  test('of 0 is none', () => {
    const limit = new RateLimit(0);
    expect(Array.from({ length: 1000 }, () => limit.take('a', 0)).every((wait) => wait === undefined)).toBe(true);
  });

  test('forgets whoever was silent longest, and only them', () => {
    const limit = new RateLimit(1);
    limit.take('busy', 0);
    limit.take('busy', 0);
    for (let client = 0; client < 9_999; client++) limit.take(`c${client}`, 0);
    expect(limit.take('busy', 0)).toBe(1);
    limit.take('one more', 0);
    expect(limit.take('busy', 0)).toBe(1);
  });
});

describe('a token of the settings', () => {
  const hash = 'a'.repeat(64);
  test('has a hash, a project and roles', () => {
    expect(parseStaticToken(`${hash}:one:member+reader`)).toEqual({
      hash,
      projectId: 'one',
      roles: ['member', 'reader'],
    });
  });
  test.each(['', 'x:one:member', `${hash}:one`, `${hash}::member`])('is not "%s"', (text) => {
    expect(parseStaticToken(text)).toBeUndefined();
  });
});
