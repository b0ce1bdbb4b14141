// Finds out whether a transaction pooler stands between us and PostgreSQL. Through one, each transaction of a connection may
// run in another session, so the lock that says that a node lives would be held by a session that is not ours.
import pg from 'pg';

/** Connections through that URL share sessions of the server. */
export class TransactionPoolerError extends Error {
  constructor() {
    super(
      'it is reached through a pooler in transaction mode, where locks do not end with the process that took them: ' +
        'use the address of PostgreSQL itself, or a pooler in session mode',
    );
    this.name = 'TransactionPoolerError';
  }
}

/** A pooler that hands out its sessions in turn needs more than one look. */
const looks = 5;
const connectTimeoutMs = 10_000;
/** A pooler whose sessions are all taken lets us wait. */
const answerTimeoutMs = 5_000;

/**
 * Returns when sessions are our own: without a pooler, which one connection finds out, or through one in session mode.
 *
 * @throws TransactionPoolerError, or an Error when the database cannot be reached
 */
export async function refuseTransactionPooler(url: string): Promise<void> {
  const clients: pg.Client[] = [];
  const open = async (): Promise<pg.Client> => {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: answerTimeoutMs,
    });
    clients.push(client);
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  try {
    const one = await open();
    const session = await sessionOf(one);
    // What the server says at the start of a connection is its own number; a pooler says one that it made up.
    if (session === announcedSession(one)) return;
    const other = await open();
    await other.query('begin');
    // A session that was ours a moment ago, or that we do not come back to while it is taken, is not ours.
    if ((await sessionOf(other)) === session) throw new TransactionPoolerError();
    for (let look = 0; look < looks; look++) {
      if ((await sessionOf(one)) !== session) throw new TransactionPoolerError();
    }
    await other.query('commit');
  } finally {
    await Promise.allSettled(clients.map((client) => client.end()));
  }
}

async function sessionOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid ?? 0;
}

/** Its types do not name what pg keeps for cancelling queries. */
function announcedSession(client: pg.Client): unknown {
  return (client as pg.Client & { readonly processID?: unknown }).processID;
}
