import { describe, expect, test } from '@jest/globals';
import type { CallRecord } from '../../../src/drivers/noop-world/protocol.ts';
import type { CommandLog } from '../../chaos-run/client.ts';
import type { Evidence, JournalRow, ObjectRow } from '../../chaos-run/evidence.ts';
import { judge, type Verdict } from '../../chaos-run/judge/judge.ts';
import type { Change, Model } from '../../chaos-run/model.ts';

const model: Model = {
  description: 'first',
  connectionLimit: 100,
  lbAlgorithm: 'ROUND_ROBIN',
  members: [{ address: '127.0.0.9', protocolPort: 80, weight: 1 }],
};
const configuration =
  'frontend web\n    bind 10.0.0.2:80\nbackend web\n    balance roundrobin\n    fullconn 100\n    server m 127.0.0.9:80 weight 1\n';

function logged(commandId: string, change: Change, id: string | null = 'lb'): CommandLog {
  const attempt = { node: 0, sentAt: 0, answeredAt: 1, answer: { type: 'accepted', id } as const, trouble: null };
  return { script: 'lb-0', operation: { atMs: 0, commandId, change }, attempts: [attempt] };
}

function entry(seq: number, epoch: number, node: string, at: number, more: Partial<JournalRow> = {}): JournalRow {
  return { kind: 'loadBalancer', id: 'lb', seq, epoch, node, at, commandId: null, events: [], ...more };
}

function row(id: string, values: ObjectRow['values'], status = 'ACTIVE'): ObjectRow {
  return { id, loadBalancerId: 'lb', status, values };
}

const stepStarted = { type: 'stepStarted', key: 'deploy:amphora', at: 100, deadlineAt: 2_000 };

/** One load balancer, created by node a, killed, and taken up by node b. All is well. */
const sound: Evidence = {
  scripts: [{ name: 'lb-0', client: 0, listenerPort: 80, operations: [] }],
  logs: [logged('c1', { type: 'create', model })],
  entities: [
    { kind: 'loadBalancer', id: 'lb', shard: 7, isOver: false, hasWork: false, wakeAt: null, fault: null },
    { kind: 'amphora', id: 'amphora', shard: 8, isOver: false, hasWork: false, wakeAt: null, fault: null },
  ],
  journal: [
    entry(1, 1, 'a', 100, { commandId: 'c1', events: [{ type: 'loadBalancerCreated' }, stepStarted] }),
    entry(2, 2, 'b', 1_500, { events: [{ type: 'stepsInterrupted' }] }),
  ],
  answers: new Map([['c1', 'ok']]),
  loadBalancers: [row('lb', { name: 'lb-0', description: 'first', vip_address: '10.0.0.2' })],
  listeners: [row('listener', { connection_limit: 100 })],
  pools: [row('pool', { lb_algorithm: 'ROUND_ROBIN' })],
  members: [row('member', { pool_id: 'pool', address: '127.0.0.9', protocol_port: 80, weight: 1 })],
  healthMonitors: [],
  amphorae: [row('amphora', {}, 'ALLOCATED')],
  samples: [
    {
      disturbance: { atMs: 0, kind: 'kill', node: 0, lastsMs: 0 },
      at: 1_000,
      work: [{ kind: 'loadBalancer', id: 'lb', epoch: 1 }],
    },
  ],
  databaseReturns: [],
  world: {
    instances: [{ amphoraId: 'amphora', isUp: true, vips: ['10.0.0.2'], configurations: { lb: configuration } }],
    ports: { lb: '10.0.0.2' },
  },
  calls: [],
  at: 10_000,
};

function called(node: string, at: number): CallRecord {
  const about = { call: 'amphora.serve', key: 'amphora', loadBalancer: 'lb' } as const;
  return { ...about, at, node, epoch: null, result: 'ok' };
}

function found(change: Partial<Evidence>): Pick<Verdict, 'lost' | 'duplicated' | 'stuck' | 'orphans' | 'twoOwners'> {
  const { lost, duplicated, stuck, orphans, twoOwners } = judge({ ...sound, ...change });
  return { lost, duplicated, stuck, orphans, twoOwners };
}

const nothing = { lost: [], duplicated: [], stuck: [], orphans: [], twoOwners: [] };
const [create] = sound.logs;
if (create === undefined) throw new Error('there is a create');

test('what kept every promise has no findings, and says how long work waited', () => {
  const verdict = judge(sound);
  expect(verdict).toMatchObject({ ...nothing, acknowledged: 1 });
  expect(verdict.resumes).toEqual([{ cause: 'kill', atMs: 0, entity: 'loadBalancer/lb', ms: 500 }]);
});

