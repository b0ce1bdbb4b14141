// Sessions of test nodes.
import { OwnershipSession } from '../../src/db/ownership.ts';
import { type NodeRegistration } from '../../src/db/registration.ts';
import { familiesOf, type OwnedShard } from '../../src/domain/ownership.ts';

export interface TestSession extends Partial<NodeRegistration> {
  readonly id: string;
}

/** A session of a node that is a worker and judges health, unless told otherwise. */
export function openTestSession(url: string, node: TestSession): Promise<OwnershipSession> {
  const roles = node.roles ?? ['worker', 'health'];
  const rest = {
    version: 'test',
    dataVersion: 1,
    address: null,
    heartbeatAddress: null,
    leaseMs: 10_000,
    graceMs: 0,
    settings: {},
  };
  return OwnershipSession.open(url, { families: familiesOf(roles), ...rest, ...node, roles });
}

export function entityShards(shards: readonly OwnedShard[]): readonly number[] {
  return shards.filter(({ family }) => family === 'entities').map(({ shard }) => shard);
}
