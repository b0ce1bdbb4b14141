// Who is alive and who owns which shard. A node lives as long as its session (a connection that holds an advisory
// lock) or, where the session's end cannot be seen, until its lease runs out on the database's clock.
import pg from 'pg';
import type { Order } from '../domain/cluster/orders.ts';
import {
  type ClaimPlan,
  type ClusterNode,
  type ClusterView,
  type Family,
  familyNames,
  type OwnedShard,
  type OwnershipSessionPort,
} from '../domain/ownership.ts';
import { isReadOnly } from './failures.ts';
import { lockClasses } from './lock-classes.ts';
import { type NodeRegistration, register } from './registration.ts';
import { isoTime } from './repositories/view.ts';

/** How long a takeover waits for appends that hold a shard's row. */
const takeoverLockTimeoutMs = 2_000;
/** Notices on it have nodes look at the cluster. */
export const clusterChannel = 'amphitheatre_cluster';

/**
 * Whether the node `n` is dead: a node whose lock can be had is, whatever its lease says; one whose lease has passed is taken
 * for it. Whose session is older than that of the asking node `me` may still be on its way back from what ended both.
 */
const isDeadSql = `
  (n.session_since > me.session_since or now() > greatest(pg_postmaster_start_time(), me.waits_from) + $2 * interval '1 millisecond')
  and (n.lease_until < now() or pg_try_advisory_xact_lock($3, n.number))`;

const meSql = `
  select session_since, case when $4 then session_since else '-infinity' end as waits_from from nodes where id = $1`;

const lookSql = `
  with me as (${meSql})
  select
    (select json_agg(json_build_object('id', n.id, 'address', n.address, 'heartbeatAddress', n.heartbeat_address,
        'version', n.version, 'dataVersion', coalesce((n.settings ->> 'dataVersion')::int, 1), 'families', n.families, 'isDraining', n.is_draining,
        'isDead', n.id <> $1 and (${isDeadSql})))
      from nodes n, me where n.stopped_at is null) as nodes,
    (select json_object_agg(family, owners) from (
      select family, json_agg(owner order by shard) as owners from shards group by family) s) as owners,
    (select json_agg(distinct heartbeat_address order by heartbeat_address) from nodes
      where heartbeat_address is not null and (stopped_at is null or stopped_at > now() - interval '2 minutes')) as heartbeats,
    (select observing from deployment limit 1) as observing,
    (select json_agg(json_build_object('kind', kind, 'scope', scope, 'name', name, 'reason', reason, 'by', given_by,
        'since', given_at, 'until', ends_at) order by id)
      from operator_orders where ends_at is null or ends_at > now()) as orders`;

const declareDeadSql = `
  with me as (${meSql})
  update nodes n set stopped_at = now() from me
  where n.stopped_at is null and n.id <> $1 and n.id = any($5::uuid[]) and (${isDeadSql})`;

const claimSql = `
  with free as (
    select family, shard, owner is not distinct from $1 as is_mine from shards s
    where case when owner = $1
      then (family, shard, epoch) not in (select * from unnest($4::text[], $5::smallint[], $6::bigint[]))
      else family = any($2) and
        (owner is null or not exists (select 1 from nodes n where n.id = s.owner and n.stopped_at is null)) end
    order by family, shard for update),
  chosen as (
    select f.family, f.shard from (
      select *, row_number() over (partition by family order by is_mine desc, shard) as place from free) f
    where is_mine or place <= (select most from unnest($2::text[], $3::int[]) w (family, most) where w.family = f.family))
  update shards s set owner = $1, epoch = epoch + 1 from chosen c
  where s.family = c.family and s.shard = c.shard
  returning s.family, s.shard, s.epoch`;

const releaseSql = `
  update shards s set owner = null
  from unnest($2::text[], $3::smallint[], $4::bigint[]) given (family, shard, epoch)
  where s.owner = $1 and s.family = given.family and s.shard = given.shard and s.epoch = given.epoch`;

const notifySql = `select pg_notify('${clusterChannel}', '')`;

interface Look {
  readonly nodes: readonly ClusterNode[] | null;
  readonly owners: Readonly<Record<string, readonly (string | null)[]>>;
  readonly heartbeats: readonly string[] | null;
  readonly observing: string | null;
  readonly orders: readonly Order[] | null;
}

export class OwnershipSession implements OwnershipSessionPort {
  readonly #url: string;
  readonly #client: pg.Client;
  readonly #node: NodeRegistration;
  readonly #isReturn: boolean;
  #queue: Promise<unknown> = Promise.resolve();
  readonly ended: Promise<Error | undefined>;

