// Who is alive and who owns which shard. A node lives as long as its session (a connection that holds an advisory
// lock) or, where the session's end cannot be seen, until its lease runs out on the database's clock.
import pg from 'pg';
import { type Family, families, type OwnedShard, type OwnershipSessionPort } from '../domain/ownership.ts';
import { lockClasses } from './migrate.ts';

export interface NodeRegistration {
  readonly id: string;
  readonly roles: readonly string[];
  readonly version: string;
  /** host:port of `/peer`; null when it has none. */
  readonly address: string | null;
  readonly leaseMs: number;
}

/** How long a takeover waits for appends that hold a shard's row. */
const takeoverLockTimeoutMs = 2_000;

/** A node whose lock can be had is dead, whatever its lease says; one whose lease has passed is taken for dead. */
const deadNodesSql = `
  update nodes n set stopped_at = now()
  where n.stopped_at is null and n.id <> $1
    and (n.lease_until < now() or pg_try_advisory_xact_lock($2, n.number))
  returning n.id`;

const claimSql = `
  with free as (
    select family, shard from shards s
    where family = any($2) and case when owner = $1
      then (family, shard, epoch) not in (select * from unnest($3::text[], $4::smallint[], $5::bigint[]))
      else owner is null or not exists (select 1 from nodes n where n.id = s.owner and n.stopped_at is null) end
    order by family, shard for update)
  update shards s set owner = $1, epoch = epoch + 1 from free
  where s.family = free.family and s.shard = free.shard
  returning s.family, s.shard, s.epoch`;

export class OwnershipSession implements OwnershipSessionPort {
  readonly #client: pg.Client;
  readonly #node: NodeRegistration;
  readonly ended: Promise<Error | undefined>;

  private constructor(client: pg.Client, node: NodeRegistration, ended: Promise<Error | undefined>) {
    this.#client = client;
    this.#node = node;
    this.ended = ended;
  }

  /**
   * Opens the session: a row in `nodes` with a lease, and the lock that says that this process lives. The same node may
   * open a new session after it lost one.
   *
   * @throws Error when the database is away, or a session of this node that was lost still holds its lock
   */
  static async open(url: string, node: NodeRegistration): Promise<OwnershipSession> {
    const client = new pg.Client({
      connectionString: url,
      application_name: `amphitheatre ${node.id}`,
      connectionTimeoutMillis: 5_000,
      query_timeout: 10_000,
      keepAlive: true,
    });
    const ended = new Promise<Error | undefined>((resolve) => {
      client.on('error', resolve);
      client.once('end', () => resolve(undefined));
    });
    await client.connect();
    try {
      await client.query(`set lock_timeout = ${takeoverLockTimeoutMs}`);
      // Other nodes see the row once the lock is held: without it they would take the newcomer for dead.
      await client.query('begin');
      const { rows } = await client.query<{ number: number }>(
        `insert into nodes (id, roles, address, version, lease_until)
         values ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 millisecond')
         on conflict (id) do update set lease_until = excluded.lease_until, stopped_at = null, address = excluded.address
         returning number`,
        [node.id, node.roles, node.address, node.version, node.leaseMs],
      );
      await client.query('select pg_advisory_lock($1, $2)', [lockClasses.node, rows[0]?.number]);
      await client.query('commit');
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    return new OwnershipSession(client, node, ended);
  }

  async renew(): Promise<boolean> {
    const { rowCount } = await this.#client.query(
      `update nodes set lease_until = now() + $2 * interval '1 millisecond' where id = $1 and stopped_at is null`,
      [this.#node.id, this.#node.leaseMs],
    );
    return rowCount === 1;
  }

  async claimFree(held: readonly OwnedShard[]): Promise<readonly OwnedShard[]> {
    await this.#client.query(deadNodesSql, [this.#node.id, lockClasses.node]);
    const { rows } = await this.#client.query<{ family: Family; shard: number; epoch: string }>(claimSql, [
      this.#node.id,
      Object.values(families),
      held.map(({ family }) => family),
      held.map(({ shard }) => shard),
      held.map(({ epoch }) => epoch),
    ]);
    return rows.map(({ family, shard, epoch }) => ({ family, shard, epoch: Number(epoch) }));
  }

  async close(): Promise<void> {
    try {
      await this.#client.query('update shards set owner = null where owner = $1', [this.#node.id]);
      await this.#client.query('update nodes set stopped_at = now() where id = $1', [this.#node.id]);
    } catch {
      // The session's end says the same.
    }
    await this.#client.end().catch(() => undefined);
  }
}
