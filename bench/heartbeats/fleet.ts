// A fleet for the benchmark of heartbeats: rows of load balancers, listeners and amphorae as they are in service, with what the
// amphorae said before, as a node finds them that has taken the fleet over.
import type pg from 'pg';
import { HeartbeatTable } from '../../src/domain/health/table.ts';
import { benchId, messageOf, type Shape } from './packets.ts';

const rowsAtOnce = 5_000;

export async function seedFleet(
  database: pg.Client,
  amphorae: number,
  shape: Shape,
  heartbeatAddress: string,
): Promise<void> {
  for (let from = 0; from < amphorae; from += rowsAtOnce) {
    const numbers = Array.from({ length: Math.min(rowsAtOnce, amphorae - from) }, (_, index) => from + index);
    await seed(database, numbers, shape, heartbeatAddress);
  }
  await database.query('analyze');
}

async function seed(
  database: pg.Client,
  numbers: readonly number[],
  shape: Shape,
  heartbeatAddress: string,
): Promise<void> {
  const balancers = numbers.map((number) => benchId('loadBalancer', number));
  await database.query(
    `insert into load_balancers (id, name, description, admin_state_up, tags, project_id, vip_subnet_id, vip_network_id,
       generation, provisioning_status, created_at, updated_at)
     select id, 'bench', '', true, '[]', 'project-' || left(id::text, 2), 's', 'n', 1, 'ACTIVE', now(), now()
     from unnest($1::uuid[]) id`,
    [balancers],
  );
  const listeners = numbers.flatMap((number) =>
    Array.from({ length: shape.listeners }, (_, index) => [
      benchId('listener', number, index),
      benchId('loadBalancer', number),
    ]),
  );
  await database.query(
    `insert into listeners (id, load_balancer_id, name, description, admin_state_up, tags, protocol, protocol_port,
       connection_limit, timeout_client_data, timeout_member_connect, timeout_member_data, timeout_tcp_inspect,
       insert_headers, position, provisioning_status, created_at, updated_at)
     select l, b, '', '', true, '[]', 'HTTP', 80, -1, 50000, 5000, 50000, 0, '{}', 0, 'ACTIVE', now(), now()
     from unnest($1::uuid[], $2::uuid[]) as listener (l, b)`,
    [listeners.map(([id]) => id), listeners.map(([, balancer]) => balancer)],
  );
  const ids = numbers.map((number) => benchId('amphora', number));
  await database.query(
    `insert into amphorae (id, load_balancer_id, status, role, controllers, created_at, updated_at)
     select a, b, 'ALLOCATED', 'STANDALONE', $3, now(), now() from unnest($1::uuid[], $2::uuid[]) as amphora (a, b)`,
    [ids, balancers, JSON.stringify([heartbeatAddress])],
  );
  await database.query('insert into heard_amphorae (amphora_id, digest) select * from unnest($1::uuid[], $2::text[])', [
    ids,
    numbers.map((number) => digestOf(number, shape)),
  ]);
}

function digestOf(number: number, shape: Shape): string {
  const table = new HeartbeatTable();
  const message = messageOf(number, 0, shape);
  table.hear(message, undefined, 0);
  return table.digest(message.id) ?? '';
}
