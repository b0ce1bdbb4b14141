// The journal: appends in groups; `entity-loader.ts` has the loads. Entries of many actors that are ready together travel in one
// statement; while it is under way, the next group gathers. So the number of transactions follows the database's
// pace, and nobody waits for a timer.
import type { Pool } from 'pg';
import type { Claim } from '../domain/decision.ts';
import type { EntityKind } from '../domain/entity.ts';
import {
  AppendRejectedError,
  type AppendResult,
  type Entry,
  type Fence,
  type JournalPort,
  type LoadedEntity,
  OutcomeUnknownError,
  SequenceConflictError,
  type SnapshotToWrite,
  StaleEpochError,
} from '../domain/journal.ts';
import type { ObjectKind } from '../domain/load-balancer/state.ts';
import { type Quotas, unlimited } from '../domain/quota.ts';
import { appendFunction } from './append-function.ts';
import { EntityLoader } from './entity-loader.ts';
import { isDatabaseAway, isRefused, isRolledBack } from './failures.ts';
import { columnNamed } from './projection-columns.ts';

interface WaitingAppend {
  readonly entry: Entry;
  /** On the monotonic clock. */
  readonly since: number;
  readonly json: string;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: Error) => void;
}

/** Bounds of one statement: entries and bytes of JSON. A single larger entry travels alone. */
const groupLimit = { entries: 200, bytes: 4 * 1024 * 1024 };

/** Only under the current epoch, only over an older one, and not of what is over: nobody would remove it. */
const snapshotSql = `
  with written as (
    insert into snapshots (kind, entity_id, seq, schema_version, state)
    select $1, $2::uuid, $3, $4, $5::jsonb
    from shards where family = $6 and shard = $7 and owner = $8::uuid and epoch = $9
      and exists (select 1 from entities e where e.kind = $1 and e.id = $2::uuid and not e.is_over)
    for share
    on conflict (kind, entity_id) do update
      set seq = excluded.seq, schema_version = excluded.schema_version, state = excluded.state, at = now()
      where snapshots.seq < excluded.seq
    returning kind, entity_id, seq)
  update entities e set since = j.at
  from written w join journal j using (kind, entity_id, seq)
  where e.kind = w.kind and e.id = w.entity_id`;

const faultSql = `
  with fence as (
    select 1 from shards where family = $4 and shard = $5 and owner = $6::uuid and epoch = $7 for share),
  marked as (
    update entities set fault = $3, updated_at = now() from fence where kind = $1 and id = $2::uuid returning id)
  update load_balancers l set provisioning_status = 'ERROR', error_reason = $3
    from marked where l.id = marked.id and $1 = 'loadBalancer' and $3 is not null`;

/** How often an entry is written that the server rolls back for the sake of others. */
const triesWhenRolledBack = 5;

export class Journal implements JournalPort {
  readonly #pool: Pool;
  readonly #quotas: Quotas;
  #appends: WaitingAppend[] = [];
  #isAppending = false;
  /** On its way to the database. */
  #underWay: readonly WaitingAppend[] = [];
  /** Since the start, for metrics. */
  readonly counters = { entries: 0, statements: 0, loads: 0 };
  readonly #loader: EntityLoader;
  readonly #onTrouble: (trouble: string | undefined) => void;
  #trouble: string | undefined;

  /**
   * `quotas` are the limits of projects that have none of their own. `onTrouble` hears why nothing can be written, such as a full disk, and with undefined
   * that it can again.
   */
  constructor(
    pool: Pool,
    onTrouble: (trouble: string | undefined) => void = () => undefined,
    quotas: Quotas = unlimited,
  ) {
    this.#pool = pool;
    this.#quotas = quotas;
    this.#onTrouble = onTrouble;
    this.#loader = new EntityLoader(pool, () => this.counters.loads++);
  }

  /** Why the newest write could not be made; undefined when the database took it, or refused it for what it was. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  #noteTrouble(trouble: string | undefined): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#onTrouble(trouble);
  }

  /** Entries that wait for their statement. */
  get backlog(): number {
    return this.#appends.length;
  }

  /** How long the oldest append has been waiting, on its way or before, in milliseconds; 0 when there is none. */
  get oldestWaitMs(): number {
    const oldest = this.#underWay[0] ?? this.#appends[0];
    return oldest === undefined ? 0 : performance.now() - oldest.since;
  }

  append(entry: Entry): Promise<AppendResult> {
    return new Promise((resolve, reject) => {
      const since = performance.now();
      this.#appends.push({ entry, since, json: JSON.stringify(entryJson(entry, this.#quotas)), resolve, reject });
      if (!this.#isAppending) void this.#appendAll();
    });
  }

  async #appendAll(): Promise<void> {
    this.#isAppending = true;
    // Let every actor that is ready in this turn of the event loop join.
    await new Promise(setImmediate);
    while (this.#appends.length > 0) {
      this.#underWay = this.#takeGroup();
      await this.#appendGroup(this.#underWay);
    }
    this.#underWay = [];
    this.#isAppending = false;
  }

