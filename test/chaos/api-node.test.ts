// Nodes that serve the REST API and nothing else, beside one that does the work.
import { expect, test } from '@jest/globals';
import { readRunFile } from '../../src/config/data-folder.ts';
import { type TestClusterNode, useCluster } from '../support/nodes.ts';
import { waitFor } from '../support/wait-for.ts';

const cluster = useCluster(4);
const worker = 'worker,health,housekeeping';
const path = '/v2/lbaas/loadbalancers';

const urlOf = ({ folder }: TestClusterNode) => `http://127.0.0.1:${readRunFile(folder)?.apiPort}${path}`;

let subnetId = '';

async function create(node: TestClusterNode, name: string): Promise<Response> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': name };
  const body = JSON.stringify({ loadbalancer: { name, vip_subnet_id: subnetId } });
  return fetch(urlOf(node), { method: 'POST', headers, body });
}

async function shown(node: TestClusterNode, id: string) {
  const response = await fetch(`${urlOf(node)}/${id}`);
  const { loadbalancer } = (await response.json()) as { loadbalancer: Record<string, unknown> };
  return loadbalancer;
}

/** Of its log. */
function lines({ process }: TestClusterNode): readonly Readonly<Record<string, unknown>>[] {
  const all = process.output().split('\n');
  // The last one may not be whole.
  const ofLog = all.slice(0, -1).filter((line) => line.startsWith('{'));
  return ofLog.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('a node with the role api alone takes changes to the node that works, and waits for one when that dies', async () => {
  const working = await cluster.start(0, worker);
  subnetId = (await working.client.call('subnet.list', {})).items[0]?.id ?? '';
  const patient = await cluster.start(1, 'api');
  const hasty = await cluster.start(2, 'api', { AMPHI_API_DEADLINE: '1' });

  const made = await create(patient, 'one');
  expect(made.status).toBe(201);
  const { loadbalancer: one } = (await made.json()) as { loadbalancer: { id: string; vip_address: string } };
  expect(one.vip_address).toMatch(/^\d+\./);
  await waitFor(async () => (await shown(hasty, one.id))['provisioning_status'] === 'ACTIVE', { describe: 'ACTIVE' });
  const owners = await cluster.query<{ owner: string }>('select distinct owner from shards where owner is not null');
  expect(owners).toHaveLength(1);

  // What was done for a request is found by its id, in the log of the node that did it.
  const requestId = made.headers.get('x-openstack-request-id');
  const told = await waitFor(() => lines(patient).find((line) => line['requestId'] === requestId), { describe: 'it' });
  expect(told).toMatchObject({ method: 'POST', status: 201, commandId: expect.stringMatching(/^key\//) });
  const steps = () => lines(working).filter((line) => String(line['commands']) === told['commandId']);
  const taken = ['allocateVip', 'claimAmphora', 'deploy'];
  await waitFor(() => taken.every((step) => steps().some((line) => line['step'] === step)), { describe: 'its steps' });

  working.process.kill('SIGKILL');
  await working.process.ended;
  expect(await shown(patient, one.id)).toMatchObject({ name: 'one', provisioning_status: 'ACTIVE' });
  const refused = await create(hasty, 'two');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  const waiting = create(patient, 'two');
  await cluster.start(3, worker);
  const second = await waiting;
  expect(second.status).toBe(201);
  // What was refused for want of time is the same request, and makes nothing twice.
  const { loadbalancer: two } = (await second.json()) as { loadbalancer: { id: string } };
  const again = (await (await create(hasty, 'two')).json()) as { loadbalancer: { id: string } };
  expect(again.loadbalancer.id).toBe(two.id);
}, 90_000);
