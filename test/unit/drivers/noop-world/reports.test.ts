import { expect, test } from '@jest/globals';
import { deriveId } from '../../../../src/domain/ids.ts';
import { renderHaproxy } from '../../../../src/domain/haproxy/render.ts';
import { renderLvs } from '../../../../src/domain/lvs/render.ts';
import { reportOf } from '../../../../src/drivers/noop-world/reports.ts';
import { servedTree } from '../../../support/served-tree.ts';

const listenerId = deriveId('listener');
const poolId = deriveId('pool');
const members = [{}, { weight: 0 }, { adminStateUp: false }].map((one, index) => ({
  ...one,
  address: `192.0.2.${10 + index}`,
}));
const words = (plain: string) => ({
  [deriveId('member', 0)]: plain,
  [deriveId('member', 1)]: 'DRAIN',
  [deriveId('member', 2)]: 'MAINT',
});

test.each([
  ['without a monitor', undefined, 'no check'],
  ['with a monitor', {}, 'UP'],
] as const)('members %s are reported in the words of haproxy and of LVS', (_, monitor, plain) => {
  const tcp = servedTree({ members, ...(monitor === undefined ? {} : { healthMonitor: monitor }) });
  expect(reportOf([renderHaproxy(tcp) ?? '']).pools).toEqual({
    [`${poolId}:${listenerId}`]: { status: 'UP', members: words(plain) },
  });
  const datagrams = { listener: { protocol: 'UDP' }, pool: { protocol: 'UDP' } } as const;
  const healthMonitor = { type: 'UDP-CONNECT', delay: 5 } as const;
  const udp = servedTree({ members, ...datagrams, ...(monitor === undefined ? {} : { healthMonitor }) });
  const report = reportOf(
    [],
    renderLvs(udp).map(({ configuration }) => configuration),
  );
  expect(Object.keys(report.listeners)).toEqual([listenerId]);
  expect(report.pools).toEqual({ [poolId]: { status: 'UP', members: words(plain) } });
});
