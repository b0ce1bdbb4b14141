import { expect, test } from '@jest/globals';
import { useTestApi } from '../../support/api.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';

const world = new FakeWorld();
const { api } = useTestApi(world);

const path = '/v2/lbaas/quotas';

test('quotas of a project are set in either spelling, shown in both, and hold', async () => {
  const none = (await api.get(`${path}/defaults`)).body.quota;
  expect(none).toMatchObject({ loadbalancer: -1, load_balancer: -1, healthmonitor: -1, l7policy: -1 });
  expect((await api.get(`${path}/one/default`)).body.quota).toEqual(none);
  const set = await api.request('PUT', `${path}/one`, { quota: { load_balancer: 1, healthmonitor: '5' } });
  expect([set.status, set.body.quota]).toEqual([
    202,
    expect.objectContaining({ loadbalancer: 1, load_balancer: 1, health_monitor: 5, project_id: 'one' }),
  ]);
  const create = () => {
    const loadbalancer = { vip_subnet_id: 's', project_id: 'one' };
    return api.request('POST', '/v2/lbaas/loadbalancers', { loadbalancer });
  };
  expect((await create()).status).toBe(201);
  const refused = await create();
  expect([refused.status, refused.body.faultstring]).toEqual([403, 'Quota has been met for resources: Load Balancer']);
  expect((await api.get(path)).body.quotas).toMatchObject([{ project_id: 'one', loadbalancer: 1 }]);
  expect((await api.get(`${path}?project_id=two`)).body.quotas).toEqual([]);
  expect((await api.request('DELETE', `${path}/one`)).status).toBe(202);
  expect((await api.get(`${path}/one`)).body.quota.loadbalancer).toBe(-1);
  expect((await create()).status).toBe(201);
});

test('quotas that make no sense are refused', async () => {
  const refusal = async (quota: object) => (await api.request('PUT', `${path}/one`, { quota })).body.faultstring;
  expect(await refusal({ bogus: 1 })).toBe('Unknown attribute for argument quotas.quota: bogus');
  expect(await refusal({ loadbalancer: -2 })).toContain('attribute loadbalancer.');
  expect(await refusal({ loadbalancer: 1, load_balancer: 2 })).toContain('attribute load_balancer.');
});
