import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { startDatabaseProxy } from '../../support/database-proxy.ts';
import { type CounterNode, type CounterOptions, poison, startCounterNode } from '../../support/counter.ts';
import { fenceOf } from '../../support/entries.ts';
import { emptyBeforeEach, useTestDatabase } from '../../support/postgres.ts';
import { undoAfterEach } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

const surprises: unknown[] = [];
const onSurprise = (error: unknown) => surprises.push(error);
process.on('unhandledRejection', onSurprise);
const undo = undoAfterEach();
afterEach(() => {
  poison.isDeadly = true;
  expect(surprises.splice(0)).toEqual([]);
});
const database = useTestDatabase();
// A test must not leave owners or unfinished work to the next one.
emptyBeforeEach(database);

async function node(options: Partial<CounterOptions> = {}): Promise<CounterNode> {
  const started = await startCounterNode({ url: database.url, ...options });
  undo.push(() => started.close());
  return started;
}

async function create(counters: CounterNode): Promise<string> {
  const id = randomUUID();
  expect(await counters.send(id, { type: 'create', id })).toEqual({ type: 'ok', answer: 0 });
  return id;
}

const stateOf = (counters: CounterNode, id: string) => counters.manager.read(id, (state) => state);

const rowOf = async ({ pool }: CounterNode, id: string) =>
  (
    await pool.query<{ name: string; provisioning_status: string; error_reason: string | null }>(
      'select name, provisioning_status, error_reason from load_balancers where id = $1',
      [id],
    )
  ).rows[0];

/** Holds up every append until it is called. */
async function holdAppends(): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('begin');
  await client.query('lock table journal in exclusive mode');
  let isHeld = true;
  const letGo = async () => {
    if (isHeld) await client.end();
    isHeld = false;
  };
  undo.push(letGo);
  return letGo;
}

/** A step that ends when the test says so, or is aborted. */
function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const run = (signal: AbortSignal) =>
    Promise.race([
      opened,
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    ]);
  return { open, run };
}

