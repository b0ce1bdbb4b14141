// Answers that commands were given.
import type { Pool } from 'pg';

export interface AnsweredBefore {
  readonly entityId: string;
  /** SHA-256 of method and parameters, hex. */
  readonly digest: string;
  readonly answer: unknown;
}

/** The answer to a command that was answered before; undefined when it was not, or long ago. */
export async function findAnswer(pool: Pool, commandId: string): Promise<AnsweredBefore | undefined> {
  const { rows } = await pool.query<{ entity_id: string; digest: string; answer: unknown }>(
    'select entity_id, digest, answer from commands where id = $1',
    [commandId],
  );
  return rows[0] && { entityId: rows[0].entity_id, digest: rows[0].digest, answer: rows[0].answer };
}