test('what the victim had finished, though nobody could see it yet, was not resumed by a later change', () => {
  const journal = [...sound.journal.slice(0, 1), entry(2, 2, 'b', 9_000, { events: [{ type: 'objectsChanged' }] })];
  expect(judge({ ...sound, journal }).resumes).toEqual([]);
});

test('work is resumed from the return of the database, when that was later', () => {
  expect(judge({ ...sound, databaseReturns: [1_400] }).resumes[0]?.ms).toBe(100);
});

describe('it finds', () => {
  test('an acknowledged change that the rows do not show', () => {
    const { lost } = found({ logs: [create, logged('c2', { type: 'describe', description: 'second' })] });
    expect(lost).toEqual([expect.stringContaining('in the database')]);
  });

  test('an acknowledged change that is not served', () => {
    const replaced = logged('c2', { type: 'replaceMembers', members: [] });
    expect(found({ logs: [create, replaced], members: [] }).lost).toEqual([expect.stringContaining('is served as')]);
  });

  test('a load balancer that is gone, and one that should be', () => {
    expect(found({ loadBalancers: [] }).lost).toEqual(['lb-0 was acknowledged and is not there']);
    expect(found({ logs: [create, logged('c2', { type: 'delete' })] }).lost).toEqual([
      'lb-0 (lb) was deleted and is there',
    ]);
  });

  test('two load balancers of one create, and two entries of one command', () => {
    const twice = [...sound.loadBalancers, row('other', { name: 'lb-0', vip_address: '10.0.0.2' })];
    expect(found({ loadBalancers: twice }).duplicated).toEqual(['2 load balancers are named lb-0']);
    const again = [...sound.journal, entry(3, 2, 'b', 1_600, { commandId: 'c1' })];
    expect(found({ journal: again }).duplicated).toEqual(['2 journal entries are of command c1']);
  });

  test('an answer that comes late and says something else', () => {
    const [attempt] = create.attempts;
    const late = {
      ...attempt,
      node: 1,
      sentAt: 0,
      answeredAt: 9,
      trouble: null,
      answer: { type: 'accepted', id: 'x' } as const,
    };
    const { duplicated } = found({ logs: [{ ...create, attempts: [...create.attempts, late] }] });
    expect(duplicated).toEqual([expect.stringContaining('accepted lb and accepted x')]);
  });

  test('what is not finished, and commands nobody answered', () => {
    expect(found({ pools: [row('pool', { lb_algorithm: 'ROUND_ROBIN' }, 'PENDING_UPDATE')] }).stuck).toHaveLength(1);
    const unanswered = { ...logged('c2', { type: 'failover' }), attempts: [] };
    expect(found({ logs: [create, unanswered] }).stuck).toEqual(['command c2 (failover) has no answer']);
  });

  test('instances, ports and addresses that nobody owns', () => {
    const [instance] = sound.world.instances;
    if (instance === undefined) throw new Error('there is an instance');
    const stray = { ...instance, amphoraId: 'stray' };
    expect(found({ world: { ...sound.world, instances: [instance, stray] } }).orphans).toEqual([
      'instance of amphora stray has no live amphora',
      '10.0.0.2 of load balancer lb is served by 2 amphorae',
    ]);
    const ports = { lb: '10.0.0.2', gone: '10.0.0.3' };
    expect(found({ world: { ...sound.world, ports } }).orphans).toHaveLength(1);
    expect(found({ world: { ...sound.world, instances: [] } }).orphans).toContain('amphora amphora has no instance');
  });

  test('an epoch of two nodes, and an earlier one that writes after a later one', () => {
    const { journal } = sound;
    expect(found({ journal: [...journal, entry(3, 2, 'a', 1_600)] }).twoOwners).toHaveLength(1);
    const other = {
      id: 'other',
      shard: 7,
      kind: 'loadBalancer',
      isOver: true,
      hasWork: false,
      wakeAt: null,
      fault: null,
    };
    const late = entry(1, 1, 'a', 1_600, { id: 'other' });
    expect(found({ entities: [...sound.entities, other], journal: [...journal, late] }).twoOwners).toHaveLength(1);
    expect(found({ journal: [...journal, entry(3, 1, 'a', 1_400)] }).twoOwners).toEqual([
      'loadBalancer/lb entry 3 is of epoch 1, the one before of 2',
    ]);
  });

  test('a call of the former owner after its deadline, but not one within', () => {
    expect(found({ calls: [called('a', 1_900), called('b', 5_000)] }).twoOwners).toEqual([]);
    expect(found({ calls: [called('a', 5_000)] }).twoOwners).toEqual([
      expect.stringContaining('came after its deadline'),
    ]);
  });
});