describe('a crash', () => {
  test('in a decision is answered, and the actor starts again with what it had', async () => {
    const counters = await node();
    const id = await create(counters);
    await counters.send(id, { type: 'add', amount: 3 });
    const reply = await counters.send(id, { type: 'crash', where: 'decide' });
    expect(reply).toEqual({ type: 'faulted', reason: 'decide was told to crash' });
    expect(await counters.send(id, { type: 'add', amount: 1 })).toEqual({ type: 'ok', answer: 4 });
    expect(counters.registry.find(`counters/counter-${id}`)?.restarts).toBe(1);
  });

  test('costs a pause that grows, and commands behind it wait for it', async () => {
    const counters = await node();
    const id = await create(counters);
    const startedAt = performance.now();
    for (let count = 0; count < 3; count++) counters.post(id, { type: 'crash', where: 'decide' }, `crash-${count}`);
    expect(await counters.send(id, { type: 'add', amount: 1 })).toEqual({ type: 'ok', answer: 1 });
    expect(performance.now() - startedAt).toBeGreaterThan(50 + 100 + 200);
  });

  test('beyond the budget gives the entity up: ERROR with the reason, an answer to everybody, until an operator restarts it', async () => {
    const counters = await node();
    const id = await create(counters);
    for (let count = 0; count < 6; count++) counters.post(id, { type: 'crash', where: 'decide' }, `crash-${count}`);
    counters.post(id, { type: 'add', amount: 1 }, 'behind');
    const reason = 'its actor was given up after repeated crashes: decide was told to crash';
    await waitFor(() => counters.replies.get('behind'), { describe: 'an answer' });
    expect(counters.replies.get('behind')).toEqual([{ type: 'faulted', reason }]);
    expect(await counters.send(id, { type: 'add', amount: 1 })).toEqual({ type: 'faulted', reason });
    await expect(stateOf(counters, id)).rejects.toThrow(reason);
    await waitFor(async () => (await rowOf(counters, id))?.provisioning_status === 'ERROR', { describe: 'an ERROR' });
    expect((await rowOf(counters, id))?.error_reason).toBe(reason);
    expect(counters.registry.find(`counters/counter-${id}`)).toBeUndefined();

    await counters.manager.restart(id);
    expect(await counters.send(id, { type: 'add', amount: 5 })).toEqual({ type: 'ok', answer: 5 });
    expect(await rowOf(counters, id)).toEqual({ name: 'count 5', provisioning_status: 'ACTIVE', error_reason: null });
  });

  test('that was given up is known to the next node too, and a restart repairs the row though nothing has changed', async () => {
    const first = await node();
    const id = await create(first);
    const { ownership, journal } = first;
    await journal.recordFault('loadBalancer', id, 'given up yesterday', ownership.fenceOf(id));
    await first.close();
    const second = await node();
    expect(await second.send(id, { type: 'add', amount: 1 })).toEqual({
      type: 'faulted',
      reason: 'given up yesterday',
    });
    await second.manager.restart(id);
    await waitFor(async () => (await rowOf(second, id))?.provisioning_status === 'ACTIVE', { describe: 'its row' });
  });

  test('in a replay is a fault at once, not a loop', async () => {
    const counters = await node();
    const id = await create(counters);
    poison.isDeadly = false;
    await counters.send(id, { type: 'crash', where: 'evolve' });
    await counters.close();
    poison.isDeadly = true;
    const next = await node();
    const reply = await next.send(id, { type: 'add', amount: 1 });
    expect(reply).toMatchObject({ type: 'faulted', reason: expect.stringContaining('evolve was told to crash') });
    const { loads } = next.journal.counters;
    expect(loads).toBe(1);
    expect(await next.send(id, { type: 'add', amount: 1 })).toMatchObject({ type: 'faulted' });
    expect(next.journal.counters.loads).toBe(loads);
    poison.isDeadly = false;
    await next.manager.restart(id);
    expect(await next.send(id, { type: 'add', amount: 1 })).toEqual({ type: 'ok', answer: 1 });
  });

  test('interrupts the steps under way, which run again', async () => {
    const { open, run } = gate();
    const counters = await node({ run });
    const id = await create(counters);
    await counters.send(id, { type: 'work' });
    await waitFor(() => counters.runs.length === 1, { describe: 'the step' });
    await counters.send(id, { type: 'crash', where: 'decide' });
    await waitFor(() => counters.runs.length === 2, { describe: 'the step to run again' });
    expect(counters.runs[0]?.signal.aborted).toBe(true);
    open();
    await waitFor(async () => (await stateOf(counters, id))?.done === 1, { describe: 'the work to be done' });
    expect((await stateOf(counters, id))?.steps.retries).toEqual({});
  });
});

describe('a mailbox', () => {
  test('that is full answers commands with busy, and never drops the end of a step', async () => {
    const { open, run } = gate();
    const counters = await node({ run, mailboxLimit: 5 });
    const id = await create(counters);
    await counters.send(id, { type: 'work' });
    await waitFor(() => counters.runs.length === 1, { describe: 'the step' });
    const letGo = await holdAppends();
    for (let count = 0; count < 12; count++) counters.post(id, { type: 'add', amount: 1 }, `add-${count}`);
    open();
    const answered = () => [...counters.replies.values()].flat();
    await waitFor(() => answered().filter(({ type }) => type === 'busy').length === 7, { describe: 'busy answers' });
    await letGo();
    await waitFor(() => answered().length === 12, { describe: 'all answers' });
    await waitFor(async () => (await stateOf(counters, id))?.done === 1, { describe: 'the end of the step' });
    expect((await stateOf(counters, id))?.count).toBe(5);
  });

  test('that fills while the entity is loaded answers busy, too', async () => {
    const first = await node();
    const id = await create(first);
    await first.close();
    const counters = await node({ mailboxLimit: 3 });
    for (let count = 0; count < 5; count++) counters.post(id, { type: 'add', amount: 1 }, `add-${count}`);
    await waitFor(() => counters.replies.size === 5, { describe: 'all answers' });
    expect(
      [...counters.replies.values()]
        .flat()
        .map(({ type }) => type)
        .sort(),
    ).toEqual(['busy', 'busy', 'ok', 'ok', 'ok']);
  });
});

