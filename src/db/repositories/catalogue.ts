// Flavors, availability zones and their profiles: rows that administrators write, each change once for its command id.
import type pg from 'pg';
import { patiently } from '../patience.ts';
import type { Catalogue, CatalogueKind } from '../../domain/catalogue.ts';

interface Table {
  readonly name: string;
  /** Column that an object is known by. */
  readonly key: string;
  /** Attribute → column. */
  readonly columns: Readonly<Record<string, string>>;
}

const tables: Readonly<Record<CatalogueKind, Table>> = {
  flavorProfile: {
    name: 'flavor_profiles',
    key: 'id',
    columns: { id: 'id', name: 'name', providerName: 'provider_name', flavorData: 'flavor_data' },
  },
  flavor: {
    name: 'flavors',
    key: 'id',
    columns: {
      id: 'id',
      name: 'name',
      description: 'description',
      enabled: 'enabled',
      flavorProfileId: 'flavor_profile_id',
    },
  },
  availabilityZoneProfile: {
    name: 'availability_zone_profiles',
    key: 'id',
    columns: {
      id: 'id',
      name: 'name',
      providerName: 'provider_name',
      availabilityZoneData: 'availability_zone_data',
    },
  },
  availabilityZone: {
    name: 'availability_zones',
    key: 'name',
    columns: {
      name: 'name',
      description: 'description',
      enabled: 'enabled',
      availabilityZoneProfileId: 'availability_zone_profile_id',
    },
  },
};

/** A change that the rows do not allow. */
export class CatalogueConflict extends Error {
  readonly why: 'taken' | 'inUse' | 'noProfile' | 'notFound' | 'commandIdReused';
  constructor(why: CatalogueConflict['why']) {
    super(`the catalogue does not allow it: ${why}`);
    this.name = 'CatalogueConflict';
    this.why = why;
  }
}

export interface CommandKey {
  readonly id: string;
  readonly digest: string;
}

export type CatalogueChange<K extends CatalogueKind> =
  | { readonly type: 'create'; readonly object: Catalogue[K] }
  | { readonly type: 'update'; readonly key: string; readonly patch: Partial<Catalogue[K]> }
  | { readonly type: 'delete'; readonly key: string };

/** The object of that key; undefined when there is none. */
export async function findInCatalogue<K extends CatalogueKind>(
  pool: pg.Pool,
  kind: K,
  key: string,
): Promise<Catalogue[K] | undefined> {
  const { name, key: column } = tables[kind];
  const { rows } = await pool.query<Catalogue[K]>(`select ${columnsOf(kind)} from ${name} where ${column}::text = $1`, [
    key,
  ]);
  return rows[0];
}

/** All of a kind, oldest first: there are few. */
export async function listCatalogue<K extends CatalogueKind>(pool: pg.Pool, kind: K): Promise<readonly Catalogue[K][]> {
  const { name, key } = tables[kind];
  const { rows } = await pool.query<Catalogue[K]>(
    `select ${columnsOf(kind)} from ${name} order by created_at, ${key} limit 10000`,
  );
  return rows;
}

/**
 * Makes the change, once however often it is sent with the same command id.
 *
 * @throws CatalogueConflict; then nothing has changed
 */
export async function changeCatalogue<K extends CatalogueKind>(
  pool: pg.Pool,
  kind: K,
  change: CatalogueChange<K>,
  command: CommandKey,
  newId: string,
): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const { rowCount } = await client.query(
      `insert into commands (id, entity_id, digest, answer) values ($1, $2, $3, '{"type":"ok"}') on conflict do nothing`,
      [command.id, newId, command.digest],
    );
    if (rowCount === 0) await refuseOther(client, command);
    else await carryOut(client, kind, change);
    await client.query('commit');
    client.release();
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    client.release();
    throw conflictOf(error, change.type);
  }
}

async function refuseOther(client: pg.PoolClient, { id, digest }: CommandKey): Promise<void> {
  const { rows } = await client.query<{ digest: string }>('select digest from commands where id = $1', [id]);
  if (rows[0]?.digest !== digest) throw new CatalogueConflict('commandIdReused');
}

async function carryOut<K extends CatalogueKind>(
  client: pg.PoolClient,
  kind: K,
  change: CatalogueChange<K>,
): Promise<void> {
  const { name, key, columns } = tables[kind];
  if (change.type === 'delete') {
    const { rowCount } = await client.query(`delete from ${name} where ${key}::text = $1`, [change.key]);
    if (rowCount === 0) throw new CatalogueConflict('notFound');
    return;
  }
  const given = Object.entries(change.type === 'create' ? change.object : change.patch);
  const names = given.map(([attribute]) => columns[attribute] ?? attribute);
  const values = given.map(([, value]) => value);
  if (change.type === 'create') {
    const places = names.map((_, index) => `$${index + 1}`);
    await client.query(`insert into ${name} (${names.join(', ')}) values (${places.join(', ')})`, values);
    return;
  }
  const sets = [...names.map((column, index) => `${column} = $${index + 2}`), 'updated_at = now()'];
  const text = `update ${name} set ${sets.join(', ')} where ${key}::text = $1`;
  const { rowCount } = await client.query(text, [change.key, ...values]);
  if (rowCount === 0) throw new CatalogueConflict('notFound');
}

/** SQLSTATE 23505: the name is taken; 23503, 23001: something refers to what is deleted, or it refers to nothing. */
function conflictOf(error: unknown, change: CatalogueChange<CatalogueKind>['type']): unknown {
  const { code } = error as { readonly code?: string };
  if (code === '23505') return new CatalogueConflict('taken');
  if (code !== '23503' && code !== '23001') return error;
  return new CatalogueConflict(change === 'delete' ? 'inUse' : 'noProfile');
}

function columnsOf(kind: CatalogueKind): string {
  return Object.entries(tables[kind].columns)
    .map(([attribute, column]) => `${column} as "${attribute}"`)
    .join(', ');
}

/** Rows of administrators, as the command channel asks for them. */
export function catalogueOf(pool: pg.Pool) {
  return {
    find: <K extends CatalogueKind>(kind: K, key: string) => patiently(() => findInCatalogue(pool, kind, key)),
    list: <K extends CatalogueKind>(kind: K) => patiently(() => listCatalogue(pool, kind)),
    change: async <K extends CatalogueKind>(
      kind: K,
      change: CatalogueChange<K>,
      command: CommandKey,
      newId: string,
    ) => {
      try {
        await changeCatalogue(pool, kind, change, command, newId);
        return undefined;
      } catch (error) {
        if (error instanceof CatalogueConflict) return error.why;
        throw error;
      }
    },
  };
}
