// The entries of a plain load balancer's create, in their order, sized like real ones: four of its own, five of its amphora.
import { randomUUID } from 'node:crypto';
import type { Entry, Fence } from '../../src/domain/journal.ts';

export function createEntries(id: string, amphoraId: string, fenceOf: (id: string) => Fence): readonly Entry[] {
  const at = Date.now();
  const common = { schemaVersion: 1, isOver: false, hasWork: true, work: null };
  const step = (key: string) => ({ type: 'stepStarted', key, run: 1, at, deadlineAt: at + 6_000 });
  const ended = (key: string) => ({
    type: 'stepEnded',
    key,
    run: 1,
    at,
    result: { type: 'succeeded', detail: randomUUID() },
  });
  const work = { running: { push: { run: 1, startedAt: at, deadlineAt: at + 6_000 } }, retries: {}, runs: 1 };
  const ofLb = (seq: number, events: readonly unknown[], more: Partial<Entry> = {}): Entry => ({
    ...common,
    kind: 'loadBalancer',
    id,
    fence: fenceOf(id),
    seq,
    events,
    rows: { upserts: { loadBalancers: [loadBalancerRow(id, seq)] }, deletes: {} },
    work,
    ...more,
  });
  const ofAmphora = (seq: number, events: readonly unknown[], more: Partial<Entry> = {}): Entry => ({
    ...common,
    kind: 'amphora',
    id: amphoraId,
    fence: fenceOf(amphoraId),
    seq,
    events,
    rows: { upserts: { amphorae: [amphoraRow(amphoraId, seq < 3 ? null : id)] }, deletes: {} },
    ...more,
  });
  const command = { id: randomUUID(), digest: 'd'.repeat(64), answer: { type: 'ok', answer: { id } } };
  const created = { type: 'loadBalancerCreated', ...loadBalancerRow(id, 1), at };
  return [
    ofAmphora(1, [{ type: 'amphoraCreated', id: amphoraId, at }, step('boot')]),
    ofAmphora(2, [ended('boot'), { type: 'amphoraReady', agent: amphoraRow(amphoraId, null), at }]),
    ofLb(1, [created, step('vip')], { command }),
    ofLb(2, [ended('vip'), step('claim')], { claims: [{ kind: 'vip', value: randomUUID() }] }),
    ofAmphora(3, [{ type: 'allocated', loadBalancerId: id, role: 'STANDALONE', at }], { wakeAt: at + 15_000 }),
    ofLb(3, [ended('claim'), { type: 'amphoraClaimed', amphoraId, at }, step('push')]),
    ofLb(4, [ended('push'), { type: 'served', amphoraId, generation: 1, at }], { hasWork: false, work: null }),
    ofAmphora(4, [step('ask')]),
    ofAmphora(5, [ended('ask')], { hasWork: false }),
  ];
}

function loadBalancerRow(id: string, generation: number) {
  return {
    id,
    name: 'bench',
    description: '',
    adminStateUp: true,
    tags: [],
    provisioningStatus: 'PENDING_CREATE',
    errorReason: null,
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    projectId: 'bench',
    vipAddress: '10.0.0.1',
    vipPortId: null,
    vipSubnetId: 'subnet',
    vipNetworkId: 'network',
    topology: 'SINGLE',
    vrrpPorts: {},
    generation,
  };
}

function amphoraRow(id: string, loadBalancerId: string | null) {
  return {
    id,
    loadBalancerId,
    status: loadBalancerId === null ? 'READY' : 'ALLOCATED',
    role: null,
    computeId: `amphora-${id}`,
    agentHost: '10.0.0.2',
    agentPort: 9443,
    haproxyVersion: '2.8.0',
    certificateFingerprint: 'f'.repeat(64),
    certificateExpiresAt: '2027-01-01T00:00:00.000Z',
    errorReason: null,
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
  };
}