describe('an idle entity', () => {
  test('leaves memory, and is back for the next message as if nothing had been', async () => {
    const counters = await node({ idleMs: 20 });
    const id = await create(counters);
    await counters.send(id, { type: 'add', amount: 2 });
    await waitFor(() => counters.manager.liveCount === 0, { describe: 'passivation' });
    expect(counters.registry.find(`counters/counter-${id}`)).toBeUndefined();
    expect(await counters.send(id, { type: 'add', amount: 2 })).toEqual({ type: 'ok', answer: 4 });
  });

  test('stays while a step is under way', async () => {
    const { open, run } = gate();
    const counters = await node({ idleMs: 20, run });
    const [busy, idle] = [await create(counters), await create(counters)];
    await counters.send(busy, { type: 'work' });
    await waitFor(() => counters.registry.find(`counters/counter-${idle}`) === undefined, { describe: 'passivation' });
    expect(counters.registry.find(`counters/counter-${busy}`)).toBeDefined();
    open();
    await waitFor(() => counters.manager.liveCount === 0, { describe: 'passivation of the other' });
    expect((await stateOf(counters, busy))?.done).toBe(1);
  });
});

describe('ids', () => {
  test('that nobody made spawn nothing and are not found', async () => {
    const counters = await node();
    const id = randomUUID();
    expect(await counters.send(id, { type: 'add', amount: 1 })).toMatchObject({
      type: 'refused',
      refusal: { code: 'notFound' },
    });
    expect(await stateOf(counters, id)).toBeUndefined();
    counters.manager.wake(id);
    await counters.send(id, { type: 'delete' });
    expect(counters.manager.liveCount).toBe(0);
    expect(counters.registry.all()).toEqual([]);
  });

  test('of what was deleted are not found either, also by commands that waited behind the deletion', async () => {
    const counters = await node();
    const id = await create(counters);
    counters.post(id, { type: 'delete' }, 'delete');
    counters.post(id, { type: 'add', amount: 1 }, 'behind-1');
    counters.post(id, { type: 'add', amount: 1 }, 'behind-2');
    await waitFor(() => counters.replies.size === 3, { describe: 'all answers' });
    expect(counters.replies.get('delete')).toEqual([{ type: 'ok', answer: 0 }]);
    expect(counters.replies.get('behind-2')).toMatchObject([{ type: 'refused', refusal: { code: 'notFound' } }]);
    expect(await counters.send(id, { type: 'create', id })).toMatchObject({ refusal: { code: 'notFound' } });
    expect(counters.manager.liveCount).toBe(0);
  });

  test('are watched until they are over', async () => {
    const counters = await node();
    const id = await create(counters);
    const over = counters.manager.whenGone(id, AbortSignal.timeout(10_000));
    const impatience = new AbortController();
    const givenUp = counters.manager.whenGone(id, impatience.signal);
    impatience.abort(new Error('waited long enough'));
    await expect(givenUp).rejects.toThrow('waited long enough');
    await counters.send(id, { type: 'delete' });
    await over;
    await counters.manager.whenGone(id, AbortSignal.timeout(10_000));
  });
});

describe('a journal of a later version', () => {
  test('is refused by this node, which says so, and not held against the entity', async () => {
    const counters = await node();
    const id = await create(counters);
    await counters.pool.query('update journal set schema_version = 99 where entity_id = $1', [id]);
    counters.manager.drop((other) => other === id);
    const reason = expect.stringMatching(/this node is to be upgraded: .* version 99, this program knows up to 1/);
    expect(await counters.send(id, { type: 'add', amount: 1 })).toEqual({ type: 'faulted', reason });
    expect(await counters.send(id, { type: 'add', amount: 1 })).toEqual({ type: 'faulted', reason });
    const { rows } = await counters.pool.query('select fault from entities where id = $1', [id]);
    expect(rows).toEqual([{ fault: null }]);
    await counters.pool.query('update journal set schema_version = 1 where entity_id = $1', [id]);
    // As when a newer node has had it, and it comes back.
    counters.manager.drop((other) => other === id);
    expect(await counters.send(id, { type: 'add', amount: 1 })).toEqual({ type: 'ok', answer: 1 });
  });
});

