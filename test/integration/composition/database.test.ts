import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { refuseOtherDriver } from '../../../src/composition/database.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { openTestSession } from '../../support/registration.ts';

let pool: pg.Pool;
afterAll(() => pool.end());
const database = useTestDatabase();
beforeAll(() => {
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
});

test('a driver other than the one that amphorae were made with is refused, and any is taken while there are none', async () => {
  const session = await openTestSession(database.url, { id: randomUUID(), settings: { driver: 'print-of-local' } });
  await session.close();
  await refuseOtherDriver(pool, 'noop', 'print-of-noop');
  await pool.query(`insert into amphorae (id, status, created_at, updated_at) values ($1, 'READY', now(), now())`, [
    randomUUID(),
  ]);
  await refuseOtherDriver(pool, 'local', 'print-of-local');
  await expect(refuseOtherDriver(pool, 'noop', 'print-of-noop')).rejects.toThrow(
    'driver is noop, and the amphorae of this database were made with another one',
  );
});
