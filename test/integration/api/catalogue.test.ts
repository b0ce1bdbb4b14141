// Flavors, availability zones and their profiles over the REST API.
import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { startTestApi, useTestApi } from '../../support/api.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';

const world = new FakeWorld();
const { api, node } = useTestApi(world);

const base = '/v2/lbaas';
const single = JSON.stringify({ loadbalancer_topology: 'SINGLE' });

describe('the catalogue', () => {
  test('has flavors with profiles, which load balancers are made by', async () => {
    const profiles = `${base}/flavorprofiles`;
    const flavorprofile = { name: 'single', provider_name: 'amphora', flavor_data: single };
    const profile = (await api.request('POST', profiles, { flavorprofile })).body.flavorprofile;
    expect(profile).toEqual({ id: expect.any(String), ...flavorprofile });
    const flavor = { name: 'small', flavor_profile_id: profile.id };
    const made = (await api.request('POST', `${base}/flavors`, { flavor })).body.flavor;
    expect(made).toEqual({ ...flavor, id: expect.any(String), description: '', enabled: true });
    const twin = await api.request('POST', `${base}/flavors`, { flavor });
    expect(twin.status).toBe(409);
    const own = `${base}/flavors/${made.id}`;
    expect((await api.request('PUT', own, { flavor: { enabled: 'false' } })).body.flavor.enabled).toBe(false);
    const disabled = { loadbalancer: { vip_subnet_id: 's', flavor_id: made.id } };
    expect((await api.request('POST', `${base}/loadbalancers`, disabled)).status).toBe(400);
    expect((await api.request('PUT', own, { flavor: { enabled: null } })).body.flavor.enabled).toBe(true);
    const fixed = await api.request('PUT', own, { flavor: { flavor_profile_id: profile.id } });
    expect(fixed.body.faultstring).toContain('attribute flavor_profile_id.');
    const { loadbalancer } = (await api.request('POST', `${base}/loadbalancers`, disabled)).body;
    expect(loadbalancer.flavor_id).toBe(made.id);
    expect((await api.request('DELETE', own)).status).toBe(409);
    expect((await api.request('DELETE', `${profiles}/${profile.id}`)).status).toBe(409);
    await api.request('DELETE', `${base}/loadbalancers/${loadbalancer.id}`);
    await api.untilStatus(loadbalancer.id, undefined);
    expect((await api.request('DELETE', own)).status).toBe(204);
    expect((await api.get(own)).body.faultstring).toBe(`Flavor ${made.id} not found.`);
    expect((await api.request('DELETE', `${profiles}/${profile.id}`)).status).toBe(204);
  });

  test('has availability zones, known by their names', async () => {
    const availability_zone_profile = { name: 'p', provider_name: 'amphora', availability_zone_data: '{}' };
    const profile = (await api.request('POST', `${base}/availabilityzoneprofiles`, { availability_zone_profile })).body
      .availability_zone_profile;
    const availability_zone = { name: 'north', availability_zone_profile_id: profile.id };
    const made = await api.request('POST', `${base}/availabilityzones`, { availability_zone });
    expect([made.status, made.body.availability_zone]).toEqual([
      201,
      { ...availability_zone, description: '', enabled: true },
    ]);
    const own = `${base}/availabilityzones/north`;
    const change = { availability_zone: { description: 'cold' } };
    expect((await api.request('PUT', own, change)).body.availability_zone.description).toBe('cold');
    const renamed = await api.request('PUT', own, { availability_zone: { name: 'south' } });
    expect(renamed.body.faultstring).toContain('attribute name.');
    expect((await api.get(own)).body.availability_zone.description).toBe('cold');
    expect((await api.request('DELETE', own)).status).toBe(204);
    expect((await api.get(own)).status).toBe(404);
  });

  test('is listed with filters, in order (of ids unless another one is asked for), page by page', async () => {
    const byId: [id: string, name: string][] = [];
    for (const name of ['a', 'c', 'b']) {
      const flavorprofile = { name, provider_name: 'amphora', flavor_data: '{}' };
      const { body } = await api.request('POST', `${base}/flavorprofiles`, { flavorprofile });
      const flavor = { name, flavor_profile_id: body.flavorprofile.id, enabled: name !== 'c' };
      byId.push([(await api.request('POST', `${base}/flavors`, { flavor })).body.flavor.id, name]);
    }
    const names = async (query: string) =>
      (await api.get(`${base}/flavors?${query}`)).body.flavors.map(({ name }: { name: string }) => name).join('');
    const sorted = byId.toSorted(([one], [other]) => (one < other ? -1 : 1));
    expect(await names('')).toBe(sorted.map(([, name]) => name).join(''));
    expect(await names('sort=name:desc')).toBe('cba');
    expect(await names('enabled=False')).toBe('c');
    expect(await names('name=b')).toBe('b');
    const { flavors, flavors_links: links } = (await api.get(`${base}/flavors?limit=2&fields=name&sort=name`)).body;
    expect([flavors, links[0].rel]).toEqual([[{ name: 'a' }, { name: 'b' }], 'next']);
    const next = (await api.get(links[0].href.slice(links[0].href.indexOf('/v2')))).body;
    expect(next.flavors).toEqual([{ name: 'c' }]);
    expect((await api.get(`${base}/flavors?marker=${randomUUID()}`)).status).toBe(400);
    expect((await api.get(`${base}/flavors?bogus=1`)).status).toBe(400);
  });

  test('is changed by administrators, and its profiles are seen by them alone', async () => {
    const tokens = [`${createHash('sha256').update('t').digest('hex')}:one:member`];
    const guarded = await startTestApi(node, world, { auth: 'token', tokens });
    try {
      const as = { 'x-auth-token': 't' };
      expect((await guarded.get(`${base}/flavors`, as)).status).toBe(200);
      expect((await guarded.get(`${base}/flavorprofiles`, as)).status).toBe(403);
      expect((await guarded.request('POST', `${base}/flavors`, { flavor: {} }, as)).status).toBe(403);
    } finally {
      await guarded.close();
    }
  });

  test('tells what profiles can say', async () => {
    const { providers } = (await api.get(`${base}/providers?fields=name`)).body;
    expect(providers).toEqual([{ name: 'amphora' }, { name: 'octavia' }]);
    const { flavor_capabilities: known } = (await api.get(`${base}/providers/amphora/flavor_capabilities`)).body;
    expect(known.map(({ name }: { name: string }) => name)).toContain('loadbalancer_topology');
    const flavorprofile = { name: 'odd', provider_name: 'amphora', flavor_data: '{"bogus": 1}' };
    const refused = await api.request('POST', `${base}/flavorprofiles`, { flavorprofile });
    expect([refused.status, refused.body.faultstring]).toEqual([400, expect.stringContaining('flavor_data')]);
  });
});

