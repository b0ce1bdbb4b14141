// L7 policies from the command channel to the traffic of a real amphora.
import { expect, test } from '@jest/globals';
import { quick, useAmphi } from '../../support/amphi.ts';
import { ask, testMembers } from '../../support/haproxy.ts';
import { waitFor } from '../../support/wait-for.ts';

const amphi = useAmphi('l7-served');
const startMember = testMembers();

test('policies are served, and a rule that haproxy cannot read is in ERROR with its reason while the rest is served', async () => {
  const running = await amphi.up();
  const client = await running.connect();
  const [main, other] = await Promise.all([startMember('main'), startMember('other')]);
  const pool = (protocolPort: number) => ({
    protocol: 'HTTP',
    lbAlgorithm: 'ROUND_ROBIN',
    members: [{ address: '127.0.0.1', protocolPort }],
  });
  const rule = (value: string, compareType = 'STARTS_WITH') => ({ type: 'PATH', compareType, value });
  const [subnet] = (await client.call('subnet.list', {})).items;
  const { loadBalancer } = await client.call('loadBalancer.create', {
    projectId: 'demo',
    vipSubnetId: subnet?.id ?? '',
    listeners: [
      {
        protocol: 'HTTP',
        protocolPort: 8080,
        defaultPool: pool(main.port),
        l7Policies: [
          { action: 'REDIRECT_TO_POOL', redirectPool: pool(other.port), rules: [rule('/other')] },
          { action: 'REDIRECT_PREFIX', redirectPrefix: 'https://x', redirectHttpCode: 308, rules: [rule('/old')] },
        ],
      },
    ],
  });
  const id = loadBalancer?.id ?? '';
  const show = () => client.call('loadBalancer.show', { id });
  const host = await waitFor(
    async () => {
      const { provisioningStatus, vipAddress } = await show();
      return provisioningStatus === 'ACTIVE' ? vipAddress : undefined;
    },
    { describe: 'the load balancer to be ACTIVE', ...quick },
  );
  const get = (path: string) => ask({ host, port: 8080, path });
  expect([(await get('/')).body, (await get('/other')).body]).toEqual(['main', 'other']);
  expect(await get('/old?a')).toMatchObject({ status: 308, location: 'https://x/old?a' });

  const [listener] = loadBalancer?.listeners ?? [];
  const wrong = { listenerId: listener?.id ?? '', action: 'REJECT', rules: [rule('/shut'), rule('(', 'REGEX')] };
  const { l7Policy } = await client.call('l7Policy.create', wrong);
  const [, ruleId = ''] = l7Policy?.rules ?? [];
  const refused = await waitFor(
    async () => {
      const view = await client.call('l7Rule.show', { id: ruleId });
      return view.provisioningStatus === 'ERROR' && (await show()).provisioningStatus === 'ACTIVE' ? view : undefined;
    },
    { describe: 'the rule to be refused', ...quick },
  );
  expect(refused.errorReason).toMatch(/regex/i);
  expect((await client.call('loadBalancer.explain', { id })).unsettled.map((object) => object.id)).toEqual([ruleId]);
  // Without that rule the policy would shut more than was meant.
  expect([(await get('/other')).body, (await get('/shut')).status]).toEqual(['other', 200]);

  await client.call('l7Rule.update', { id: ruleId, value: '^/shut/(a|b)$' });
  await waitFor(async () => (await client.call('l7Rule.show', { id: ruleId })).provisioningStatus === 'ACTIVE', {
    describe: 'the rule to be served',
    ...quick,
  });
  expect([(await get('/shut')).status, (await get('/shut/b')).status]).toEqual([200, 403]);
  const policyId = l7Policy?.id ?? '';
  await waitFor(async () => (await client.call('l7Policy.show', { id: policyId })).operatingStatus === 'ONLINE', {
    describe: 'the policy to be ONLINE',
    ...quick,
  });
  await client.call('loadBalancer.delete', { id, cascade: true });
  await waitFor(
    () =>
      show().then(
        () => false,
        () => true,
      ),
    { describe: 'the load balancer to be gone', ...quick },
  );
  await running.stop();
}, 120_000);
