// Subnets of members, looked up before a load balancer hears of them.
import { expect, test } from '@jest/globals';
import { memberSubnets } from '../../../src/channels/command/member-subnets.ts';
import type { NewTree } from '../../../src/channels/command/tree-of.ts';
import type { NewMember } from '../../../src/domain/load-balancer/commands.ts';

interface Situation {
  readonly gone?: readonly string[];
  readonly isAway?: boolean;
  readonly wasAnswered?: boolean;
  /** Subnets of members that the pool has. */
  readonly had?: readonly string[];
}

function network({ gone = [], isAway = false, wasAnswered = false, had = [] }: Situation) {
  const asked: string[] = [];
  let [asking, mostAsking] = [0, 0];
  const subnets = memberSubnets({
    network: {
      resolveVip: async ({ subnetId }) => {
        asked.push(subnetId ?? '');
        mostAsking = Math.max(mostAsking, ++asking);
        await new Promise(setImmediate);
        asking--;
        if (isAway) throw new Error('nobody is there');
        return gone.includes(subnetId ?? '')
          ? { ok: false, field: 'vipSubnetId', reason: 'there is none' }
          : { ok: true, subnetId: subnetId ?? '', networkId: 'network', address: null };
      },
    },
    reads: {
      findAnswer: async () => (wasAnswered ? { digest: 'digest', answer: {} } : undefined),
      memberSubnets: async () => had,
    },
  });
  return { subnets, asked, mostAsking: () => mostAsking };
}

const context = {
  signal: new AbortController().signal,
  peer: { notify: () => undefined, onClose: () => () => undefined },
  command: { id: 'id', digest: 'digest' },
};
const on = (...ids: readonly (string | null)[]) => ids.map((subnetId) => ({ attributes: { subnetId } }) as NewMember);
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `s${index}`);

test('each is asked about once, eight at the same time', async () => {
  const { subnets, asked, mostAsking } = network({});
  await subnets.admitAll('pool', on(...numbered(20), null, ...numbered(20)), context);
  expect(asked).toEqual(numbered(20));
  expect(mostAsking()).toBe(8);
});

test('the first that is not there is named with its place, and what comes long after it is not asked about', async () => {
  const { subnets, asked } = network({ gone: ['s3', 's4', 's90'] });
  await expect(subnets.admitAll('pool', on(null, ...numbered(100)), context)).rejects.toMatchObject({
    code: 'invalid',
    message: 'Subnet s3 not found.',
    data: { field: 'members[4].subnetId' },
  });
  expect(asked).toHaveLength(8);
});

test('in a tree the field says which pool it is', async () => {
  const pools = [
    { id: 'a', members: on('s0') },
    { id: 'b', members: on('s0', 's1') },
    { id: 'c', members: on('s1', 's2') },
  ];
  const fields = new Map(['a', 'b', 'c'].map((id, index) => [id as never, `pools[${index}]`]));
  const tree = { listeners: [], pools, fields } as unknown as NewTree;
  const admit = (gone: string) => network({ gone: [gone] }).subnets.admitTree(tree, context);
  await expect(admit('s1')).rejects.toMatchObject({ data: { field: 'pools[1].members[1].subnetId' } });
  await expect(admit('s2')).rejects.toMatchObject({ data: { field: 'pools[2].members[1].subnetId' } });
});

test('members that a pool has keep theirs, whether it has gone since or nobody can be asked', async () => {
  const members = on('s0', 's1');
  await expect(network({ gone: ['s0'], had: ['s0'] }).subnets.admitAll('pool', members, context)).resolves.toBe(
    undefined,
  );
  const { subnets, asked } = network({ isAway: true, had: ['s0', 's1'] });
  await subnets.admitAll('pool', members, context);
  expect(asked).toEqual([]);
});

test('while the network is away nothing is taken, and clients hear which subnet it is about and to ask again', async () => {
  const [member] = on('s0') as [NewMember];
  await expect(network({ isAway: true }).subnets.admit(member, context)).rejects.toMatchObject({
    code: 'unavailable',
    message: 'The network cannot be asked about subnet s0: nobody is there',
    data: { field: 'subnetId', retryAfterMs: 1_000 },
  });
});

test('a command that was answered before gets its answer, whatever has become of the subnet or the network', async () => {
  const [member] = on('s0') as [NewMember];
  for (const now of [{ gone: ['s0'] }, { isAway: true }]) {
    await expect(network({ ...now, wasAnswered: true }).subnets.admit(member, context)).resolves.toBe(undefined);
  }
});
