// The connections of a node, but for the one of its session: how many, and how long they may be waited for.
import pg from 'pg';

export interface OpenPool {
  readonly url: string;
  readonly size: number;
  /** A connection that broke while idle, before the pool's end was asked for. The pool replaces it. */
  readonly onIdleError: (error: Error) => void;
  readonly queryTimeoutMs?: number;
}

const connectTimeoutMs = 5_000;
/** A server that is frozen or cut off says nothing: after this time a write counts as one whose outcome is not known. */
const defaultQueryTimeoutMs = 15_000;
/** The server gives up a little earlier, so that the outcome of what is merely slow, or waits for a lock, is known. */
const serverTimeoutShare = 0.9;

/** Connects when it is used. The caller ends it. */
export function openPool({ url, size, onIdleError, queryTimeoutMs = defaultQueryTimeoutMs }: OpenPool): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: size,
    application_name: 'amphitheatre',
    keepAlive: true,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
    // Not among the parameters of the start: poolers refuse those they do not know.
    // oxlint-disable-next-line no-misused-promises -- the pool waits for it; its declaration does not say so
    onConnect: async (client) => {
      await client.query(`set statement_timeout = ${Math.ceil(queryTimeoutMs * serverTimeoutShare)}`);
    },
  });
  // `end` does not wait until connections are closed: what becomes of them then is no news.
  pool.on('error', (error) => {
    if (!pool.ending) onIdleError(error);
  });
  return pool;
}
