// A load balancer's rows in the tables for reading.
import { moment, type Row, type Rows } from '../projection.ts';
import { servingSlots, topologyOf } from './pair.ts';
import type { AdditionalVipView } from '../views.ts';
import type { LbObject, LoadBalancerState, VipState } from './state.ts';
import { errorReason, provisioningStatuses } from './statuses.ts';

const tables = {
  loadBalancer: 'loadBalancers',
  listener: 'listeners',
  pool: 'pools',
  member: 'members',
  healthMonitor: 'healthMonitors',
  l7Policy: 'l7Policies',
  l7Rule: 'l7Rules',
} as const;

/** No rows once it is deleted: deleted objects are not found. */
export function loadBalancerRows(state: LoadBalancerState | undefined): Rows {
  if (state === undefined || state.deletion === 'done') return {};
  const statuses = provisioningStatuses(state);
  const rows: Record<string, Row[]> = {};
  for (const object of Object.values(state.objects)) {
    const table = tables[object.kind];
    const row = {
      ...objectRow(state, object),
      id: object.id,
      provisioningStatus: statuses.get(object.id),
      errorReason: object.kind === 'loadBalancer' ? (object.refusal ?? errorReason(state) ?? null) : object.refusal,
      createdAt: moment(object.createdAt),
      updatedAt: moment(object.updatedAt),
    };
    const others = rows[table];
    if (others === undefined) rows[table] = [row];
    else others.push(row);
  }
  return rows;
}

/** A deletion that is under way shows the object as it was accepted last. */
function objectRow(state: LoadBalancerState, object: LbObject): Record<string, unknown> {
  const form = object.desired ?? object.accepted ?? object.pushed?.form;
  const common = { loadBalancerId: state.id, position: object.order };
  switch (object.kind) {
    case 'loadBalancer':
      return { vipQosPolicyId: null, vipSgIds: [], ...form, ...loadBalancerColumns(state) };
    case 'listener':
    case 'pool':
      return { ...form, ...common };
    case 'member': {
      const { requestSriov, ...columns } = { requestSriov: false, ...form };
      return { ...columns, ...common, poolId: object.parentId, vnicType: requestSriov ? 'direct' : 'normal' };
    }
    case 'healthMonitor':
      return { ...form, ...common, poolId: object.parentId };
    case 'l7Policy':
      return { ...form, loadBalancerId: state.id, listenerId: object.parentId };
    case 'l7Rule':
      return { ...form, ...common, l7PolicyId: object.parentId };
  }
}

/** Amphora → what it has accepted and is to hold; without those of which that is not known. */
function servedBy(state: LoadBalancerState): Readonly<Record<string, object>> {
  const held: Record<string, object> = {};
  for (const { amphoraId, serves, digest } of servingSlots(state)) {
    if (serves && digest !== undefined) held[amphoraId] = { digest, hasLvs: state.hasLvs === true };
  }
  return held;
}

function loadBalancerColumns(state: LoadBalancerState): Record<string, unknown> {
  const { projectId, vip, generation } = state;
  const ports = state.slots.flatMap(({ amphoraId, ownPort, port = ownPort }) =>
    port === undefined ? [] : [[amphoraId, port]],
  );
  return {
    projectId,
    topology: topologyOf(state),
    provider: state.provider ?? 'amphora',
    vrrpPorts: Object.fromEntries(ports) as Record<string, unknown>,
    served: servedBy(state),
    vipAddress: vip.port?.address ?? vip.requestedAddress,
    vipPortId: vip.port?.portId ?? null,
    vipSubnetId: vip.subnetId,
    vipNetworkId: vip.networkId,
    vipVnicType: vip.vnicType ?? 'normal',
    additionalVips: additionalVips(vip),
    generation,
  };
}

/** Address and port are null until they are allocated, unless they were asked for. */
function additionalVips({ additional = [], port }: VipState): readonly AdditionalVipView[] {
  return additional.map(({ subnetId, requestedAddress }, index) => ({
    subnetId,
    ipAddress: port?.additional?.[index]?.address ?? requestedAddress,
    portId: port?.portId ?? null,
  }));
}
