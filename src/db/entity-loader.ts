// Loads of entities, in groups: those that are asked for together, or while a statement is under way, share the next one.
import type { Pool } from 'pg';
import type { EntityKind } from '../domain/entity.ts';
import { type LoadedEntity, OutcomeUnknownError } from '../domain/journal.ts';
import { isDatabaseAway, isRefused } from './failures.ts';

interface WaitingLoad {
  readonly kind: EntityKind;
  readonly id: string;
  readonly resolve: (loaded: LoadedEntity | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** Entities of one statement. */
const groupLimit = 200;

/** Between the times that are known, so that few partitions are looked into, or wherever they are. */
const loadSql = (where: 'inTime' | 'anywhere') => `
  select e.kind, e.id, e.seq, e.is_over, e.fault,
         s.seq as snapshot_seq, s.schema_version as snapshot_version, s.state,
         coalesce((select json_agg(json_build_array(j.seq, j.schema_version, j.events, j.command_id) order by j.seq)
                   from journal j where j.kind = e.kind and j.entity_id = e.id and j.seq > coalesce(s.seq, 0)
                     ${where === 'inTime' ? 'and j.at between e.since and e.updated_at' : ''}), '[]') as entries
  from unnest($1::text[], $2::uuid[]) wanted (kind, id)
  join entities e using (kind, id)
  left join snapshots s on s.kind = e.kind and s.entity_id = e.id`;

export class EntityLoader {
  readonly #pool: Pool;
  readonly #onStatement: () => void;
  #loads: WaitingLoad[] = [];
  #isLoading = false;

  constructor(pool: Pool, onStatement: () => void) {
    this.#pool = pool;
    this.#onStatement = onStatement;
  }

  /** What there is of an entity; undefined when there never was one. @throws OutcomeUnknownError when the database is away */
  load(kind: EntityKind, id: string): Promise<LoadedEntity | undefined> {
    return new Promise((resolve, reject) => {
      this.#loads.push({ kind, id, resolve, reject });
      if (!this.#isLoading) void this.#loadAll();
    });
  }

  async #loadAll(): Promise<void> {
    this.#isLoading = true;
    await new Promise(setImmediate);
    while (this.#loads.length > 0) await this.#loadGroup(this.#loads.splice(0, groupLimit));
    this.#isLoading = false;
  }

  async #loadGroup(group: readonly WaitingLoad[]): Promise<void> {
    try {
      this.#onStatement();
      const found = await this.#read(group, 'inTime');
      // A clock that was put back has them lie elsewhere.
      const partial = group.filter(({ kind, id }) => found.get(`${kind}/${id}`)?.isWhole === false);
      const mended = partial.length === 0 ? found : await this.#read(partial, 'anywhere');
      for (const { kind, id, resolve } of group) {
        const key = `${kind}/${id}`;
        resolve((mended.get(key) ?? found.get(key))?.loaded);
      }
    } catch (error) {
      if (!isDatabaseAway(error) && group.length > 1) {
        // One of them may be at fault; alone, it fails nobody else.
        for (const waiting of group) await this.#loadGroup([waiting]);
      } else {
        const failure = isRefused(error) ? asError(error) : new OutcomeUnknownError(error);
        for (const { reject } of group) reject(failure);
      }
    }
  }

  async #read(group: readonly WaitingLoad[], where: 'inTime' | 'anywhere'): Promise<ReadonlyMap<string, FoundEntity>> {
    const values = [group.map(({ kind }) => kind), group.map(({ id }) => id)];
    const { rows } = await this.#pool.query<LoadedRow>({
      name: `load_entities_${where}`,
      text: loadSql(where),
      values,
    });
    return new Map(rows.map((row) => [`${row.kind}/${row.id}`, foundEntity(row)]));
  }
}

interface LoadedRow {
  readonly kind: EntityKind;
  readonly id: string;
  /** Of its newest entry. */
  readonly seq: string;
  readonly is_over: boolean;
  readonly fault: string | null;
  readonly snapshot_seq: string | null;
  readonly snapshot_version: number | null;
  readonly state: unknown;
  readonly entries: readonly (readonly [number, number, readonly unknown[], string | null])[];
}

interface FoundEntity {
  readonly loaded: LoadedEntity;
  /** Whether every entry after the snapshot is there. Nobody asks that of what is over. */
  readonly isWhole: boolean;
}

function foundEntity(row: LoadedRow): FoundEntity {
  const { snapshot_seq: seq, snapshot_version: version, state } = row;
  const loaded = {
    isOver: row.is_over,
    fault: row.fault,
    snapshot: seq === null || version === null ? null : { seq: Number(seq), schemaVersion: version, state },
    entries: row.entries.map(([number, schemaVersion, events, commandId]) => ({
      seq: number,
      schemaVersion,
      events,
      commandId,
    })),
  };
  return { loaded, isWhole: row.is_over || loaded.entries.length === Number(row.seq) - Number(seq ?? 0) };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
