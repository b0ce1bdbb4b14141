// Entities that have work left or a time to be woken at: what a new owner must pick up.
import type { Pool } from 'pg';
import type { EntityKind } from '../../domain/entity.ts';
import { olderProgram } from '../../domain/upcast.ts';

export interface DueEntity {
  readonly kind: EntityKind;
  readonly id: string;
  readonly hasWork: boolean;
  /** Milliseconds since the epoch; undefined when it waits for no time. */
  readonly wakeAt: number | undefined;
}

/** Most urgent first: work under way, then by time. */
export async function dueEntities(pool: Pool, shards: readonly number[]): Promise<readonly DueEntity[]> {
  const { rows } = await pool.query<{ kind: EntityKind; id: string; has_work: boolean; wake_at: Date | null }>(
    `select kind, id, has_work, wake_at from entities
     where (has_work or wake_at is not null) and shard = any($1) and (fault is null or fault like '%' || $2 || '%')
     order by has_work desc, wake_at`,
    [shards, olderProgram],
  );
  return rows.map((row) => ({
    kind: row.kind,
    id: row.id,
    hasWork: row.has_work,
    wakeAt: row.wake_at?.getTime(),
  }));
}
