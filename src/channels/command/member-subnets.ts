// Subnets that members name: looked up before anybody hears of the command, as Octavia does, each once for a request.
import type { NewMember } from '../../domain/load-balancer/commands.ts';
import { RpcError } from '../rpc/errors.ts';
import type { ChangeContext } from './dispatch.ts';
import type { CommandPorts } from './ports.ts';
import { inside, type NewTree } from './tree-of.ts';

export interface MemberSubnets {
  /** That of a new member. @throws RpcError */
  admit(member: NewMember, context: ChangeContext): Promise<void>;
  /** Those of the members that a pool shall have; one that has gone may stay with those who have it. @throws RpcError */
  admitAll(poolId: string, members: readonly NewMember[], context: ChangeContext): Promise<void>;
  /** Those of all members that a request makes. @throws RpcError */
  admitTree(tree: NewTree, context: ChangeContext): Promise<void>;
}

/** Subnet → where it stands first in the request. */
type Places = ReadonlyMap<string, string>;

export function memberSubnets({ network, reads }: Pick<CommandPorts, 'network' | 'reads'>): MemberSubnets {
  const isThere = async (subnetId: string, signal: AbortSignal) => {
    const wish = { subnetId, networkId: null, portId: null, address: null };
    const place = await network.resolveVip(wish, signal).catch((error: unknown) => {
      throw new RpcError('unavailable', `The network cannot be asked about a subnet: ${(error as Error).message}`);
    });
    return place.ok;
  };
  const admit = async (places: Places, { command, signal }: ChangeContext, poolId?: string) => {
    for (const [subnetId, field] of places) {
      if (await isThere(subnetId, signal)) continue;
      // What was taken before is answered as it was then, whatever has become of the subnet.
      if ((await reads.findAnswer(command.id)) !== undefined) return;
      if (poolId !== undefined && (await subnetsIn(reads, poolId)).has(subnetId)) continue;
      throw new RpcError('invalid', `Subnet ${subnetId} not found.`, { field });
    }
  };
  return {
    admit: (member, context) =>
      admit(
        placesOf([member], () => ''),
        context,
      ),
    admitAll: (poolId, members, context) =>
      admit(
        placesOf(members, (index) => `members[${index}]`),
        context,
        poolId,
      ),
    admitTree: ({ pools, fields }, context) => {
      const all = pools.map(({ id, members }) =>
        placesOf(members, (index) => inside(fields.get(id) ?? '', `members[${index}]`)),
      );
      return admit(new Map(all.toReversed().flatMap((places) => [...places])), context);
    },
  };
}

async function subnetsIn(reads: CommandPorts['reads'], poolId: string): Promise<ReadonlySet<string | null>> {
  const within = { column: 'pool_id', value: poolId } as const;
  const members = await reads.listObjects('member', { within, limit: mostMembers, marker: null });
  return new Set(members.map(({ subnetId }) => subnetId));
}

/** More than a pool can have. */
const mostMembers = 100_000;

function placesOf(members: readonly NewMember[], fieldOf: (index: number) => string): Places {
  const places = new Map<string, string>();
  for (const [index, { attributes }] of members.entries()) {
    const { subnetId } = attributes;
    if (subnetId !== null && !places.has(subnetId)) places.set(subnetId, inside(fieldOf(index), 'subnetId'));
  }
  return places;
}
