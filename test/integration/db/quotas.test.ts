import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { Journal } from '../../../src/db/journal.ts';
import { QuotaRepository } from '../../../src/db/repositories/quotas.ts';
import { unlimited } from '../../../src/domain/quota.ts';
import { entry, loadBalancerRow, noTraces, type Owner, ownAll, traces } from '../../support/entries.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const pools: pg.Pool[] = [];
let owner: Owner;

// Before the database is dropped: hooks run in the order in which they stand here.
afterAll(() => Promise.all(pools.map((pool) => pool.end())));
const database = useTestDatabase();

function newPool(): pg.Pool {
  const pool = new pg.Pool({ connectionString: database.url, max: 4 });
  pools.push(pool);
  return pool;
}

beforeAll(async () => {
  owner = await ownAll(newPool());
});

function creation(projectId: string, id: string = randomUUID()) {
  return entry(id, owner, {
    command: { id: randomUUID(), digest: 'd', answer: {} },
    claims: [{ kind: 'vip', value: id }],
    rows: { upserts: { loadBalancers: [{ ...loadBalancerRow(id), projectId }] }, deletes: {} },
    addition: { projectId, added: { loadBalancer: 1 } },
  });
}

test.each([
  ['of its own', { ...unlimited }, 7],
  ['by default', { ...unlimited, loadBalancer: 7 }, null],
])('a limit %s holds when many nodes add at the same time', async (_, defaults, own) => {
  const [first, ...others] = [newPool(), newPool(), newPool()];
  if (first === undefined) throw new Error('no pool');
  // Connected before, so that their statements meet.
  await Promise.all([first, ...others].map((pool) => pool.query('select 1')));
  const projectId = randomUUID();
  if (own !== null) await new QuotaRepository(first, defaults).set(projectId, { loadBalancer: own });
  const journals = [first, ...others].map((pool) => new Journal(pool, undefined, defaults));
  const results = await Promise.all(
    journals.flatMap((journal) => Array.from({ length: 20 }, () => journal.append(creation(projectId)))),
  );
  const count = (type: string) => results.filter((result) => result.type === type).length;
  expect([count('written'), count('quotaMet')]).toEqual([7, 53]);
  const { rows } = await first.query('select 1 from load_balancers where project_id = $1', [projectId]);
  expect(rows).toHaveLength(7);
});

test('what is refused leaves no trace, and other projects in the same group are written', async () => {
  const [pool] = [newPool()];
  const [full, free] = [randomUUID(), randomUUID()];
  await new QuotaRepository(pool, unlimited).set(full, { loadBalancer: 0 });
  const journal = new Journal(pool);
  const [refused, written] = [randomUUID(), randomUUID()];
  const results = await Promise.all([journal.append(creation(full, refused)), journal.append(creation(free, written))]);
  expect(results).toEqual([{ type: 'quotaMet', kind: 'loadBalancer' }, { type: 'written' }]);
  expect(await traces(pool, refused)).toEqual(noTraces);
});
