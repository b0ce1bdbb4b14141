// Octavia's own acceptance tests, unmodified, with a real Keystone. The suite runs a selection that covers each resource;
// `npm run tempest` runs all of them that need no network and no machines.
import { beforeAll, describe, expect, test } from '@jest/globals';
import { useAmphi } from '../../support/amphi.ts';
import { adminPassword, freePort, hasKeystone, type Keystone, useKeystone } from '../../support/keystone.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { hasTempest, runTempest, type TempestRun, tempestRoles } from '../../support/tempest.ts';

const withTempest = hasTempest() && hasKeystone() ? describe : describe.skip;
const runsAll = process.env['AMPHI_TEST_TEMPEST'] === 'all';

const keystone = useKeystone();
const amphi = useAmphi('tempest');
const folder = tempFolder('tempest-plugin');

const tests = '^octavia_tempest_plugin.tests';
/** Those of health monitors, members and pools are there for each protocol and algorithm: HTTP and UDP stand for all. */
const few = [
  `${tests}.api.v2.test_(amphora|availability_zone|flavor|l7policy|l7rule|load_balancer|provider)`,
  `${tests}.api.v2.test_listener.*(http|udp)_listener`,
  `${tests}.api.v2.test_healthmonitor.*_RR_(HTTP|UDP)_`,
  `${tests}.api.v2.test_(member|pool).*_(HTTP|UDP)_RR_`,
  `${tests}.scenario.v2.test_(l7policy|l7rule|load_balancer.*ipv4)`,
  `${tests}.scenario.v2.test_(member|healthmonitor).*_(HTTP_RR|RR_HTTP)_`,
];
/** Left out: one that asks for a network and expects another one, which no-op drivers cannot know of. */
const all = [`${tests}.api.v2`, `${tests}.scenario.v2.test_(?!pool|load_balancer.*ipv6)`];
/** The only ones that wait until something is measured. */
const measured = runsAll ? `${tests}.scenario.v2.test_pool` : `${tests}.scenario.v2.test_pool.*_HTTP_RR_`;

const timeoutMs = runsAll ? 1_200_000 : 600_000;
const more = 60_000;

withTempest('(skipped where octavia-tempest-plugin and python3-keystone are not installed)', () => {
  let identity: Keystone;
  let apiPort = 0;

  beforeAll(async () => {
    identity = await keystone.start();
    apiPort = await freePort();
    for (const name of tempestRoles) await identity.call('POST', '/roles', { role: { name } });
    const service = { type: 'load-balancer', name: 'octavia' };
    const made = await identity.call<{ service: { id: string } }>('POST', '/services', { service });
    const endpoint = { service_id: made.service.id, interface: 'public', url: `http://127.0.0.1:${apiPort}` };
    await identity.call('POST', '/endpoints', { endpoint: { ...endpoint, region_id: identity.region } });
  }, 120_000);

  const up = (settings: Readonly<Record<string, string>>) =>
    amphi.up({
      AMPHI_DRIVER: 'noop',
      AMPHI_NOOP_SUBNETS: 'any',
      AMPHI_SPARES_SIZE: '4',
      AMPHI_API_PORT: String(apiPort),
      AMPHI_API_AUTH: 'keystone',
      // They tell what is foreign from what is not there.
      AMPHI_API_FOREIGN: 'forbidden',
      AMPHI_API_KEYSTONE_URL: identity.url,
      AMPHI_API_KEYSTONE_USER: 'admin',
      AMPHI_API_KEYSTONE_PASSWORD: adminPassword,
      AMPHI_API_KEYSTONE_PROJECT: 'admin',
      ...settings,
    });

  async function passes({ policy, only }: Pick<TempestRun, 'policy' | 'only'>, atLeast: number): Promise<void> {
    const { url: keystoneUrl, region } = identity;
    const result = await runTempest({ folder, keystoneUrl, adminPassword, region, policy, only, timeoutMs });
    if (result.failed > 0) throw new Error(result.output);
    expect(result.passed).toBeGreaterThanOrEqual(atLeast);
  }

  test(
    'the API does what they ask of it',
    async () => {
      // Heartbeats go to nobody: these tests expect that no-op drivers measure nothing.
      const unheard = { AMPHI_HEARTBEAT_CONTROLLERS: '127.0.0.1:9', AMPHI_HEARTBEAT_TIMEOUT: '86400' };
      const { stop } = await up(unheard);
      if (!runsAll) await passes({ policy: 'advanced', only: few }, 100);
      for (const policy of runsAll ? (['advanced', 'owner_or_admin'] as const) : []) {
        await passes({ policy, only: all }, 400);
      }
      await stop();
    },
    (runsAll ? 2 : 1) * timeoutMs + more,
  );

  test(
    'pools become ONLINE when they wait for it',
    async () => {
      const { stop } = await up({ AMPHI_HEARTBEAT_INTERVAL: '0.5' });
      await passes({ policy: 'advanced', only: [measured] }, runsAll ? 20 : 2);
      await stop();
    },
    timeoutMs + more,
  );
});
