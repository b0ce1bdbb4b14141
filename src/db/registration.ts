// How a node comes in: its row among the nodes, its lock, and that it must not be unlike those that run.
import type pg from 'pg';
import type { Family } from '../domain/ownership.ts';
import { lockClasses } from './lock-classes.ts';

export interface NodeRegistration {
  readonly id: string;
  readonly roles: readonly string[];
  readonly families: readonly Family[];
  readonly version: string;
  /** Of what it reads and writes; see `upcast.ts`. */
  readonly dataVersion: number;
  /** host:port of `/peer`; null when it has none. */
  readonly address: string | null;
  /** host:port that amphorae send heartbeats to; null when it listens to none. */
  readonly heartbeatAddress: string | null;
  readonly leaseMs: number;
  /**
   * How long after a restart of the database, or after a session of its own was lost, a node waits for the sessions of the
   * others before it takes their absence for their death.
   */
  readonly graceMs: number;
  /** Fingerprints of settings that all nodes must have alike, by name. */
  readonly settings: Readonly<Record<string, string>>;
}

/** This node and others have settings that would give different outcomes; the message names them. */
export class UnlikeSettingsError extends Error {
  constructor(names: readonly string[]) {
    super(
      `this node must not join the cluster: ${names.join(', ')} ${names.length === 1 ? 'differs' : 'differ'} from what the nodes that run have. Make them alike, or stop the others first`,
    );
    this.name = 'UnlikeSettingsError';
  }
}

/**
 * Registers the node, and takes the lock that says it is alive: the client's session holds it from then on. Says whether the node
 * was known before.
 *
 * @throws UnlikeSettingsError
 */
export async function register(client: pg.Client, node: NodeRegistration): Promise<boolean> {
  // Other nodes see the row once the lock is held: without it they would take the newcomer for dead.
  await client.query('begin');
  // One at a time: of two that differ, the second one must see the first.
  await client.query('select pg_advisory_xact_lock($1, 0)', [lockClasses.node]);
  await refuseUnlike(client, node);
  const { rows } = await client.query<{ number: number; is_return: boolean }>(
    `insert into nodes (id, roles, families, address, heartbeat_address, settings, version, lease_until)
     values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8 * interval '1 millisecond')
     on conflict (id) do update
       set lease_until = excluded.lease_until, stopped_at = null, session_since = now(), address = excluded.address,
           heartbeat_address = excluded.heartbeat_address
     returning number, xmax <> 0 as is_return`,
    [
      node.id,
      node.roles,
      node.families,
      node.address,
      node.heartbeatAddress,
      JSON.stringify({ alike: node.settings, dataVersion: node.dataVersion }),
      node.version,
      node.leaseMs,
    ],
  );
  await client.query('select pg_advisory_lock($1, $2)', [lockClasses.node, rows[0]?.number]);
  await client.query('commit');
  return rows[0]?.is_return ?? false;
}

/** @throws UnlikeSettingsError */
async function refuseUnlike(client: pg.Client, { id, settings }: NodeRegistration): Promise<void> {
  const { rows } = await client.query<{ key: string }>(
    `select distinct key from nodes n, jsonb_each_text(coalesce(n.settings -> 'alike', '{}')) theirs
     where n.stopped_at is null and n.lease_until > now() and n.id <> $1
       and not pg_try_advisory_xact_lock($3, n.number)
       and $2::jsonb ? key and theirs.value <> $2::jsonb ->> key
     order by key`,
    [id, JSON.stringify(settings), lockClasses.node],
  );
  if (rows.length > 0) throw new UnlikeSettingsError(rows.map(({ key }) => key));
}
