import { expect, test } from '@jest/globals';
import { useTestApi } from '../../support/api.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';

const world = new FakeWorld();
const { api } = useTestApi(world);

/** Every object inside a value, itself included. */
function inside(value: unknown): readonly Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap(inside);
  if (typeof value !== 'object' || value === null) return [];
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(inside)];
}

test('/openapi.json describes every resource with the limits that requests are checked by', async () => {
  const { status, body } = await api.get('/openapi.json');
  expect([status, body.openapi]).toEqual([200, '3.1.0']);
  const schemas = body.components.schemas;
  expect(schemas.ListenerCreate.required).toEqual(['loadbalancer_id', 'protocol', 'protocol_port']);
  expect(schemas.ListenerCreate.properties.protocol_port).toMatchObject({ minimum: 1, maximum: 65_535 });
  expect(schemas.ListenerCreate.properties.protocol.enum).toContain('HTTP');
  expect(schemas.ListenerCreate.properties.connection_limit).toMatchObject({ default: -1 });
  expect(schemas.ListenerUpdate.properties.protocol).toBeUndefined();
  const tree = schemas.LoadbalancerCreate.properties;
  expect(JSON.stringify(tree.listeners)).toContain('default_pool');
  expect(schemas.MemberCreate.properties.request_sriov).toMatchObject({ default: false });
  expect(Object.keys(schemas.Member.properties)).toEqual(expect.arrayContaining(['vnic_type', 'subnet_id']));
  const onlyAsked = [schemas.Member, schemas.Listener, schemas.L7policy].flatMap(({ properties }) =>
    ['request_sriov', 'default_pool', 'redirect_pool'].filter((name) => name in properties),
  );
  expect(onlyAsked).toEqual([]);
  const named = JSON.stringify([tree.additional_vips, schemas.PoolCreate.properties.session_persistence]);
  expect(named).toContain('subnet_id');
  expect(named).toContain('cookie_name');
  expect(named).not.toMatch(/"(subnetId|cookieName)"/);
  expect(Object.keys(body.paths['/v2/lbaas/pools/{parent}/members/{id}'])).toEqual(['get', 'put', 'delete']);
});

test('/openapi.json is consistent in itself', async () => {
  const { body } = await api.get('/openapi.json');
  for (const { $ref } of inside(body).filter(({ $ref }) => $ref !== undefined)) {
    const found = String($ref)
      .slice(2)
      .split('/')
      .reduce((at, name) => at?.[name], body);
    expect([$ref, found === undefined]).toEqual([$ref, false]);
  }
  const ids = inside(body.paths).flatMap(({ operationId }) => (operationId === undefined ? [] : [operationId]));
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.length).toBeGreaterThan(40);
});
