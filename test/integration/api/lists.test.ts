import { beforeAll, describe, expect, test } from '@jest/globals';
import { startTestApi, useTestApi } from '../../support/api.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';

const world = new FakeWorld();
const { api, node } = useTestApi(world, { spares: 5 });

const path = '/v2/lbaas/loadbalancers';

const made = [
  { name: 'a', description: 'x', tags: ['red', 'blue'], project_id: 'one' },
  { name: 'b', description: 'y', tags: ['red'], project_id: 'one', admin_state_up: false },
  { name: 'c', description: 'x', tags: ['green'], project_id: 'two' },
  { name: 'd', description: 'y', tags: [], project_id: 'two' },
  { name: 'e', description: 'x', tags: ['blue'], project_id: 'two' },
];
const ids: string[] = [];

beforeAll(async () => {
  for (const body of made) {
    const answer = await api.request('POST', path, { loadbalancer: { vip_subnet_id: 'subnet', ...body } });
    ids.push(answer.body.loadbalancer.id);
  }
  for (const id of ids) await api.untilStatus(id, 'ACTIVE');
});

async function names(query: string): Promise<string> {
  const { body } = await api.get(`${path}?${query}`);
  return body.loadbalancers.map(({ name }: { name: string }) => name).join('');
}

describe('a list', () => {
  test.each([
    ['', 'abcde'],
    ['name=c', 'c'],
    ['description=x&project_id=two', 'ce'],
    ['tenant_id=one', 'ab'],
    ['admin_state_up=False', 'b'],
    ['provisioning_status=ACTIVE', 'abcde'],
    ['provisioning_status=ERROR', ''],
    ['operating_status=OFFLINE&name=a', 'a'],
    ['provider=amphora', 'abcde'],
    ['provider=f5', ''],
    ['id=nonsense', ''],
    ['created_at=nonsense', ''],
    ['tags=red', 'ab'],
    ['tags=red,blue', 'a'],
    ['tags=red&tags=blue', 'a'],
    ['tags-any=green,blue', 'ace'],
    ['not-tags=red,blue', 'bcde'],
    ['not-tags-any=red,green', 'de'],
    ['sort=name:desc', 'edcba'],
    ['sort=description,name:desc', 'ecadb'],
    ['sort_key=description&sort_key=name&sort_dir=desc&sort_dir=asc', 'bdace'],
    ['sort_key=description,name&sort_dir=DESC,asc', 'bdace'],
    ['limit=2', 'ab'],
    ['limit=0', 'abcde'],
    ['limit=infinite', 'abcde'],
    ['limit=99999', 'abcde'],
  ])('with %s is %s', async (query, expected) => {
    expect(await names(query)).toBe(expected);
  });

  test('has the times of its objects as filters', async () => {
    const { created_at: at } = (await api.get(`${path}/${ids[0]}`)).body.loadbalancer;
    expect(await names(`created_at=${at}`)).toContain('a');
  });

  test('shows the fields that were asked for only', async () => {
    const { body } = await api.get(`${path}?fields=name&fields=tags&name=a`);
    expect(body.loadbalancers).toEqual([{ name: 'a', tags: ['red', 'blue'] }]);
    expect((await api.get(`${path}/${ids[0]}?fields=name`)).body).toEqual({ loadbalancer: { name: 'a' } });
  });
});

