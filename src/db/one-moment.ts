// Several reads that must fit together.
import type { Pool } from 'pg';

/** What statements are sent to: a pool, or one of its connections. */
export type Queryable = Pick<Pool, 'query'>;

/** All that `read` reads is as it was at one moment, whatever is written meanwhile. Nothing can be written in it. */
export async function atOneMoment<T>(pool: Pool, read: (connection: Queryable) => Promise<T>): Promise<T> {
  const connection = await pool.connect();
  try {
    await connection.query('begin isolation level repeatable read read only');
    const found = await read(connection);
    await connection.query('commit');
    connection.release();
    return found;
  } catch (error) {
    // Its transaction is open still: it is of no use to anybody else.
    connection.release(error as Error);
    throw error;
  }
}