  #takeGroup(): WaitingAppend[] {
    let bytes = 0;
    let count = 0;
    for (const { json } of this.#appends) {
      bytes += json.length;
      if (count > 0 && (bytes > groupLimit.bytes || count === groupLimit.entries)) break;
      count++;
    }
    return this.#appends.splice(0, count);
  }

  async #appendGroup(group: readonly WaitingAppend[], tries = 1): Promise<void> {
    try {
      const outcomes = await this.#write(group);
      this.#noteTrouble(undefined);
      for (const [index, waiting] of group.entries()) settle(waiting, outcomes.get(index));
    } catch (error) {
      await this.#onGroupFailed(group, error, tries);
    }
  }

  async #onGroupFailed(group: readonly WaitingAppend[], error: unknown, tries: number): Promise<void> {
    const isAway = isDatabaseAway(error);
    if (!isAway && group.length > 1) {
      // One of them may be at fault; alone, it fails nobody else.
      for (const waiting of group) await this.#appendGroup([waiting]);
    } else if (isRolledBack(error) && tries < triesWhenRolledBack) {
      await this.#appendGroup(group, tries + 1);
    } else if (isRefused(error)) {
      this.#noteTrouble(undefined);
      for (const { entry, reject } of group) reject(new AppendRejectedError(entry.kind, entry.id, error));
    } else {
      this.#noteTrouble(asError(error).message);
      // Whoever waits for the same database would wait for as long once more.
      const waiting = isAway ? this.#appends.splice(0) : [];
      for (const { reject } of [...group, ...waiting]) reject(new OutcomeUnknownError(error));
    }
  }

  async #write(group: readonly WaitingAppend[]): Promise<ReadonlyMap<number, Outcome>> {
    const text = `select idx, outcome, detail from ${appendFunction}($1::jsonb)`;
    const values = [`[${group.map(({ json }) => json).join(',')}]`];
    this.counters.statements++;
    this.counters.entries += group.length;
    const { rows } = await this.#pool.query<Outcome & { idx: number }>({ name: appendFunction, text, values });
    return new Map(rows.map((row) => [row.idx, row]));
  }

  load(kind: EntityKind, id: string): Promise<LoadedEntity | undefined> {
    return this.#loader.load(kind, id);
  }

  async writeSnapshot({ kind, id, fence, seq, schemaVersion, state }: SnapshotToWrite): Promise<void> {
    const values = [
      kind,
      id,
      seq,
      schemaVersion,
      JSON.stringify(state),
      fence.family,
      fence.shard,
      fence.node,
      fence.epoch,
    ];
    await this.#pool.query({ name: 'write_snapshot', text: snapshotSql, values });
  }

  /**
   * Writes down that an entity's actor was given up, and why; null when it is tried again, which leaves the row of a load
   * balancer in ERROR until its actor writes it anew. Does nothing when the epoch has passed.
   */
  async recordFault(kind: EntityKind, id: string, fault: string | null, fence: Fence): Promise<void> {
    const values = [kind, id, fault, fence.family, fence.shard, fence.node, fence.epoch];
    await this.#pool.query({ name: 'record_fault', text: faultSql, values });
  }
}

interface Outcome {
  readonly outcome: 'written' | 'stale' | 'duplicate' | 'claimed' | 'quotaMet' | 'conflict';
  readonly detail: unknown;
}

function settle({ entry, resolve, reject }: WaitingAppend, outcome: Outcome | undefined): void {
  switch (outcome?.outcome) {
    case 'written':
      return resolve({ type: 'written' });
    case 'duplicate':
      return resolve({
        type: 'duplicate',
        ...(outcome.detail as { entityId: string; digest: string; answer: unknown }),
      });
    case 'claimed':
      return resolve({ type: 'claimed', claim: outcome.detail as Claim });
    case 'quotaMet':
      return resolve({ type: 'quotaMet', kind: outcome.detail as ObjectKind });
    case 'stale':
      return reject(new StaleEpochError(entry.kind, entry.id));
    case 'conflict': {
      const found = (outcome.detail as { seq: number } | null)?.seq;
      return reject(new SequenceConflictError(entry.kind, entry.id, entry.seq ?? 0, found));
    }
    case undefined:
      return reject(new AppendRejectedError(entry.kind, entry.id, new Error('the database gave no outcome for it')));
  }
}

/** The entry as `append_entries` reads it. */
function entryJson(entry: Entry, quotas: Quotas): unknown {
  const { fence, rows, wakeAt, addition, ...rest } = entry;
  return {
    ...rest,
    ...fence,
    ...(addition && { addition: { ...addition, quotas } }),
    wakeAt: wakeAt === undefined ? null : new Date(wakeAt).toISOString(),
    upserts: columnNamed(rows.upserts),
    deletes: columnNamed(rows.deletes),
  };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