describe('a fault that an older program recorded because it could not read the journal', () => {
  test('is cleared by one that can', async () => {
    const first = await node();
    const id = await create(first);
    const fault =
      'its actor was given up: counter journal has version 2, this program knows up to 1: run the newer program';
    await first.journal.recordFault('loadBalancer', id, fault, first.ownership.fenceOf(id));
    await first.close();
    const second = await node();
    expect(await second.send(id, { type: 'add', amount: 1 })).toEqual({ type: 'ok', answer: 1 });
    await waitFor(async () => (await rowOf(second, id))?.provisioning_status === 'ACTIVE', { describe: 'its row' });
    const faultOf = async () => (await second.pool.query('select fault from entities where id = $1', [id])).rows[0];
    await waitFor(async () => (await faultOf())?.fault === null, { describe: 'the fault to be cleared' });
  });
});

describe('a stale epoch', () => {
  test('stops the actor: nothing it does counts, everybody is answered, and its steps end', async () => {
    const { run } = gate();
    const counters = await node({ run });
    const id = await create(counters);
    await counters.send(id, { type: 'work' });
    await waitFor(() => counters.runs.length === 1, { describe: 'the step' });
    await counters.pool.query('update shards set owner = $1, epoch = epoch + 1', [randomUUID()]);
    await counters.pool.query(
      `insert into nodes (id, roles, version, lease_until)
       select owner, '{}', '', now() + interval '1 hour' from shards limit 1`,
    );
    for (let count = 0; count < 4; count++) counters.post(id, { type: 'add', amount: 1 }, `add-${count}`);
    await waitFor(() => counters.replies.size === 4, { describe: 'all answers' });
    expect([...counters.replies.values()]).toEqual(Array(4).fill([{ type: 'elsewhere' }]));
    expect(counters.runs[0]?.signal.aborted).toBe(true);
    expect(counters.manager.liveCount).toBe(0);
    expect(counters.registry.all()).toEqual([]);
    const { rowCount } = await counters.pool.query('select 1 from journal where entity_id = $1', [id]);
    expect(rowCount).toBe(2);
    await counters.pool.query("update nodes set stopped_at = now() where lease_until > now() + interval '30 minutes'");
  });

  test('of a shard that was claimed anew meanwhile loses nothing', async () => {
    const counters = await node();
    const id = await create(counters);
    // As when the session was lost and opened again while the append was on its way.
    const { epoch, node: owner } = counters.ownership.fenceOf(id);
    await counters.pool.query('update shards set epoch = epoch + 1');
    expect(await counters.send(id, { type: 'add', amount: 1 }, 'the-command')).toMatchObject({ type: 'elsewhere' });
    await waitFor(() => counters.ownership.owns(id), { describe: 'the shard to be claimed again' });
    expect(counters.ownership.fenceOf(id)).toEqual(fenceOf(id, { node: owner, epoch: epoch + 2 }));
    expect(await counters.send(id, { type: 'add', amount: 1 }, 'the-command')).toEqual({ type: 'ok', answer: 1 });
  });
});

