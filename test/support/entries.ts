// Journal entries for tests, complete and alike but for what a test says, and a database where shards have an owner.
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { EntityKind } from '../../src/domain/entity.ts';
import type { loadBalancers } from '../../src/db/schema/projections.ts';
import { shardOf } from '../../src/domain/ids.ts';
import type { Entry, Fence } from '../../src/domain/journal.ts';

export interface Owner {
  readonly node: string;
  readonly epoch: number;
}

/** Makes `owner` the owner of all shards; answers with what appends of that node must show. */
export async function ownAll(pool: pg.Pool, node: string = randomUUID()): Promise<Owner> {
  await pool.query('update shards set owner = $1, epoch = 7', [node]);
  return { node, epoch: 7 };
}

export function fenceOf(id: string, { node, epoch }: Owner): Fence {
  return { family: 'entities', shard: shardOf(id), node, epoch };
}

/** The first entry of an entity, unless `more` says otherwise. */
export function entry(id: string, owner: Owner, more: Partial<Entry> = {}): Entry {
  return {
    kind: 'loadBalancer',
    id,
    fence: fenceOf(id, owner),
    seq: 1,
    schemaVersion: 1,
    events: [{ type: 'happened' }],
    rows: { upserts: {}, deletes: {} },
    isOver: false,
    hasWork: false,
    work: null,
    ...more,
  };
}

/** A row of `load_balancers` as an entry carries it: with every column, as rows have them. */
export function loadBalancerRow(id: string, name = 'one') {
  return {
    id,
    name,
    description: '',
    adminStateUp: true,
    tags: ['a', 'b'],
    provisioningStatus: 'ACTIVE',
    errorReason: null,
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    projectId: 'project',
    vipAddress: '10.0.0.1',
    vipPortId: null,
    vipSubnetId: 'subnet',
    vipNetworkId: 'network',
    topology: 'SINGLE',
    vrrpPorts: {},
    additionalVips: [],
    vipQosPolicyId: null,
    vipSgIds: [],
    vipVnicType: 'normal',
    provider: 'amphora',
    served: {},
    generation: 1,
    flavorId: null,
    availabilityZone: null,
  } satisfies Readonly<Record<keyof typeof loadBalancers.$inferSelect, unknown>>;
}

/** What the database holds of an entity, table by table. */
export async function traces(pool: pg.Pool, id: string, kind: EntityKind = 'loadBalancer') {
  const count = async (text: string) => (await pool.query(text, [id])).rowCount ?? 0;
  return {
    events: await count(`select 1 from journal where entity_id = $1 and kind = '${kind}'`),
    entities: await count('select 1 from entities where id = $1'),
    commands: await count('select 1 from commands where entity_id = $1'),
    claims: await count('select 1 from claims where entity_id = $1'),
    rows: await count('select 1 from load_balancers where id = $1'),
  };
}

export const noTraces = { events: 0, entities: 0, commands: 0, claims: 0, rows: 0 };