describe('a list of what is in a load balancer', () => {
  const base = '/v2/lbaas';
  const make = async (plural: string, singular: string, body: object) => {
    const answer = await api.request('POST', `${base}/${plural}`, { [singular]: body });
    expect(answer.status).toBe(201);
    return answer.body[singular].id as string;
  };

  test('can be narrowed to it, and by what its objects belong to or have', async () => {
    const [one, other] = ids as [string, string];
    const listener = await make('listeners', 'listener', { loadbalancer_id: one, protocol: 'HTTP', protocol_port: 80 });
    const pool = await make('pools', 'pool', { listener_id: listener, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' });
    await make('pools', 'pool', { loadbalancer_id: other, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' });
    const check = { type: 'TCP', delay: 5, timeout: 3, max_retries: 3 };
    const monitor = await make('healthmonitors', 'healthmonitor', { pool_id: pool, ...check });
    const policy = await make('l7policies', 'l7policy', { listener_id: listener, action: 'REJECT' });
    const listed = async (plural: string, query: string) => {
      const { body } = await api.get(`${base}/${plural}?${query}`);
      return body[plural].map(({ id }: { id: string }) => id);
    };
    expect(await listed('listeners', `loadbalancer_id=${one}`)).toEqual([listener]);
    expect(await listed('listeners', `loadbalancer_id=${other}`)).toEqual([]);
    expect(await listed('pools', `loadbalancer_id=${one}`)).toEqual([pool]);
    expect(await listed('healthmonitors', `loadbalancer_id=${one}&pool_id=${pool}`)).toEqual([monitor]);
    expect(await listed('l7policies', `loadbalancer_id=${one}&listener_id=${listener}`)).toEqual([policy]);
    expect(await listed('listeners', `default_pool_id=${pool}`)).toEqual([listener]);
    expect(await listed('pools', `healthmonitor_id=${monitor}`)).toEqual([pool]);
    expect(await listed('pools', `sort=healthmonitor_id:desc&marker=${pool}`)).toEqual([]);
  });
});

test('a list of amphorae can be narrowed by what each of them shows', async () => {
  const all = (await api.get('/v2/octavia/amphorae')).body.amphorae;
  const [amphora] = all.filter(({ loadbalancer_id }: { loadbalancer_id: string }) => loadbalancer_id === ids[0]);
  for (const attribute of ['compute_id', 'lb_network_ip', 'ha_ip', 'ha_port_id', 'cert_expiration', 'cert_busy']) {
    const { body } = await api.get(`/v2/octavia/amphorae?${attribute}=${amphora[attribute]}`);
    expect([attribute, body.amphorae]).toEqual([attribute, expect.arrayContaining([amphora])]);
    const after = await api.get(`/v2/octavia/amphorae?sort_key=${attribute}&limit=1&marker=${amphora.id}`);
    expect(after.status).toBe(200);
  }
  const { body } = await api.get('/v2/octavia/amphorae?ha_ip=192.0.2.1');
  expect(body.amphorae).toEqual([]);
});

describe('pages', () => {
  const relOf = (links: readonly { rel: string; href: string }[] = []) =>
    Object.fromEntries(links.map(({ rel, href }) => [rel, href.slice(href.indexOf('/v2'))]));

  test.each([
    '',
    'sort=description:desc,name',
    'sort=vip_address',
    'sort=operating_status:desc',
    'sort=project_id:desc',
  ])('sorted by "%s" lead through everything and back', async (sort) => {
    const all = await names(sort);
    let seen = '';
    let next: string | undefined = `${path}?limit=2&${sort}`;
    let lastLinks: Record<string, string> = {};
    while (next !== undefined) {
      const { body } = await api.get(next);
      seen += body.loadbalancers.map(({ name }: { name: string }) => name).join('');
      if (body.loadbalancers.length > 0) lastLinks = relOf(body.loadbalancers_links);
      next = relOf(body.loadbalancers_links)['next'];
    }
    expect(seen).toBe(all);
    expect(seen).toHaveLength(made.length);
    const { body } = await api.get(lastLinks['previous'] ?? '');
    expect(body.loadbalancers.map(({ name }: { name: string }) => name).join('')).toBe(all.slice(2, 4));
  });

  test.each(['lbaas/loadbalancers', 'lbaas/flavors', 'lbaas/quotas', 'octavia/amphorae'])(
    'of %s have no links when everything fits',
    async (what) => {
      const { body } = await api.get(`/v2/${what}`);
      expect(body[`${what.split('/')[1]}_links`]).toEqual([]);
    },
  );

  test('have no links when nothing is there', async () => {
    expect((await api.get(`${path}?name=nobody`)).body).toEqual({ loadbalancers: [], loadbalancers_links: [] });
  });

  test('of links begin with the base URL of the settings', async () => {
    const behind = await startTestApi(node, world, { baseUrl: 'https://lb.example.org/' });
    try {
      const { body } = await behind.get(`${path}?limit=1`);
      expect(body.loadbalancers_links[0].href).toMatch(/^https:\/\/lb\.example\.org\/v2\/lbaas\/loadbalancers\?/);
    } finally {
      await behind.close();
    }
  });
});