describe('a database that is lost', () => {
  test('during an append gives the caller one answer after it is back, and the append one effect', async () => {
    const proxy = await startDatabaseProxy(database.url);
    undo.push(() => proxy.close());
    const counters = await node({ url: proxy.url });
    const id = await create(counters);
    const letGo = await holdAppends();
    for (let count = 0; count < 3; count++) counters.post(id, { type: 'add', amount: 1 }, `add-${count}`);
    await waitFor(
      async () =>
        (
          await counters.pool.query(
            `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
          )
        ).rowCount,
      { describe: 'the append to be under way' },
    );
    proxy.goAway();
    await letGo();
    await waitFor(() => !counters.ownership.isConnected, { describe: 'the session to be lost' });
    expect(counters.replies.size).toBe(0);
    proxy.comeBack();
    await waitFor(() => counters.replies.size === 3, { describe: 'the answers' });
    const settled = async () => {
      for (const [commandId, [reply]] of counters.replies) {
        if (reply?.type === 'busy') await counters.send(id, { type: 'add', amount: 1 }, commandId);
      }
      return (await stateOf(counters, id))?.count === 3;
    };
    await waitFor(settled, { describe: 'three effects' });
    expect([...counters.replies.values()].map((all) => all.length)).toEqual([1, 1, 1]);
    for (let count = 0; count < 3; count++) {
      expect((await counters.send(id, { type: 'add', amount: 1 }, `add-${count}`)).type).toBe('ok');
    }
    expect((await stateOf(counters, id))?.count).toBe(3);
  });

  test('behind a write leaves nobody waiting for what the write has brought about', async () => {
    const proxy = await startDatabaseProxy(database.url);
    undo.push(() => proxy.close());
    const counters = await node({ url: proxy.url });
    const id = await create(counters);
    const gone = counters.manager.whenGone(id, AbortSignal.timeout(10_000));
    const answer = proxy.hold('toClient', 'written');
    counters.post(id, { type: 'delete' }, 'delete');
    await answer.caught;
    // Only the connection that wrote: the session goes on, and with it the ownership.
    const other = new pg.Client({ connectionString: database.url });
    await other.connect();
    undo.push(() => other.end());
    const ended = await other.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and query like '%append_entries%'`,
    );
    expect(ended.rowCount).toBe(1);
    await gone;
    expect(counters.ownership.isConnected).toBe(true);
    answer.release();
  });

  test('aborts steps, which do not count as failures and run again afterwards', async () => {
    const proxy = await startDatabaseProxy(database.url);
    undo.push(() => proxy.close());
    const { open, run } = gate();
    const counters = await node({ url: proxy.url, run });
    const id = await create(counters);
    await counters.send(id, { type: 'work' });
    await waitFor(() => counters.runs.length === 1, { describe: 'the step' });
    proxy.goAway();
    await waitFor(() => counters.runs[0]?.signal.aborted, { describe: 'the step to be aborted' });
    proxy.comeBack();
    open();
    await waitFor(async () => (await stateOf(counters, id).catch(() => undefined))?.done === 1, {
      describe: 'the work to be done',
    });
    expect(counters.runs.length).toBeGreaterThan(1);
    const { rows } = await counters.pool.query<{ type: string }>(
      `select e ->> 'type' as type from journal j, jsonb_array_elements(j.events) e where j.entity_id = $1`,
      [id],
    );
    expect(rows.map(({ type }) => type)).not.toContain('stepFailed');
  });
});

describe('a step', () => {
  test('that hangs is given up at its deadline and tried again', async () => {
    const counters = await node({
      stepMs: 100,
      run: (_, runs) => (runs === 1 ? new Promise(() => undefined) : Promise.resolve()),
    });
    const id = await create(counters);
    await counters.send(id, { type: 'work' });
    await waitFor(async () => (await stateOf(counters, id))?.done === 1, { describe: 'the work to be done' });
    expect(counters.runs).toHaveLength(2);
    expect(counters.runs[0]?.signal.aborted).toBe(true);
  });

  test('that fails is tried again by the next node, at its time and not before', async () => {
    const first = await node({ retryMs: 1_500, run: () => Promise.reject(new Error('told to fail')) });
    const id = await create(first);
    await first.send(id, { type: 'work' });
    const retry = await waitFor(async () => (await stateOf(first, id))?.steps.retries['work'], {
      describe: 'a failure',
    });
    await first.close();
    const second = await node();
    await waitFor(() => second.runs.length === 1, { describe: 'the next try' });
    expect(Date.now()).toBeGreaterThanOrEqual(retry.retryAt - 5);
    await waitFor(async () => (await stateOf(second, id))?.done === 1, { describe: 'the work to be done' });
  });

  test('that fails with text which the database cannot keep is recorded all the same', async () => {
    const counters = await node({
      run: (_, runs) => (runs === 1 ? Promise.reject(new Error('garbage \u0000 \ud800 behind')) : Promise.resolve()),
    });
    const id = await create(counters);
    await counters.send(id, { type: 'work' });
    await waitFor(async () => (await stateOf(counters, id))?.done === 1, { describe: 'the work to be done' });
    expect(counters.registry.find(`counters/counter-${id}`)?.restarts).toBe(0);
  });

  test('whose end comes late, when the step runs again already, means nothing', async () => {
    const { open, run } = gate();
    const counters = await node({ run });
    const id = await create(counters);
    await counters.send(id, { type: 'work' });
    await waitFor(() => counters.runs.length === 1, { describe: 'the step' });
    const letGo = await holdAppends();
    // In the mailbox behind a crash: a wake, which starts the step anew, and then the end of its first run.
    counters.post(id, { type: 'add', amount: 1 }, 'add');
    counters.post(id, { type: 'crash', where: 'decide' }, 'crash');
    counters.manager.wake(id);
    open();
    const record = counters.registry.find(`counters/counter-${id}`);
    await waitFor(() => record?.pending === 4, { describe: 'the end of the first run to wait' });
    await letGo();
    await waitFor(async () => (await stateOf(counters, id))?.wanted === false, { describe: 'the work to be done' });
    expect(counters.runs).toHaveLength(2);
    expect((await stateOf(counters, id))?.done).toBe(1);
  });

  test('of an entity that left this node is aborted, and what waited for the entity is answered', async () => {
    const { run } = gate();
    const counters = await node({ run });
    const id = await create(counters);
    await counters.send(id, { type: 'work' });
    await waitFor(() => counters.runs.length === 1, { describe: 'the step' });
    await counters.ownership.stop();
    counters.manager.dropForeign();
    expect(counters.runs[0]?.signal.aborted).toBe(true);
    expect(await counters.send(id, { type: 'add', amount: 1 })).toMatchObject({ type: 'elsewhere' });
    await expect(stateOf(counters, id)).rejects.toThrow();
  });
});

describe('a node that stops', () => {
  test('answers what it has not done, and leaves no timer and no actor behind', async () => {
    const counters = await node();
    const ids = await Promise.all(Array.from({ length: 5 }, () => create(counters)));
    for (const [index, id] of ids.entries()) {
      counters.post(id, { type: 'add', amount: 1 }, `first-${index}`);
      counters.post(id, { type: 'add', amount: 1 }, `second-${index}`);
    }
    counters.post(randomUUID(), { type: 'add', amount: 1 }, 'loading');
    await counters.close();
    await waitFor(() => counters.replies.size === 11, { describe: 'all answers' });
    expect([...counters.replies.values()].every((replies) => replies.length === 1)).toBe(true);
    for (const [reply] of counters.replies.values()) expect(['ok', 'elsewhere']).toContain(reply?.type);
    expect(counters.registry.all()).toEqual([]);
  });
});

describe('dead letters', () => {
  test('are counted: the end of a step whose entity was deleted before it', async () => {
    const { open, run } = gate();
    const counters = await node({ run });
    const id = await create(counters);
    await counters.send(id, { type: 'work' });
    await waitFor(() => counters.runs.length === 1, { describe: 'the step' });
    const letGo = await holdAppends();
    counters.post(id, { type: 'delete' }, 'delete');
    open();
    const record = counters.registry.find(`counters/counter-${id}`);
    await waitFor(() => record?.pending === 2, { describe: 'the end of the step to wait' });
    expect(counters.registry.deadLetterCount).toBe(0);
    await letGo();
    await waitFor(() => counters.registry.deadLetterCount === 1, { describe: 'the dead letter' });
    expect(counters.registry.deadLetters()).toMatchObject([{ path: `counter-${id}`, type: 'stepEnded' }]);
  });
});
