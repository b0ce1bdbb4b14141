import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { Fleet } from '../../../../src/actors/cluster/fleet.ts';
import { Heartbeats, type HeartbeatsOptions } from '../../../../src/actors/health-watchdog/heartbeats.ts';
import type { HeartbeatMessage } from '../../../../src/domain/health/message.ts';
import { HeartbeatTable } from '../../../../src/domain/health/table.ts';
import type { AmphoraId, LoadBalancerId } from '../../../../src/domain/ids.ts';
import type { ClusterView } from '../../../../src/domain/ownership.ts';

const amphora = 'amphora' as AmphoraId;
const node = 'node';

let beats = 0;
const says = (status: string): HeartbeatMessage => ({
  id: amphora,
  seq: ++beats,
  ver: 3,
  listeners: { listener: { status, stats: { tx: 0, rx: 0, conns: 0, totconns: 0, ereq: 0 } } },
  pools: {},
});

test('what an amphora says while a new owner asks what it had said before is not taken for that', async () => {
  const fleet = new Fleet();
  fleet.learn(amphora, {
    status: 'ALLOCATED',
    loadBalancerIds: ['lb' as LoadBalancerId],
    bootFailure: null,
    controllers: [],
  });
  const table = new HeartbeatTable();
  const before = new HeartbeatTable();
  before.hear(says('OPEN'), undefined, 0);
  const news: (string | undefined)[] = [];
  let answer: (heard: ReadonlyMap<string, string>) => void = () => undefined;
  const ownership = { nodeId: node, ownerOf: () => node, owns: () => true } as Partial<HeartbeatsOptions['ownership']>;
  const heartbeats = new Heartbeats({
    table,
    fleet,
    ownership: ownership as HeartbeatsOptions['ownership'],
    operating: { update: () => undefined } as Partial<HeartbeatsOptions['operating']> as HeartbeatsOptions['operating'],
    peers: {} as HeartbeatsOptions['peers'],
    loadBalancers: {
      read: async () => {
        news.push(table.observation(amphora)?.listeners['listener']?.status);
        return undefined as never;
      },
    },
    heardBefore: () => new Promise((resolve) => (answer = resolve)),
    now: () => 0,
    count: () => undefined,
    log: pino({ level: 'silent' }),
  });
  heartbeats.receive(says('OPEN'), 1);
  const owners = { entities: Array.from({ length: 256 }, () => node) };
  heartbeats.onView({ owners } as unknown as ClusterView);
  heartbeats.receive(says('FULL'), 2);
  answer(new Map([[amphora, before.digest(amphora) ?? '']]));
  await new Promise(setImmediate);
  heartbeats.receive(says('OPEN'), 3);
  expect(news).toEqual(['OPEN', 'FULL', 'OPEN']);
});