describe('the provider', () => {
  const create = async (more: object) =>
    api.request('POST', `${base}/loadbalancers`, { loadbalancer: { vip_subnet_id: 's', ...more } });
  const flavorOf = async (provider_name: string) => {
    const flavorprofile = { name: `of ${provider_name}`, provider_name, flavor_data: '{}' };
    const { id } = (await api.request('POST', `${base}/flavorprofiles`, { flavorprofile })).body.flavorprofile;
    const flavor = { name: `of ${provider_name}`, flavor_profile_id: id };
    return (await api.request('POST', `${base}/flavors`, { flavor })).body.flavor.id;
  };

  test('is echoed under the name that was given, and lists can be narrowed by it', async () => {
    const given = [undefined, null, 'amphora', 'octavia'];
    const made = await Promise.all(given.map((provider) => create({ provider })));
    expect(made.map(({ body }) => body.loadbalancer.provider)).toEqual(['amphora', 'amphora', 'amphora', 'octavia']);
    const { id } = made[3]?.body.loadbalancer ?? {};
    expect((await api.get(`${base}/loadbalancers/${id}`)).body.loadbalancer.provider).toBe('octavia');
    const listed = await api.get(`${base}/loadbalancers?provider=octavia`);
    expect(listed.body.loadbalancers.map((one: { readonly id: string }) => one.id)).toEqual([id]);
  });

  test('is that of the flavor, which must agree with the one that is given', async () => {
    const [alias, usual] = [await flavorOf('octavia'), await flavorOf('amphora')];
    expect((await create({ flavor_id: alias })).body.loadbalancer.provider).toBe('octavia');
    expect((await create({ flavor_id: usual, provider: 'amphora' })).body.loadbalancer.provider).toBe('amphora');
    const refused = await create({ flavor_id: alias, provider: 'amphora' });
    expect([refused.status, refused.body.faultstring]).toEqual([
      400,
      `Flavor '${alias}' is not compatible with provider 'amphora'`,
    ]);
  });

  test('that is not there is refused in Octavia’s words', async () => {
    for (const answer of [
      await create({ provider: 'f5' }),
      await api.get(`${base}/providers/f5/flavor_capabilities`),
      await api.get(`${base}/providers/f5/availability_zone_capabilities`),
    ]) {
      expect([answer.status, answer.body.faultstring]).toEqual([400, "Provider 'f5' is not enabled."]);
    }
  });
});