  private constructor(
    url: string,
    client: pg.Client,
    node: NodeRegistration,
    isReturn: boolean,
    ended: Promise<Error | undefined>,
  ) {
    this.#url = url;
    this.#client = client;
    this.#node = node;
    this.#isReturn = isReturn;
    this.ended = ended;
  }

  /**
   * Opens the session: a row in `nodes` with a lease, and the lock that says that this process lives. The same node may
   * open a new session after it lost one.
   *
   * @throws UnlikeSettingsError; Error when the database is away, or a session of this node that was lost still holds its lock
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
      const isReturn = await register(client, node);
      await client.query(`listen ${clusterChannel}`);
      await client.query(notifySql);
      return new OwnershipSession(url, client, node, isReturn, ended);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  onNotice(listener: () => void): void {
    this.#client.on('notification', listener);
  }

  async renew(): Promise<boolean> {
    try {
      const { rowCount } = await this.#query(
        `update nodes set lease_until = now() + $2 * interval '1 millisecond' where id = $1 and stopped_at is null`,
        [this.#node.id, this.#node.leaseMs],
      );
      return rowCount === 1;
    } catch (error) {
      // After a fail-over the server of before may live on as a standby, and would never end the session.
      if (isReadOnly(error) && (await this.#isLeftBehind())) await this.#client.end();
      throw error;
    }
  }

  /** Whether the address leads to another server now. */
  async #isLeftBehind(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.#url, connectionTimeoutMillis: 5_000, query_timeout: 5_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await serverOf(client)) !== (await serverOf(this.#client));
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async look(): Promise<ClusterView> {
    const { rows } = await this.#query<Look>(lookSql, [...this.#judging]);
    const [found] = rows;
    const ownersOf = (family: Family) => found?.owners[family] ?? [];
    return {
      nodes: found?.nodes ?? [],
      owners: {
        entities: ownersOf('entities'),
        spares: ownersOf('spares'),
        health: ownersOf('health'),
        housekeeping: ownersOf('housekeeping'),
      },
      heartbeatAddresses: found?.heartbeats ?? [],
      observing: found?.observing ?? null,
      orders: (found?.orders ?? []).map((order) => ({
        ...order,
        since: isoTime(order.since),
        until: order.until === null ? null : isoTime(order.until),
      })),
    };
  }

  async claim({ dead, most }: ClaimPlan, held: readonly OwnedShard[]): Promise<readonly OwnedShard[]> {
    if (dead.length > 0) await this.#query(declareDeadSql, [...this.#judging, dead]);
    const { rows } = await this.#query<{ family: Family; shard: number; epoch: string }>(claimSql, [
      this.#node.id,
      familyNames,
      familyNames.map((family) => most[family]),
      ...columnsOf(held),
    ]);
    return rows.map(({ family, shard, epoch }) => ({ family, shard, epoch: Number(epoch) }));
  }

  async release(shards: readonly OwnedShard[]): Promise<void> {
    await this.#query(releaseSql, [this.#node.id, ...columnsOf(shards)]);
    await this.#query(notifySql);
  }

  async setDraining(nodeId: string, isDraining: boolean): Promise<boolean> {
    const { rowCount } = await this.#query(`update nodes set is_draining = $2 where id = $1 and stopped_at is null`, [
      nodeId,
      isDraining,
    ]);
    await this.#query(notifySql);
    return rowCount === 1;
  }

  async close(): Promise<void> {
    try {
      await this.#query('update shards set owner = null where owner = $1', [this.#node.id]);
      await this.#query('update nodes set stopped_at = now() where id = $1', [this.#node.id]);
      await this.#query(notifySql);
    } catch {
      // The session's end says the same.
    }
    await this.#client.end().catch(() => undefined);
  }

  /** One query at a time: looks, renewals and notices come as they like. */
  #query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<pg.QueryResult<Row>> {
    const result = this.#queue.then(() => this.#client.query<Row>(text, [...values]));
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** Parameters of `isDeadSql` and `meSql`. */
  get #judging(): readonly unknown[] {
    return [this.#node.id, this.#node.graceMs, lockClasses.node, this.#isReturn];
  }
}

/** No two servers have started at the same microsecond, and none starts twice at one. */
async function serverOf(client: pg.Client): Promise<string | undefined> {
  const { rows } = await client.query<{ server: string }>('select pg_postmaster_start_time()::text as server');
  return rows[0]?.server;
}

function columnsOf(shards: readonly OwnedShard[]): readonly unknown[] {
  return [shards.map(({ family }) => family), shards.map(({ shard }) => shard), shards.map(({ epoch }) => epoch)];
}
