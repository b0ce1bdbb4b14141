// What is deleted leaves nothing behind, in any table, once the times are over for which it is kept.
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { purgeChore } from '../../../src/composition/retention.ts';
import { clearAlerts } from '../../../src/db/repositories/alerts.ts';
import { writeStatistics } from '../../../src/db/repositories/statistics.ts';
import type { Config } from '../../../src/config/schema.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { createLoadBalancer, listener, pool } from '../../support/load-balancer-commands.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { newLoadBalancerId, send, startTestNode, stateOf, type TestNode, untilStatus } from '../../support/tree.ts';
import { waitFor } from '../../support/wait-for.ts';

const database = useTestDatabase();
const settings: Pick<Config, 'journal' | 'commands' | 'statistics' | 'alerts'> = {
  journal: { retentionDays: 30 },
  commands: { retentionHours: 24 },
  statistics: { interval: 30, metering: 'postgres', usageDays: 400 },
  alerts: { settle: 30, retentionDays: 30 },
};

/** Table → rows that have the text in any column. */
async function mentions({ pool: to }: TestNode, text: string): Promise<Readonly<Record<string, number>>> {
  const { rows } = await to.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition`,
  );
  const found: Record<string, number> = {};
  for (const { name } of rows) {
    const counted = await to.query(`select 1 from "${name}" t where t::text like '%' || $1 || '%'`, [text]);
    if (counted.rowCount !== 0) found[name] = counted.rowCount ?? 0;
  }
  return found;
}

/** Everything that is written in its time is as old as that. */
async function passTime({ pool: to }: TestNode): Promise<void> {
  await to.query(`update journal set at = now() - interval '60 days'`);
  await to.query(`update commands set at = now() - interval '60 days'`);
  await to.query(`update entities set updated_at = now() - interval '60 days' where is_over`);
  await to.query(`update alerts set cleared_at = now() - interval '60 days' where cleared_at is not null`);
}

test('members, pools, listeners and load balancers that were deleted are in no table any more after a while', async () => {
  const world = new FakeWorld();
  const node = await startTestNode({ url: database.url, world, spares: 0 });
  try {
    const members = pool('purged', ['10.0.0.1', '10.0.0.2']);
    const front = listener(80, members.id);
    const id = newLoadBalancerId();
    await send(node, id, createLoadBalancer(id, { pools: [members], listeners: [front] }));
    await untilStatus(node, id, 'ACTIVE');
    const amphoraId = (await stateOf(node, id))?.slots[0]?.amphoraId ?? '';
    const [one = '', two = ''] = members.members.map((member) => member.id as string);
    const stats = { tx: 1, rx: 1, conns: 1, totconns: 1, ereq: 1 };
    const pools = { [`${members.id}:${front.id}`]: { status: 'UP', members: { [one]: 'DOWN', [two]: 'UP' } } };
    const listeners = { [front.id]: { status: 'OPEN', stats } };
    node.tree.heartbeats.receive({ id: amphoraId, seq: 1, ver: 3, listeners, pools }, 1);
    const counted = { bytesIn: 1, bytesOut: 1, activeConnections: 1, totalConnections: 1, requestErrors: 1 };
    await writeStatistics(node.pool, id, 1, [{ listenerId: front.id, amphoraId, ...counted }]);
    await waitFor(async () => (await mentions(node, one))['alerts'], { describe: 'an alert' });
    expect(Object.keys(await mentions(node, front.id))).toEqual(
      expect.arrayContaining(['listeners', 'listener_statistics', 'operating_statuses', 'journal']),
    );
    const { signal } = new AbortController();
    const purge = async () => {
      await clearAlerts(node.pool, 30);
      await passTime(node);
      while ((await purgeChore(node.pool, settings, pino({ level: 'silent' })).run(signal)).isMore);
    };

    // Of a load balancer that lives, the journal is kept as long as snapshots do not cover it.
    await send(node, id, { type: 'deleteObject', kind: 'member', id: one as never });
    await untilStatus(node, id, 'ACTIVE');
    await purge();
    const left = await mentions(node, one);
    for (const table of ['members', 'operating_statuses', 'alerts', 'commands']) expect(left).not.toHaveProperty(table);

    await send(node, id, { type: 'deleteLoadBalancer', cascade: true });
    await untilStatus(node, id, undefined);
    await waitFor(async () => (await node.pool.query('select 1 from amphorae')).rowCount === 0, {
      describe: 'its amphora to be gone',
    });
    await purge();
    await purge();
    for (const gone of [id, front.id, members.id, one, two, amphoraId]) {
      expect([gone, await mentions(node, gone)]).toEqual([gone, {}]);
    }
  } finally {
    await node.close();
  }
});
