// Subnets that members name: looked up before anybody hears of the command, as Octavia does, each once for a request.
import type { NewMember } from '../../domain/load-balancer/commands.ts';
import { RpcError } from '../rpc/errors.ts';
import type { ChangeContext } from './dispatch.ts';
import { admitAll, askAgainMs } from './lookups.ts';
import type { CommandPorts, Reads } from './ports.ts';
import { inside, type NewTree } from './tree-of.ts';

export interface MemberSubnets {
  /** That of a new member. @throws RpcError */
  admit(member: NewMember, context: ChangeContext): Promise<void>;
  /** Those of the members that a pool shall have, but for those that it has: one that has gone since may stay. @throws RpcError */
  admitAll(poolId: string, members: readonly NewMember[], context: ChangeContext): Promise<void>;
  /** Those of all members that a request makes. @throws RpcError */
  admitTree(tree: NewTree, context: ChangeContext): Promise<void>;
}

/** Subnet → where it stands first in the request. */
type Places = ReadonlyMap<string, string>;

interface Ports {
  readonly network: Pick<CommandPorts['network'], 'resolveVip'>;
  readonly reads: Pick<Reads, 'findAnswer' | 'memberSubnets'>;
}

export function memberSubnets({ network, reads }: Ports): MemberSubnets {
  const admit = (places: Places, context: ChangeContext) =>
    admitAll([...places], (place) => refusalOf(place, network, context.signal), reads, context);
  return {
    admit: (member, context) =>
      admit(
        placesOf([{ members: [member], field: '' }], () => ''),
        context,
      ),
    async admitAll(poolId, members, context) {
      const places = new Map(placesOf([{ members, field: '' }]));
      if (places.size > 0) for (const subnetId of await reads.memberSubnets(poolId)) places.delete(subnetId);
      return admit(places, context);
    },
    admitTree: ({ pools, fields }, context) =>
      admit(placesOf(pools.map(({ id, members }) => ({ members, field: fields.get(id) ?? '' }))), context),
  };
}

async function refusalOf(
  [subnetId, field]: readonly [string, string],
  network: Ports['network'],
  signal: AbortSignal,
): Promise<RpcError | undefined> {
  try {
    const place = await network.resolveVip({ subnetId, networkId: null, portId: null, address: null }, signal);
    return place.ok ? undefined : new RpcError('invalid', `Subnet ${subnetId} not found.`, { field });
  } catch (error) {
    const message = `The network cannot be asked about subnet ${subnetId}: ${(error as Error).message}`;
    return new RpcError('unavailable', message, { field, retryAfterMs: askAgainMs });
  }
}

/** Members of a pool, and where the pool stands in the request. */
interface PlacedMembers {
  readonly members: readonly NewMember[];
  readonly field: string;
}

function placesOf(
  pools: readonly PlacedMembers[],
  nameOf: (index: number) => string = (index) => `members[${index}]`,
): Places {
  const places = new Map<string, string>();
  for (const { members, field } of pools) {
    for (const [index, { attributes }] of members.entries()) {
      const { subnetId } = attributes;
      if (subnetId === null || places.has(subnetId)) continue;
      places.set(subnetId, inside(inside(field, nameOf(index)), 'subnetId'));
    }
  }
  return places;
}
